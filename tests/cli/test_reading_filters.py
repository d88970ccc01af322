"""Filters as they are typed: from words to a ``BulkFilter``, and moments."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from lox24_async import BulkFilter, BulkStatus
from lox24_async.cli.exits import CommandError
from lox24_async.cli.reading.filters import FilterOptions, make_filter
from lox24_async.cli.reading.moments import read_moment

ID = "da0fa78c-4699-11ea-a637-96000028b339"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live nine hours east of Greenwich, all year."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("1h", NOW - timedelta(hours=1)),
        ("2 d", NOW - timedelta(days=2)),
        ("1W", NOW - timedelta(weeks=1)),
        ("0m", NOW),
        ("2026-02-28T08:00Z", datetime(2026, 2, 28, 8, 0, tzinfo=UTC)),
        ("2026-02-28T08:00:30+01:00", datetime(2026, 2, 28, 7, 0, 30, tzinfo=UTC)),
        ("2026-02-28 08:00", datetime(2026, 2, 27, 23, 0, tzinfo=UTC)),
        ("2026-02-28T08:00", datetime(2026, 2, 27, 23, 0, tzinfo=UTC)),
        ("2026-02-28", datetime(2026, 2, 27, 15, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_is_iso_8601_or_how_long_ago(text: str, moment: datetime) -> None:
    """Without a zone it is this machine's local time; the result is aware in any case."""
    got = read_moment(text, "--x", NOW)
    assert moment == got
    assert got.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "soon", "30", "-30m", "1.5h", "h", "1y", "1h30m", "08:00", "28.02.2026"),
        *(
            "2026-02-30",
            "2026-02-28T25:00Z",
            "\u0663\u0660m",
            "999999999w",
            "0001-01-01",
            "1234567:secret",
        ),
    ],
)
def test_what_is_no_moment_is_told_with_its_option(text: str) -> None:
    """The error names the option and shows how to write it; a token is not echoed."""
    with pytest.raises(CommandError, match=r"^--created-to: .* is no time\. Write it as ") as told:
        read_moment(text, "--created-to", NOW)
    assert told.value.code == 2
    assert "secret" not in str(told.value)


def test_now_is_now() -> None:
    """Without another word the time counts from this moment."""
    before = datetime.now(UTC)
    assert before - timedelta(minutes=1) <= read_moment("1m") <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({}, BulkFilter()),
        ({"sender": "ACME", "text": "sale"}, BulkFilter(sender_id="ACME", text="sale")),
        ({"ids": (ID.upper(), ID)}, BulkFilter(uuids=(ID,))),
        ({"min_messages": 0, "max_messages": 5}, BulkFilter(min_messages=0, max_messages=5)),
        (
            {"status": ("new", "In-Progress", "no recipients", "canceled", "cancelled")},
            BulkFilter(
                status_codes=(
                    BulkStatus.NEW,
                    BulkStatus.IN_PROGRESS,
                    BulkStatus.NO_RECIPIENTS,
                    BulkStatus.CANCELED,
                )
            ),
        ),
        (
            {"status": ("system-error", "processed", "20", "77")},
            BulkFilter(status_codes=(20, 10, 77)),
        ),
        (
            {"created_from": "2h", "created_to": "now"},
            BulkFilter(created_from=NOW - timedelta(hours=2), created_to=NOW),
        ),
        (
            {"delivery_from": "1d", "delivery_to": "2026-03-02T00:00+09:00"},
            BulkFilter(
                delivery_from=NOW - timedelta(days=1),
                delivery_to=datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=9))),
            ),
        ),
        (
            {"processed_from": "30m", "processed_to": "0s"},
            BulkFilter(processed_from=NOW - timedelta(minutes=30), processed_to=NOW),
        ),
    ],
)
def test_words_make_a_filter(words: dict[str, Any], wanted: BulkFilter) -> None:
    """Each word goes where it belongs; all times count from one moment."""
    assert wanted == make_filter(FilterOptions(**words), NOW)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"status": ("gone",)}, "--status: there is no state 'gone'. Known are new, in-progress,"),
        ({"status": ("-5",)}, "--status: there is no state '-5'."),
        ({"status": ("\u0665",)}, "--status: there is no state '\u0665'."),
        ({"ids": (ID, "x")}, "--id: no bulk id: 'x'."),
        ({"text": ""}, "--text must be a non-empty string without control characters."),
        ({"sender": "a\tb"}, "--sender must be a non-empty string without control characters."),
        (
            {"min_messages": 5, "max_messages": 2},
            "--min-messages must not be greater than --max-messages.",
        ),
        (
            {"created_from": "now", "created_to": "2h"},
            "--created-from must not be later than --created-to.",
        ),
        ({"delivery_to": "60000d"}, "--delivery-to must lie in the years 1970 to 9999 in UTC."),
        ({"processed_from": "x"}, "--processed-from: 'x' is no time."),
    ],
)
def test_what_cannot_be_meant_is_told_in_the_words_typed(words: dict[str, Any], told: str) -> None:
    """The option's name and not the field's, exit code 2."""
    with pytest.raises(CommandError) as error:
        make_filter(FilterOptions(**words), NOW)
    assert str(error.value).startswith(told)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ({}, False),
        ({"status": (), "ids": ()}, False),
        ({"min_messages": 0}, True),
        ({"text": ""}, True),
        ({"ids": (ID,)}, True),
        ({"delivery_to": "now"}, True),
    ],
)
def test_a_filter_is_given_if_any_word_is(words: dict[str, Any], given: bool) -> None:
    """Also one that is 0 or empty: it was typed, and must not be taken for none."""
    assert given is FilterOptions(**words).given


TYPED: dict[str, Any] = {
    "sender": "ACME",
    "sender_is": "ACME",
    "text": "sale",
    "status": ("new",),
    "created_from": "2h",
    "created_to": "1h",
    "delivery_from": "2h",
    "delivery_to": "1h",
    "processed_from": "2h",
    "processed_to": "1h",
    "min_messages": 1,
    "max_messages": 2,
    "ids": (ID,),
}


def test_case_78_no_option_is_lost_on_its_way_to_the_filter() -> None:
    """Case 78: each option alone makes another filter; a new one has to be added here."""
    assert {field.name for field in attrs.fields(FilterOptions)} == TYPED.keys()
    filters = [make_filter(FilterOptions(**{name: word}), NOW) for name, word in TYPED.items()]
    assert len({BulkFilter(), *filters}) == len(TYPED) + 1
