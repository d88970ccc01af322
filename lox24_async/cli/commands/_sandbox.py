"""``lox24 sandbox``, as it is done."""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID

from attrs import frozen

from lox24_async import BulkStatus
from lox24_async.cli.options import CommandError, ExitCode, mask, why
from lox24_async.cli.records import ReaderGoneError, write_out
from lox24_async.cli.words import plural, printable
from lox24_async.testing import FakeLox24, ReceivedRequest

_SEED: Final = 24
_MIX: Final = (  # of ten bulks
    *[BulkStatus.NEW] * 4,
    *[BulkStatus.IN_PROGRESS] * 3,
    BulkStatus.PROCESSED,
    BulkStatus.CANCELED,
    BulkStatus.SYSTEM_ERROR,
)
_SAMPLES: Final = (
    ("Lox Bank", "Your one-time code is 493 075. We never ask for it by phone."),
    ("Lox Bank", "Your card was used abroad. Was it not you? Call 030 0000000."),
    ("Shop", "Only today: 20 % off everything. Reply STOP to end."),
    ("493075435114", "Your appointment is tomorrow at 9:30."),
    ("Newsletter", "Grüße aus Berlin: unser Sommerfest beginnt um 17 Uhr."),
)
_PRICE: Final = Decimal("0.065")


@frozen(kw_only=True)
class Job:
    """What was typed."""

    port: int
    bulks: int
    page_size: int
    starts_after: float
    sends_for: float
    latency: float
    block_seconds: float
    quiet: bool


def run(job: Job) -> ExitCode:
    """Run the gateway until somebody ends it.

    Raises:
        CommandError: the port cannot be used.
    """
    with suppress(KeyboardInterrupt, asyncio.CancelledError, ReaderGoneError):
        asyncio.run(_serve(job))
    print("The sandbox has ended.", file=sys.stderr)
    return ExitCode.DONE


async def _serve(job: Job) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGTERM, task.cancel)
    gateway = FakeLox24(
        port=job.port,
        page_size=job.page_size,
        starts_after=job.starts_after,
        sends_for=job.sends_for,
        stops_after=min(1.0, job.sends_for),
        latency=job.latency,
        block_seconds=job.block_seconds,
        price_per_message=_PRICE,
    )
    gateway.groups[7117] = 250
    gateway.fail_if(lambda request: _log(gateway, request, quiet=job.quiet))
    try:
        await gateway.start()
    except OSError as error:
        await gateway.stop()
        raise CommandError(
            f"Port {job.port} cannot be used: {why(error)}. Name another --port; 0 is any."
        ) from None
    try:
        _fill(gateway, job.bulks)
        print(
            f"A gateway with {plural(job.bulks, 'bulk')} runs at {gateway.url} until Ctrl-C."
            " In another terminal:",
            file=sys.stderr,
        )
        write_out(f"export LOX24_BASE_URL={gateway.url}\nexport LOX24_AUTH_TOKEN={gateway.token}\n")
        print("and then, say: lox24 list", file=sys.stderr)
        await asyncio.Event().wait()
    finally:
        await gateway.stop()


def _fill(gateway: FakeLox24, count: int) -> None:
    """Put in bulks of all kinds, the same each time, created over the last three days."""
    chance, now = Random(_SEED), gateway.now.replace(microsecond=0)  # noqa: S311  no secret
    for number in range(count):
        status = _MIX[number % len(_MIX)]
        sender, text = chance.choice(_SAMPLES)
        phones = tuple(
            f"+4917{chance.randrange(10**8, 10**9)}" for _ in range(chance.randint(1, 40))
        )
        created = now - timedelta(minutes=chance.randint(5, 3 * 24 * 60))
        gateway.add_bulk(
            status,
            uuid=UUID(int=chance.getrandbits(128), version=4),
            sender_id=sender,
            text=text,
            phones=phones,
            msg_total_count=len(phones),
            price=len(phones) * _PRICE,
            created_at=created,
            processed_at=created + timedelta(minutes=1) if status > BulkStatus.NEW else None,
            # A part of what is new waits for a date, so that not all moves at once.
            delivery_at=now + timedelta(hours=1 + number) if number % 10 < 2 else None,
        )


def _log(gateway: FakeLox24, request: ReceivedRequest, *, quiet: bool) -> None:
    gateway.requests.clear()  # it may run for days
    if not quiet:
        when = datetime.now().astimezone()
        line = printable(mask(f"{request.method} {request.path}"))
        print(f"{when:%H:%M:%S} {line}", file=sys.stderr, flush=True)
