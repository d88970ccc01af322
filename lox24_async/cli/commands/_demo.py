"""``lox24 demo``, as it is done: three scenes at gateways on this machine, with checks."""

import asyncio
import sys
import time
from collections import Counter
from random import Random
from typing import Final
from uuid import UUID

from rich.console import Console

from lox24_async import (
    AuthenticationError,
    BulkStatus,
    CancelOutcome,
    CancelReport,
    CancelState,
    Lox24Client,
    RetryPolicy,
)
from lox24_async.cli.console import make_console, say
from lox24_async.cli.options import ExitCode
from lox24_async.cli.progress import Display, listening
from lox24_async.cli.result import closing_table
from lox24_async.cli.tally import Tally
from lox24_async.cli.verdict import Run
from lox24_async.testing import FakeLox24

_SEED: Final = 24
_LINE_EVERY: Final = 0.6  # seconds, where there is no terminal to draw a bar in

_MIX: Final = (
    (BulkStatus.NEW, 150),
    (BulkStatus.IN_PROGRESS, 55),
    (BulkStatus.PROCESSED, 20),
    (BulkStatus.CANCELED, 10),
    (BulkStatus.SYSTEM_ERROR, 5),
)
_STRANGERS: Final = 9
_NO_ID: Final = "da0fa78c-4699-11ea-a637"
_CALLS: Final = 1_000
_IN_STORM: Final = 200
_FAILURES: Final = 18
_DOWN: Final = '{"title": "Service Unavailable"}'


def run() -> ExitCode:
    """Show the scenes; every number is checked."""
    # Here what people read is the result itself: it goes to stdout, as a help text would.
    stage = _Stage(make_console(sys.stdout))
    asyncio.run(_play(stage))
    return ExitCode.NOT_ALL if stage.wrong else ExitCode.DONE


class _Stage:
    """Where the demo speaks, and counts what is not as it should be."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.random = Random(_SEED)  # noqa: S311  the same demo each time
        self.wrong = 0
        self._scene = 0

    def scene(self, title: str, *text: str) -> None:
        """Open a scene."""
        self._scene += 1
        say(self.console)
        say(self.console, f"{self._scene}. {title}", "bold")
        for line in text:
            say(self.console, line)
        say(self.console)

    def check(self, expected: object, actual: object, text: str) -> None:
        """Tell a fact, and whether it is as it should be."""
        if expected == actual:
            say(self.console, f"[ok] {text}", "green")
        else:
            self.wrong += 1
            say(self.console, f"[WRONG] {text}: expected {expected}, got {actual}", "bold red")

    def new_id(self) -> UUID:
        """Return the next id of this demo."""
        return UUID(int=self.random.getrandbits(128), version=4)

    async def cancel(self, client: Lox24Client, ids: list[str], tally: Tally) -> CancelReport:
        """Cancel under the bar."""
        display = Display(self.console, tally, _LINE_EVERY, pause=lambda: client.pause)
        with listening(tally, display, debug=False):
            show = asyncio.create_task(display.run())
            try:
                return await client.cancel_bulks(ids, progress=tally.count)
            finally:
                show.cancel()
                await asyncio.wait({show})


async def _play(stage: _Stage) -> None:
    started = time.monotonic()
    say(stage.console, "lox24 demo: everything happens on this machine; nothing is sent out.")
    await _many_bulks(stage)
    await _wrong_token(stage)
    await _storm(stage)
    say(stage.console)
    seconds = time.monotonic() - started
    if stage.wrong:
        say(stage.console, f"{stage.wrong} numbers were WRONG; please report this.", "bold red")
    else:
        say(stage.console, f"Every number was right. {seconds:.1f} s.", "bold")
        say(stage.console, "Now the real one: set LOX24_AUTH_TOKEN, then: lox24 cancel --help")


async def _many_bulks(stage: _Stage) -> None:
    stage.scene(
        "Stop 250 bulks, and know what became of each",
        "205 can be stopped, 10 are stopped already, 25 are over, 9 do not exist, and one id"
        " is cut off.",
        "The gateway takes 40 ms for an answer; 5 requests at a time, so that you can watch.",
    )
    async with FakeLox24(latency=0.04) as gateway:
        ids = [str(stage.new_id()) for _ in range(_STRANGERS)] + [_NO_ID]
        for status, count in _MIX:
            bulks = [gateway.add_bulk(status, uuid=stage.new_id()) for _ in range(count)]
            ids += [str(bulk.uuid) for bulk in bulks]
        stage.random.shuffle(ids)
        tally = Tally(len(ids))
        async with _client(gateway, max_concurrency=5) as client:
            report = await stage.cancel(client, ids, tally)
        stage.console.print(closing_table(Run(report.outcomes), tally.seconds))
        say(stage.console)

        expected = dict.fromkeys(CancelState, 0) | {
            CancelState.CANCELED: 215,
            CancelState.TOO_LATE: 25,
            CancelState.NOT_FOUND: 9,
            CancelState.REJECTED: 1,
        }
        stage.check(expected, dict(report.counts), "each of the 250 ids has its outcome")
        books = {str(bulk.uuid) for bulk in gateway.bulks.values() if bulk.is_canceled}
        told = {o.bulk_id for o in report.outcomes if o.state is CancelState.CANCELED}
        stage.check(books, told, "the gateway's own books name the same 215 as cancelled")
        methods = Counter(request.method for request in gateway.requests)
        stage.check(
            {"PUT": 249, "GET": 35},
            dict(methods),
            "on the wire: 249 cancels, and 35 looks at why LOX24 refused one;"
            " the id that was cut off stayed at home",
        )


async def _wrong_token(stage: _Stage) -> None:
    stage.scene(
        "1,000 cancels at once, with a wrong token",
        "LOX24 blocks an IP for ten minutes, for everyone behind it, after more than three"
        " wrong tries in a minute.",
        "So one request goes ahead; the others wait for its answer.",
    )
    async with FakeLox24() as gateway:
        bulk_id = gateway.add_bulk(uuid=stage.new_id()).uuid
        async with Lox24Client("1234567:mistyped", base_url=gateway.url) as client:
            answers = await asyncio.gather(
                *(client.cancel_bulk(bulk_id) for _ in range(_CALLS)), return_exceptions=True
            )
        refused = [a for a in answers if isinstance(a, AuthenticationError)]
        stage.check(_CALLS, len(refused), "1,000 calls were told: LOX24 refused the token")
        stage.check(1, len(gateway.requests), "requests that reached the gateway: 1")
        held = sum(not error.attempts for error in refused)
        stage.check(_CALLS - 1, held, "calls that never left this machine: 999")


async def _storm(stage: _Stage) -> None:
    stage.scene(
        "The service fails in mid-run: 503, eighteen times",
        "All calls pause together, and one at a time knocks. Nothing is lost, and a gateway that"
        " is down is not run over.",
    )
    async with FakeLox24(latency=0.02) as gateway:
        ids = [str(gateway.add_bulk(uuid=stage.new_id()).uuid) for _ in range(_IN_STORM)]
        tally = _StormyTally(len(ids), gateway)
        retry = RetryPolicy(initial_delay=0.1, max_delay=0.4)
        async with _client(gateway, retry=retry) as client:
            report = await stage.cancel(client, ids, tally)
        stage.console.print(closing_table(Run(report.outcomes), tally.seconds))
        say(stage.console)

        canceled = report.counts[CancelState.CANCELED]
        stage.check(_IN_STORM, canceled, "all 200 bulks are cancelled")
        books = sum(bulk.is_canceled for bulk in gateway.bulks.values())
        stage.check(_IN_STORM, books, "the gateway's own books say so, too")
        stage.check(
            _IN_STORM + _FAILURES,
            len(gateway.requests),
            "on the wire: 218 requests, one for each bulk and one for each failure",
        )


class _StormyTally(Tally):
    """Lets the storm begin when a quarter is done."""

    def __init__(self, total: int, gateway: FakeLox24) -> None:
        super().__init__(total)
        self._gateway = gateway

    def count(self, outcome: CancelOutcome) -> None:
        super().count(outcome)
        if self.done == _IN_STORM // 4:
            self._gateway.fail_next(503, times=_FAILURES, body=_DOWN)


def _client(
    gateway: FakeLox24, *, max_concurrency: int = 10, retry: RetryPolicy | None = None
) -> Lox24Client:
    return Lox24Client(
        gateway.token,
        base_url=gateway.url,
        max_concurrency=max_concurrency,
        retry=retry or RetryPolicy(),
    )
