"""The opening by steps, by itself."""

from lox24_async._guard.window import Window


def test_an_outage_is_no_limit_near_to_nothing() -> None:
    """One good answer between long troubles: the next request still leaves within a second."""
    window, now = Window("a", 0.0), 0.0
    for number in range(20):
        now += 60.0
        window.leave(number, now, now + 65.0)
        window.land(number, now)
        window.answer(now)
        window.refuse(f"refused {number}", now, limited=True)
        window.leave("next", now, now + 65.0)
        window.land("next", now)
        assert window.ask_at(now) <= now + 1.0
