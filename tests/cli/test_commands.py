"""``lox24 list``, ``show``, ``status``, ``create``, ``simulate`` and ``delete``, end to end."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lox24_async import Bulk, Lox24Client, ServiceCode, make_converter
from lox24_async.cli import running
from lox24_async.cli.connecting import connect
from lox24_async.cli.exits import CommandError
from lox24_async.cli.reading.drafts import DraftOptions, make_draft
from lox24_async.cli.reading.moments import read_delivery
from lox24_async.cli.telling.records import BULK_COLUMNS
from lox24_async.testing import FakeLox24, Fault
from tests.conftest import QUICK

from .stage import CANARY, MOST, STRANGER, Screen, add, free_url, lox24, start, wait_for

FOREVER = 60.0  # seconds; a gateway that does not answer within the test
_HANG = Fault(delay=FOREVER)
_DOWN = Fault(status=503)
SEND = ("--sender", "Bank", "--text", "Hello", "--phone", "+491701234567")


def uuids(out: str) -> list[str]:
    """Return the ids in NDJSON records."""
    return [json.loads(line)["uuid"] for line in out.splitlines()]


def sent(gateway: FakeLox24, method: str) -> list[str]:
    """Return the paths of the requests of a method that arrived."""
    return [r.path for r in gateway.requests if r.method == method]


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live in a zone with an offset, the same on every machine."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XXX-05:30")
        time.tzset()
        yield
    time.tzset()


# --- list


def test_a_listing_is_lines_for_people(gateway: FakeLox24, far_away: None) -> None:
    """Oldest first, a line each on stdout, the count on stderr; control characters are tamed."""
    made = datetime(2026, 3, 1, 8, tzinfo=UTC)
    late = gateway.add_bulk(5, text="a\n\x1b[31mb", created_at=made + timedelta(hours=1))
    early = gateway.add_bulk(0, msg_total_count=1200, sender_id="Bank", created_at=made)
    code, out, err = lox24("list")
    assert code == 0
    rest = r"fake         a\n\x1b[31mb"
    assert [line.split(maxsplit=6) for line in out.splitlines()] == [
        ["bulk", "status", "messages", "created", "sender", "text"],
        [str(early.uuid), "new", "1,200", "2026-03-01", "13:30+05:30", "Bank", "Hello"],
        [str(late.uuid), "in", "progress", "1", "2026-03-01", "14:30+05:30", rest],
    ]
    rows = [line.split() for line in err.splitlines()]
    assert rows == [
        ["sender", "bulks", "messages", "cost"],
        ["Bank", "1", "1,200"],
        ["fake", "1", "1"],
        ["2", "bulks,", "1,201", "messages."],
    ]


def test_records_are_the_api_s_own(gateway: FakeLox24) -> None:
    """NDJSON and JSON hold each bulk as LOX24 has it, unknown fields included."""
    bulk = gateway.add_bulk(0, extra={"new_field": [1]}, price=Decimal("0.5"))
    _, out, _ = lox24("list", "-o", "ndjson")
    plain = json.loads(out)
    assert make_converter().structure(plain, Bulk) == bulk
    assert plain["new_field"] == [1]
    assert json.loads(lox24("list", "-o", "json")[1]) == [plain]


def test_csv_has_a_header_and_quotes(gateway: FakeLox24) -> None:
    """A text with commas and line ends stays one cell."""
    bulk = gateway.add_bulk(5, text='a,"b"\nc', is_unicode=False)
    _, out, _ = lox24("list", "-o", "csv", "-q")
    [row] = csv.DictReader(io.StringIO(out))
    told = [row[name] for name in ("uuid", "status_code", "text", "is_unicode", "price")]
    assert told == [str(bulk.uuid), "5", 'a,"b"\nc', "false", ""]


@pytest.mark.parametrize(
    ("form", "expected"),
    [("json", "[\n]\n"), ("ndjson", ""), ("csv", ",".join(BULK_COLUMNS) + "\n")],
)
def test_an_empty_listing_is_still_one(gateway: FakeLox24, form: str, expected: str) -> None:
    """No bulks is an answer: exit code 0, a header, an empty array."""
    assert lox24("list", "-o", form) == (0, expected, "0 bulks.\n")


def test_filters_order_and_limit_go_to_lox24(gateway: FakeLox24) -> None:
    """All filters together, the largest first, no more than asked for."""
    wanted = [gateway.add_bulk(0, sender_id="Bank", msg_total_count=n) for n in (2, 9, 5)]
    gateway.add_bulk(10, sender_id="Bank", msg_total_count=20)
    gateway.add_bulk(0, sender_id="Shop", msg_total_count=20)
    args = ("list", "-o", "ndjson", "--sender", "bank", "--status", "new", "--created-from", "1h")
    _, out, err = lox24(*args, "--order", "messages", "--descending", "--limit", "2")
    assert [str(wanted[1].uuid), str(wanted[2].uuid)] == uuids(out)
    assert err == "2 bulks, 14 messages.\n"


def test_pages_come_out_as_they_arrive(gateway: FakeLox24) -> None:
    """The first page is written while the second has yet to be answered."""
    gateway.page_size = 3
    ids = add(gateway, *[0] * 5)
    gateway.fail_if(lambda request: _HANG if "page=2" in request.path else None)
    with start("list", "-o", "ndjson") as child:
        assert child.stdout is not None
        assert ids[:3] == uuids("".join(child.stdout.readline() for _ in range(3)))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=MOST)
    assert child.returncode == 130
    assert "Traceback" not in err


def test_a_reader_that_has_enough_ends_it_quietly(gateway: FakeLox24) -> None:
    """As under ``head``: exit code 0, no word of a broken pipe."""
    gateway.page_size = 500
    for n in range(1500):
        gateway.add_bulk(0, text=f"{n}" * 50)
    with start("list", "-o", "ndjson", "-q") as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        child.wait(MOST)
        assert child.stderr is not None
        assert (child.returncode, child.stderr.read()) == (0, "")


def test_a_slow_reader_does_not_hold_up_the_requests(gateway: FakeLox24) -> None:
    """While nobody reads (``less``, say) the next page still comes in, and all comes out."""
    gateway.page_size = 200
    for n in range(600):
        gateway.add_bulk(0, text=f"{n:4}" * 200)
    with start("list", "-o", "ndjson", "-q") as child:
        assert child.stdout is not None
        wait_for(lambda: any("page=3" in r.path for r in gateway.requests))
        assert len(uuids(child.stdout.read())) == 600
        assert child.wait(MOST) == 0


def test_a_listing_that_breaks_off_is_no_json(gateway: FakeLox24, impatient: None) -> None:
    """Nobody can take a part for the whole; the exit code says why."""
    gateway.page_size = 2
    add(gateway, *[0] * 4)
    gateway.fail_if(lambda request: _DOWN if "page=2" in request.path else None)
    code, out, err = lox24("list", "-o", "json")
    assert code == 5
    assert out.count("uuid") == 2
    with pytest.raises(json.JSONDecodeError):
        json.loads(out)
    assert "fails: Scripted fault (HTTP 503, request id " in err


def test_list_and_cancel_make_a_pipeline(gateway: FakeLox24) -> None:
    """``lox24 list -o ndjson | lox24 cancel --file -`` stops what the listing named."""
    gateway.page_size = 4
    for number in range(10):
        gateway.add_bulk(0 if number % 2 else 10, sender_id="Bank", text='"uuid", {x}\n#')
    other = gateway.add_bulk(0, sender_id="Shop")
    listing = start("list", "--sender", "Bank", "--status", "new", "--output", "ndjson")
    with listing, start("cancel", "--file", "-", stdin=listing.stdout) as cancel:
        _, err = cancel.communicate(timeout=MOST)
        assert listing.stderr is not None
        assert listing.stderr.read() == "5 bulks, 5 messages.\n"
        assert listing.wait(MOST) == 0
    assert cancel.returncode == 0
    assert "All 5 are cancelled." in err
    assert [b.is_canceled for b in gateway.bulks.values() if b.sender_id == "Bank"] == [
        bool(number % 2) for number in range(10)
    ]
    assert not gateway.bulks[other.uuid].is_canceled


def test_in_a_terminal_a_listing_has_colours_and_no_broken_lines(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is cut at the edge: one bulk, one line."""
    monkeypatch.setenv("COLUMNS", "80")
    bulk = gateway.add_bulk(5, text="x" * 100)
    with Screen("list") as screen:
        code, seen = screen.end()
    assert code == 0
    assert b"\x1b[33min progress" in screen._seen
    [line] = [line for line in seen.splitlines() if line.startswith(str(bulk.uuid))]
    assert len(line) == 80
    assert line.endswith("…")


def test_a_block_is_counted_down(gateway: FakeLox24) -> None:
    """Instead of silence: why nothing moves, and for how long."""
    gateway.fail_next(429, headers={"Retry-After": "2"})
    with Screen("list") as screen:
        screen.until("LOX24 blocks or limits this IP: next try in 0:0")
        code, _ = screen.end()
    assert code == 0


# --- show


def test_show_tells_all_fields(gateway: FakeLox24, far_away: None) -> None:
    """In local time with the offset, recipients by name up to ten, unknown fields too."""
    bulk = gateway.add_bulk(
        5,
        sender_id="Bank",
        text="Hello\nthere\x07",
        phones=tuple(f"+4917012345{n:02}" for n in range(12)),
        msg_groups=(7117,),
        msg_total_count=1262,
        price=Decimal("82.03"),
        created_at=datetime(2026, 3, 1, 8, tzinfo=UTC),
        delivery_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        service_code=ServiceCode.TEXT2SPEECH,
        voice_lang="DE",
        source=7,
        is_unicode=True,
        is_text_deleted=None,
        extra={"new": {"a": "ü"}},
    )
    code, out, err = lox24("show", str(bulk.uuid))
    assert (code, err) == (0, "")
    numbers = [f"{'':15}+4917012345{n:02}" for n in range(1, 10)]
    assert out.splitlines() == [
        f"bulk           {bulk.uuid}",
        "status         in progress (5)",
        "sender         Bank",
        "text           Hello",
        r"               there\x07",
        "recipients     +491701234500",
        *numbers,
        "               … and 2 more; --output json has all",
        "groups         7117",
        "messages       1,262",
        "price          82.03 (in the account's currency)",
        "created        2026-03-01 13:30:00+05:30",
        "delivery       2026-03-01 14:30:00+05:30",
        "service        text2speech",
        "alphabet       Unicode",
        "language       DE",
        "source         7",
        "API key        1",
        "from IP        127.0.0.1",
        'new            {"a": "ü"}',
    ]


def test_show_as_json_is_the_api_s_own(gateway: FakeLox24) -> None:
    """Everything, and nothing else on stdout."""
    bulk = gateway.add_bulk(0)
    code, out, err = lox24("show", str(bulk.uuid).upper(), "-o", "json")
    assert (code, err) == (0, "")
    assert make_converter().loads(out, Bulk) == bulk


def test_show_in_a_terminal_folds_a_long_text(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost at the edge of the screen."""
    monkeypatch.setenv("COLUMNS", "60")
    bulk = gateway.add_bulk(0, text="0123456789" * 20)
    with Screen("show", str(bulk.uuid)) as screen:
        code, seen = screen.end()
    assert code == 0
    assert "0123456789" * 20 in re.sub(r"\s+", "", seen)
    assert max(map(len, seen.splitlines())) <= 60


@pytest.mark.parametrize(
    ("bulk_id", "code", "told"),
    [
        (STRANGER, 1, f"Error: LOX24 knows no bulk {STRANGER} in this account.\n"),
        ("x", 2, "Error: No bulk id: 'x'.\n"),
        (CANARY, 2, "Error: No bulk id, but what looks like a token; others may have seen it.\n"),
    ],
)
def test_show_says_what_it_cannot_show(
    gateway: FakeLox24, bulk_id: str, code: int, told: str
) -> None:
    """Exit code 1 for a bulk that is not there, 2 for what is no id."""
    assert lox24("show", bulk_id) == (code, "", told)


# --- what holds for all


EVERY = (
    ["list"],
    ["show", STRANGER],
    ["status", STRANGER],
    ["status", STRANGER, "--watch"],
    ["create", *SEND, "--yes"],
    ["simulate", *SEND],
    ["delete", STRANGER, "--yes"],
)


@pytest.mark.parametrize("args", EVERY)
class TestEveryCommand:
    """What ends a command ends all of them with the same code and the same words."""

    def test_a_wrong_token_is_3(
        self, args: list[str], gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One request, the sentence with what to check, and never the token."""
        monkeypatch.setenv("LOX24_AUTH_TOKEN", CANARY)
        code, out, err = lox24(*args, "--debug")
        assert (code, out) == (3, "")
        assert len(gateway.requests) == 1
        assert "LOX24 refused the token (HTTP 401, request id " in err
        assert "Check LOX24_AUTH_TOKEN, and wait a minute" in err
        assert CANARY.partition(":")[2] not in err

    def test_a_blocked_ip_is_4(self, args: list[str], gateway: FakeLox24) -> None:
        """With the time when it will be over."""
        gateway.fail_next(429, times=9, headers={"Retry-After": "3600"})
        code, out, err = lox24(*args)
        assert (code, out) == (4, "")
        assert "LOX24 blocks or limits this IP (HTTP 429, request id " in err
        assert "(in 10 min). Run the same line again then." in err

    def test_nobody_there_is_5(self, args: list[str], gateway: FakeLox24, impatient: None) -> None:
        """With the address."""
        url = free_url()
        code, out, err = lox24(*args, "--base-url", url)
        assert (code, out) == (5, "")
        assert f"LOX24 at {url} cannot be reached: no connection" in err
        assert "Check the network and the base URL" in err

    def test_no_token_is_2(
        self, args: list[str], gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a sentence, with nothing sent."""
        monkeypatch.delenv("LOX24_AUTH_TOKEN")
        code, out, err = lox24(*args)
        assert (code, out) == (2, "")
        assert "There is no token. Set LOX24_AUTH_TOKEN, or name a --token-file.\n" in err
        assert gateway.requests == []


@pytest.mark.slow
def test_ctrl_c_is_130_for_every_command(gateway: FakeLox24) -> None:
    """Without a traceback, and at once: only a delete in flight waits for its answer."""
    slow = {"DELETE": Fault(delay=3)}  # less than the five seconds that it gets
    gateway.fail_if(lambda request: slow.get(request.method, _HANG))
    with ExitStack() as stack:
        children = [stack.enter_context(start(*args)) for args in EVERY]
        wait_for(lambda: len(gateway.requests) == len(EVERY))
        for child in children:
            child.send_signal(signal.SIGINT)
        for args, child in zip(EVERY, children, strict=True):
            _, err = child.communicate(timeout=MOST)
            assert child.returncode == 130, args
            assert "Traceback" not in err, args


# --- status


def test_status_is_told_in_the_order_of_the_ids(gateway: FakeLox24) -> None:
    """From arguments and a file; what is not there is named on stderr, exit code 1."""
    one, two, three = add(gateway, 0, 10, 15)
    gateway.fail_next(delay=0.2, bulk_id=three)
    Path("ids.csv").write_text(f"uuid,x\n{one},\n{STRANGER},\nrubbish,\n")
    code, out, err = lox24("status", three, two, "--file", "ids.csv", "-o", "ndjson")
    assert code == 1
    assert [three, two, one] == uuids(out)
    assert "phones" not in out
    assert err == (
        "ids.csv line 4: no bulk id: 'rubbish'\n"
        f"{STRANGER}  LOX24 knows no such bulk in this account\n"
    )
    code, out, err = lox24("status", one, two)
    assert (code, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["new", "processed"]


def test_status_without_ids_says_how() -> None:
    """Wrong usage: exit code 2."""
    assert lox24("status") == (
        2,
        "",
        "Error: Which bulks? Name their ids: lox24 status ID…, or --file FILE.\n",
    )


def test_watch_in_a_pipe_is_a_line_for_each_change(gateway: FakeLox24) -> None:
    """Until all are final; what did not change is not said again."""
    moves, stays = add(gateway, 0, 10)
    with start("status", moves, stays, "-w", "--interval", "0.1", "-o", "ndjson") as child:
        assert child.stdout is not None
        told = [json.loads(child.stdout.readline()) for _ in range(2)]
        looks = len(gateway.requests)
        wait_for(lambda: len(gateway.requests) >= looks + 2)
        gateway.set_status(moves, 5)
        told.append(json.loads(child.stdout.readline()))
        gateway.set_status(moves, 15)
        told += [json.loads(line) for line in child.communicate(timeout=MOST)[0].splitlines()]
    assert child.returncode == 0
    assert [(r["uuid"], r["status_code"]) for r in told] == [
        (moves, 0),
        (stays, 10),
        (moves, 5),
        (moves, 15),
    ]
    assert sent(gateway, "GET").count(f"/bulks/{stays}/status") == 1


def test_watch_in_a_terminal_is_a_living_table(gateway: FakeLox24) -> None:
    """The table is drawn over itself, and stays when all is over."""
    moves, gone = *add(gateway, 0), STRANGER
    with Screen("status", moves, gone, "--watch", "--interval", "0.1") as screen:
        screen.until("1 new")
        assert b"\x1b[?25l" in screen._seen
        gateway.set_status(moves, 5)
        screen.until("1 in progress")
        gateway.set_status(moves, 10)
        screen.until("1 processed")
        code, seen = screen.end()
    assert code == 1  # one was not found
    assert b"\x1b[?25h" in screen._seen
    last = seen[seen.rindex("messages") :]
    assert re.search(rf"^{moves}  processed ", last, re.MULTILINE)
    assert re.search(rf"^{gone}  not found", last, re.MULTILINE)
    assert "2 bulks: 1 processed" in last


def test_ctrl_c_ends_the_watch_and_gives_the_cursor_back(gateway: FakeLox24) -> None:
    """Exit code 130; while LOX24 fails the table says so."""
    [bulk_id] = add(gateway, 5)
    with Screen("status", bulk_id, "--watch", "--interval", "0.1") as screen:
        screen.until("1 in progress")
        gateway.fail_next(503, times=99, headers={"Retry-After": "30"})
        screen.until("LOX24 fails (HTTP 503): next try in 0:")
        screen.type("\x03")
        code, seen = screen.end()
    assert code == 130
    assert b"\x1b[?25h" in screen._seen[screen._seen.rindex(b"\x1b[?25l") :]
    assert "Traceback" not in seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_kill_ends_the_watch_as_ctrl_c_does(gateway: FakeLox24, number: signal.Signals) -> None:
    """Exit code 130, without a traceback."""
    [bulk_id] = add(gateway, 5)
    with start("status", bulk_id, "--watch") as child:
        wait_for(lambda: bool(gateway.requests))
        child.send_signal(number)
        _, err = child.communicate(timeout=MOST)
    assert (child.returncode, err) == (130, "")


def test_watch_goes_on_after_a_failure(gateway: FakeLox24) -> None:
    """A look that failed is made again; who once answered is not given up."""
    [bulk_id] = add(gateway, 5)
    with start("status", bulk_id, "--watch", "--interval", "0.1", "-o", "ndjson") as child:
        assert child.stdout is not None
        child.stdout.readline()
        gateway.fail_next(400, times=2)
        gateway.set_status(bulk_id, 10)
        out, err = child.communicate(timeout=MOST)
    assert (child.returncode, err) == (0, "")
    assert json.loads(out)["status_code"] == 10


# --- create and simulate


def posts(gateway: FakeLox24) -> list[dict[str, Any]]:
    """Return what was posted."""
    return [json.loads(r.body) for r in gateway.requests if r.method == "POST"]


def test_create_prints_the_new_id_alone(gateway: FakeLox24) -> None:
    """All options reach the wire; stdout can be used in a script, people read stderr."""
    Path("numbers.csv").write_text("name,phone\nAnn,+49 170-1234568\n\nBob,+491701234567\n")
    args = ("--text-file", "-", "--phone", "+491701234567", "--phones-file", "numbers.csv")
    more = ("--group", "7117", "--source", "7", "--unicode", "--at", "2099-01-01T08:00Z")
    code, out, err = lox24("create", "--sender", "Bank", *args, *more, "-y", stdin="Grüße\r\n")
    assert code == 0
    [bulk] = gateway.bulks.values()
    assert out == f"{bulk.uuid}\n"
    assert posts(gateway) == [
        {
            "sender_id": "Bank",
            "text": "Grüße",
            "service_code": "direct",
            "phones": ["+491701234567", "+491701234568"],
            "msg_groups": [7117],
            "delivery_at": 4070937600,
            "is_unicode": True,
            "source": 7,
        }
    ]
    assert re.search(r"^recipients +2 numbers .*, group 7117", err, re.MULTILINE)
    assert "1 repeated number left out: each gets one message.\n" in err
    assert err.endswith(f"LOX24 took it. To stop it: lox24 cancel {bulk.uuid}\n")
    code, out, err = lox24("create", *SEND, "-y", "-q", "--output", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["phones"] == ["+491701234567"]


@pytest.mark.parametrize(
    ("keys", "code", "count"),
    [("y\n", 0, 1), ("\n", 1, 0), ("\x03", 130, 0)],
)
def test_create_asks(gateway: FakeLox24, keys: str, code: int, count: int) -> None:
    """What will be sent is on the screen, also with --quiet; only a yes sends it."""
    with Screen("create", *SEND, "--quiet") as screen:
        shown = screen.until("Send it? [y/N] ")
        screen.type(keys)
        ended, _ = screen.end()
    assert (code, count) == (ended, len(posts(gateway)))
    assert re.search(r"^text +Hello *$", shown, re.MULTILINE)
    assert re.search(r"^length +5 characters, 1 SMS in GSM 03.38 to each", shown, re.MULTILINE)
    assert re.search(r"^cost +not known before", shown, re.MULTILINE)


@pytest.mark.parametrize("args", [["create", *SEND], ["delete", STRANGER], ["delete", "-f", "-"]])
def test_without_a_terminal_nothing_is_done_unasked(gateway: FakeLox24, args: list[str]) -> None:
    """Exit code 2, and what to add if it is meant."""
    code, out, err = lox24(*args, stdin=f"{STRANGER}\n")
    assert (code, out) == (2, "")
    assert err.endswith("If it is meant, add --yes; nothing was sent.\n")
    assert gateway.requests == []


def test_a_lost_answer_says_how_to_look(gateway: FakeLox24) -> None:
    """Nothing is sent twice; the line that it gives finds the bulk. Exit code 1."""
    gateway.fail_next(drop="after", method="POST")
    args = ("create", "--sender", "My Bank", "--text", "Hello", "--phone", "+491701234567", "-y")
    code, out, err = lox24(*args)
    assert (code, out) == (1, "")
    assert len(posts(gateway)) == 1
    assert "The bulk may have been created, or not: " in err
    assert "Do not send it again before you looked.\n" in err
    line = err.splitlines()[-1]
    told = re.fullmatch(r"  lox24 list --sender 'My Bank' --created-from (\S+Z)", line)
    assert told is not None
    _, out, _ = lox24("list", "--sender", "My Bank", "--created-from", told[1], "-o", "ndjson")
    assert uuids(out) == [str(bulk.uuid) for bulk in gateway.bulks.values()]


def test_ctrl_c_while_sending_says_how_to_look(gateway: FakeLox24) -> None:
    """The request is out: nobody knows."""
    gateway.latency = FOREVER
    with start("create", *SEND, "--yes") as child:
        wait_for(lambda: bool(gateway.requests))
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=MOST)
    assert (child.returncode, out) == (130, "")
    assert "Error: Interrupted: the bulk may have been created.\nTo look for it:\n" in err


def test_what_lox24_refuses_is_told_with_its_reasons(gateway: FakeLox24) -> None:
    """Violations by field, no funds, and that nothing was sent."""
    code, _, err = lox24("create", *SEND, "--service", "pigeon", "-y")
    assert code == 1
    assert "LOX24 found the request invalid (HTTP 400, request id " in err
    assert re.search(r"\): service_code: .*\. Nothing was sent\.\n$", err)
    gateway.funds = Decimal(0)
    code, _, err = lox24("create", *SEND, "-y")
    assert code == 1
    assert "The account has not enough funds (HTTP 402" in err


def test_simulate_asks_nothing_and_tells_the_price(gateway: FakeLox24) -> None:
    """LOX24's answer is shown on stdout; no bulk is there afterwards."""
    gateway.groups[7117] = 250
    args = ("simulate", "--sender", "Bank", "--text", "Hello", "--group", "7117")
    code, out, err = lox24(*args)
    assert (code, err) == (0, "LOX24 would take it. Nothing was sent.\n")
    assert re.search(r"^price +16.25", out, re.MULTILINE)
    assert re.search(r"^simulated +yes: nothing is sent$", out, re.MULTILINE)
    assert (sent(gateway, "POST"), len(gateway.bulks)) == (["/bulks/dryrun"], 0)
    assert json.loads(lox24(*args, "-o", "json", "-q")[1])["msg_total_count"] == 250


def test_simulate_tells_what_is_repeated(gateway: FakeLox24) -> None:
    """As ``create`` does."""
    _, _, err = lox24("simulate", *SEND, "--phone", "+49 170 1234567")
    assert err.startswith("1 repeated number left out: each gets one message.\n")


def test_simulate_in_a_terminal_asks_nothing(gateway: FakeLox24) -> None:
    """The answer and the sentence are on the screen, with colours."""
    with Screen("simulate", *SEND) as screen:
        code, seen = screen.end()
    assert code == 0
    assert re.search(r"^simulated +yes: nothing is sent *$", seen, re.MULTILINE)
    assert seen.endswith("\nLOX24 would take it. Nothing was sent.\n")
    assert b"\x1b[32mLOX24 would take it." in screen._seen


TO = ("--phone", "+491701234567")
SAY = ("--text", "x")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--sender", "Bank", *SAY], "To whom? Name --phone, --phones-file or --group"),
        (["--sender", "Bank", *TO], "What? Name either --text or --text-file"),
        (["--sender", "Bank", *TO, *SAY, "--text-file", "x"], "What? Name either"),
        (["--sender", "Bänk", *TO, *SAY], "--sender must be a number of up to 15 digits"),
        (["--sender", "Bank", *TO, "--text", "x" * 2000], "--text must have at most 1785"),
        (["--sender", "Bank", *TO, "--text", "ж", "--gsm"], "--text must be in the GSM 03.38"),
        (["--sender", "Bank", *TO, *SAY, "--voice-lang", "x"], "--voice-lang must be"),
        (["--sender", "Bank", *TO, *SAY, "--at", "2020-01-01T08:00Z"], "has passed"),
        (["--sender", "Bank", *TO, *SAY, "--at", "1h"], "has passed"),
        (["--sender", "Bank", *TO, *SAY, "--at", "soon"], "--at: 'soon' is no time"),
        (["--sender", "Bank", *SAY, "--phone", "12"], "1 phone number cannot be right (--phone 1)"),
        (["--sender", "Bank", *SAY, "--phones-file", "gone"], "'gone' cannot be read: No such"),
        (["--sender", "Bank", *TO, "--text-file", "latin"], "'latin' is not in UTF-8"),
        (["--sender", "Bank", "--text-file", "-", "--phones-file", "-"], "cannot both come from"),
        ([*TO, *SAY], "--sender"),
    ],
)
def test_a_wrong_draft_is_told_by_its_option(
    gateway: FakeLox24, args: list[str], told: str
) -> None:
    """Exit code 2, the option by name, nothing sent; for both commands."""
    Path("latin").write_bytes("ä".encode("latin-1"))
    for command in (["create", "--yes"], ["simulate"]):
        code, out, err = lox24(*command, *args)
        assert (code, out) == (2, "")
        assert told in err
        assert "Traceback" not in err
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("+491701234567\n# all\n\n01701234567 # Bob\n", ["+491701234567", "01701234567"]),
        ("\ufeffname;PHONE\r\nAnn;0049 170 1234567\r\n", ["00491701234567"]),
        ('"phone","name"\n"+491701234567","A, B"\n', ["+491701234567"]),
        ("phone\n+491701234567\n", ["+491701234567"]),
        ("+491701234567\nAnn\n+4917012345678x\n", "2 phone numbers cannot be right (f line 2, f"),
        ("name,phone\nAnn\n", "1 phone number cannot be right (f line 2)"),
        ("", "To whom?"),
    ],
)
def test_files_of_numbers(content: str, expected: list[str] | str) -> None:
    """One a line or CSV; one wrong line and nothing is sent."""
    Path("f").write_text(content, encoding="utf-8", newline="")
    words = DraftOptions(
        sender="Bank",
        text="x",
        text_file=None,
        phones=(),
        phones_file="f",
        groups=(),
        service="direct",
        at=None,
        is_unicode=None,
        source=None,
        voice_lang=None,
    )
    if isinstance(expected, str):
        with pytest.raises(CommandError, match=re.escape(expected)):
            make_draft(words)
    else:
        draft, repeated = make_draft(words)
        assert (expected, 0) == (list(draft.phones), repeated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 160, "160 characters, 1 SMS in GSM 03.38"),
        ("x" * 161, "161 characters, 2 SMS in GSM 03.38"),
        ("€" * 80, "80 characters, 1 SMS in GSM 03.38"),
        ("€" * 81, "81 characters, 2 SMS in GSM 03.38"),
        ("ж" * 70, "70 characters, 1 SMS in Unicode"),
        ("ж" * 71, "71 characters, 2 SMS in Unicode"),
        ("😀" * 36, "36 characters, 2 SMS in Unicode"),
    ],
)
def test_the_length_is_told_in_sms(gateway: FakeLox24, text: str, expected: str) -> None:
    """What multiplies the cost is said before it is sent."""
    args = ("create", "--sender", "Bank", "--phone", "+491701234567", "--yes")
    assert f"{expected} to each recipient" in lox24(*args, "--text", text)[2]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("+30m", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("+2H", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("+1d", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-01T09:00+01:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ],
)
def test_when_to_send(word: str, expected: datetime) -> None:
    """A time to come: after so long, or with a zone."""
    assert expected == read_delivery(word, datetime(2026, 3, 1, 8, tzinfo=UTC))


# --- delete


def test_delete_asks_and_says_that_it_is_for_good(gateway: FakeLox24) -> None:
    """In a terminal; the ids may come from a pipe meanwhile."""
    ids = add(gateway, 10, 15)
    with (
        subprocess.Popen(["echo", "\n".join(ids)], stdout=subprocess.PIPE) as pipe,
        Screen("delete", "--file", "-", stdin=pipe.stdout) as screen,
    ):
        shown = screen.until("Delete 2 bulks for good? [y/N] ")
        assert "This cannot be undone" in shown
        assert ids[0] in shown
        screen.type("y\n")
        code, seen = screen.end()
    assert code == 0
    assert seen.endswith("All 2 are deleted.\n")
    assert len(gateway.bulks) == 0


def test_delete_tells_each_result(gateway: FakeLox24, impatient: None) -> None:
    """Exit code 1 if one is not deleted; records for machines, names for people."""
    good, bad, lost = add(gateway, 10, 10, 10)
    gateway.fail_next(409, bulk_id=bad)
    gateway.fail_next(500, times=9, bulk_id=lost, executed=True)
    args = ("delete", good, STRANGER, "rubbish", bad, "--yes")
    code, out, err = lox24(*args, "-o", "ndjson")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(r["bulk_id"], r["state"]) for r in told] == [
        (good, "deleted"),
        (STRANGER, "not found"),
        (bad, "rejected"),
    ]
    assert told[1]["request_id"] in told[1]["error"]
    assert "argument 3: no bulk id: 'rubbish'\n" in err
    assert f"{bad}  rejected: HTTP 409: Scripted fault\n" in err
    assert "3 of 4 NOT deleted: 1 not found, 1 rejected, 1 no bulk id.\n" in err
    code, out, _ = lox24("delete", lost, "--yes", "-o", "csv")
    assert code == 5
    assert [row["state"] for row in csv.DictReader(io.StringIO(out))] == ["unknown"]


def test_delete_of_nothing_deletes_nothing(gateway: FakeLox24) -> None:
    """Not one good id, or a no to the question: exit code 1, and a sentence."""
    code, out, err = lox24("delete", "rubbish", "--yes")
    assert (code, out) == (1, "")
    assert err.endswith("There is no id left; nothing was deleted.\n")
    [bulk_id] = add(gateway, 10)
    with Screen("delete", bulk_id) as screen:
        screen.until("Delete 1 bulk for good? [y/N] ")
        screen.type("n\n")
        code, seen = screen.end()
    assert code == 1
    assert seen.endswith("Nothing was deleted.\n")
    assert sent(gateway, "DELETE") == []


@pytest.mark.slow
def test_a_reader_that_left_costs_nothing(gateway: FakeLox24) -> None:
    """``lox24 show | true``: exit code 0, and no word of a broken pipe."""
    [bulk_id] = add(gateway, 10)
    for args in (["show", bulk_id], ["status", bulk_id], ["cancel", bulk_id, "-o", "csv", "-q"]):
        ours, theirs = os.pipe()
        os.close(ours)
        with start(*args, stdout=theirs) as child:
            os.close(theirs)
            _, err = child.communicate(timeout=MOST)
        assert child.returncode == (1 if args[0] == "cancel" else 0)
        assert "pipe" not in err.lower()


def test_delete_gives_up_when_nobody_answers(
    gateway: FakeLox24, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten in vain are enough; the others are not sent, and say so. Exit code 5."""
    monkeypatch.setattr(running, "connect", lambda place, **_: connect(place, retry=QUICK))
    begun: list[str] = []
    carry_on = Lox24Client.delete_bulk

    async def delete_bulk(client: Lox24Client, bulk_id: str) -> None:
        begun.append(bulk_id)
        await carry_on(client, bulk_id)

    monkeypatch.setattr(Lox24Client, "delete_bulk", delete_bulk)
    ids = add(gateway, *[10] * 40)
    code, out, err = lox24("delete", *ids, "-y", "-o", "csv", "--base-url", free_url())
    states = [row["state"] for row in csv.DictReader(io.StringIO(out))]
    assert (code, states) == (5, ["not sent"] * 40)
    assert 10 <= len(begun) < 20
    assert "40 of 40 NOT deleted: 40 not sent.\n" in err
    assert "… and 30 more that are not deleted; --output csv names each.\n" in err


def test_ctrl_c_stops_deleting_in_good_order(gateway: FakeLox24) -> None:
    """What is in flight is finished and told; the rest is not sent."""
    ids = add(gateway, *[10] * 30)
    gateway.latency = 0.3
    with start("delete", *ids, "--yes", "-o", "ndjson") as child:
        wait_for(lambda: len(gateway.requests) == 11)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=MOST)
    states = [json.loads(line)["state"] for line in out.splitlines()]
    done = states.count("deleted")
    assert child.returncode == 130
    assert 11 <= done < 30
    assert states.count("not sent") == 30 - done == len(gateway.bulks)
    assert f"Interrupted: {30 - done} of 30 NOT deleted: {30 - done} not sent.\n" in err


def test_a_second_ctrl_c_leaves_a_delete_at_once(gateway: FakeLox24) -> None:
    """Nobody knows then what became of what was in flight, and it says so."""
    ids = add(gateway, *[10] * 15)
    for bulk_id in ids[1:]:
        gateway.fail_next(delay=FOREVER, bulk_id=bulk_id)
    with Screen("delete", *ids, "--yes") as screen:
        wait_for(lambda: len(gateway.requests) == 11)
        screen.type("\x03")
        screen.until("Ctrl-C again leaves at once.")
        screen.type("\x03")
        began = time.monotonic()
        code, seen = screen.end()
    assert code == 130
    assert time.monotonic() - began < 4  # the grace time is 5 s
    assert "Interrupted: 14 of 15 NOT deleted: 10 unknown, 4 not sent." in seen
    assert "Traceback" not in seen
