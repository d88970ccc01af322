"""``lox24 demo``: three scenes at gateways on this machine, with checks."""

import asyncio
import sys
import time
from collections import Counter
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final
from uuid import UUID

from rich.console import Console

import lox24_async as lox
from lox24_async import testing
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.options import Debug
from lox24_async.cli.running import finish, library_log, shown
from lox24_async.cli.telling.outcomes import Run, closing_table
from lox24_async.cli.telling.progress import Progress, ProgressDisplay
from lox24_async.cli.telling.tables import make_console, say

if TYPE_CHECKING:
    from lox24_async.testing import FakeLox24

_SEED: Final = 24
_LINE_EVERY: Final = 0.6  # seconds, where there is no terminal to draw a bar in

_MIX: Final = (
    (lox.BulkStatus.NEW, 150),
    (lox.BulkStatus.IN_PROGRESS, 55),
    (lox.BulkStatus.PROCESSED, 20),
    (lox.BulkStatus.CANCELED, 10),
    (lox.BulkStatus.SYSTEM_ERROR, 5),
)
_STRANGERS: Final = 9
_NO_ID: Final = "da0fa78c-4699-11ea-a637"
_CALLS: Final = 1_000
_IN_STORM: Final = 200
_FAILURES: Final = 18
_DOWN: Final = '{"title": "Service Unavailable"}'


def demo(*, debug: Debug = False) -> ExitCode:
    """Show the scenes; every number is checked."""

    def work() -> ExitCode:
        # Here what people read is the result itself: it goes to stdout, as a help text would.
        checks = _Checks(make_console(sys.stdout))
        asyncio.run(_play(checks))
        return ExitCode.NOT_ALL if checks.wrong else ExitCode.DONE

    return finish(work, debug=debug)


class _Checks:
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

    async def cancel(
        self, client: "lox.Lox24Client", ids: list[str], progress: Progress
    ) -> lox.CancelReport:
        """Cancel under the bar."""
        display = ProgressDisplay(self.console, progress, _LINE_EVERY, pause=lambda: client.pause)
        with library_log(partial(say, self.console), progress.take_warning, debug=False):
            async with shown(display):
                return await client.cancel_bulks(ids, progress=progress.count)


async def _play(checks: _Checks) -> None:
    started = time.monotonic()
    say(checks.console, "lox24 demo: everything happens on this machine; nothing is sent out.")
    await _many_bulks(checks)
    await _wrong_token(checks)
    await _storm(checks)
    say(checks.console)
    seconds = time.monotonic() - started
    if checks.wrong:
        say(checks.console, f"{checks.wrong} numbers were WRONG; please report this.", "bold red")
    else:
        say(checks.console, f"Every number was right. {seconds:.1f} s.", "bold")
        say(checks.console, "Now the real one: set LOX24_AUTH_TOKEN, then: lox24 cancel --help")


async def _many_bulks(checks: _Checks) -> None:
    checks.scene(
        "Stop 250 bulks, and know what became of each",
        "205 can be stopped, 10 are stopped already, 25 are over, 9 do not exist, and one id"
        " is cut off.",
        "The gateway takes 40 ms for an answer; 5 requests at a time, so that you can watch.",
    )
    async with testing.FakeLox24(latency=0.04) as gateway:
        ids = [str(checks.new_id()) for _ in range(_STRANGERS)] + [_NO_ID]
        for status, count in _MIX:
            bulks = [gateway.add_bulk(status, uuid=checks.new_id()) for _ in range(count)]
            ids += [str(bulk.uuid) for bulk in bulks]
        checks.random.shuffle(ids)
        progress = Progress(len(ids))
        async with lox.Lox24Client(
            gateway.token, base_url=gateway.url, max_concurrency=5
        ) as client:
            report = await checks.cancel(client, ids, progress)
        checks.console.print(closing_table(Run(report.outcomes), progress.seconds))
        say(checks.console)

        expected = dict.fromkeys(lox.CancelState, 0) | {
            lox.CancelState.CANCELED: 215,
            lox.CancelState.TOO_LATE: 25,
            lox.CancelState.NOT_FOUND: 9,
            lox.CancelState.REJECTED: 1,
        }
        checks.check(expected, dict(report.counts), "each of the 250 ids has its outcome")
        books = {str(bulk.uuid) for bulk in gateway.bulks.values() if bulk.is_canceled}
        told = {o.bulk_id for o in report.outcomes if o.state is lox.CancelState.CANCELED}
        checks.check(books, told, "the gateway's own books name the same 215 as cancelled")
        methods = Counter(request.method for request in gateway.requests)
        checks.check(
            {"PUT": 249, "GET": 35},
            dict(methods),
            "on the wire: 249 cancels, and 35 looks at why LOX24 refused one;"
            " the id that was cut off stayed at home",
        )


async def _wrong_token(checks: _Checks) -> None:
    checks.scene(
        "1,000 cancels at once, with a wrong token",
        "LOX24 blocks an IP for ten minutes, for everyone behind it, after more than three"
        " wrong tries in a minute.",
        "So one request goes ahead; the others wait for its answer.",
    )
    async with testing.FakeLox24() as gateway:
        bulk_id = gateway.add_bulk(uuid=checks.new_id()).uuid
        async with lox.Lox24Client("1234567:mistyped", base_url=gateway.url) as client:
            answers = await asyncio.gather(
                *(client.cancel_bulk(bulk_id) for _ in range(_CALLS)), return_exceptions=True
            )
        refused = [a for a in answers if isinstance(a, lox.AuthenticationError)]
        checks.check(_CALLS, len(refused), "1,000 calls were told: LOX24 refused the token")
        checks.check(1, len(gateway.requests), "requests that reached the gateway: 1")
        held = sum(not error.attempts for error in refused)
        checks.check(_CALLS - 1, held, "calls that never left this machine: 999")


async def _storm(checks: _Checks) -> None:
    checks.scene(
        "The service fails in mid-run: 503, eighteen times",
        "All calls pause together, and one at a time knocks. Nothing is lost, and a gateway that"
        " is down is not run over.",
    )
    async with testing.FakeLox24(latency=0.02) as gateway:
        ids = [str(gateway.add_bulk(uuid=checks.new_id()).uuid) for _ in range(_IN_STORM)]
        progress = _StormyProgress(len(ids), gateway)
        retry = lox.RetryPolicy(initial_delay=0.1, max_delay=0.4)
        async with lox.Lox24Client(gateway.token, base_url=gateway.url, retry=retry) as client:
            report = await checks.cancel(client, ids, progress)
        checks.console.print(closing_table(Run(report.outcomes), progress.seconds))
        say(checks.console)

        canceled = report.counts[lox.CancelState.CANCELED]
        checks.check(_IN_STORM, canceled, "all 200 bulks are cancelled")
        books = sum(bulk.is_canceled for bulk in gateway.bulks.values())
        checks.check(_IN_STORM, books, "the gateway's own books say so, too")
        checks.check(
            _IN_STORM + _FAILURES,
            len(gateway.requests),
            "on the wire: 218 requests, one for each bulk and one for each failure",
        )


class _StormyProgress(Progress):
    """Lets the storm begin when a quarter is done."""

    def __init__(self, total: int, gateway: "FakeLox24") -> None:
        super().__init__(total)
        self._gateway = gateway

    def count(self, outcome: lox.CancelOutcome) -> None:
        super().count(outcome)
        if self.done == _IN_STORM // 4:
            self._gateway.fail_next(503, times=_FAILURES, body=_DOWN)
