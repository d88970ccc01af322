"""``lox24 sandbox``."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

from attrs import frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from lox24_async import BulkStatus, testing
from lox24_async._printable import printable
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.loops import stop_like_ctrl_c
from lox24_async.cli.options import AT_LEAST_1, Debug, Quiet, number
from lox24_async.cli.running import finish
from lox24_async.cli.telling.records import ReaderGoneError, write_out
from lox24_async.cli.text import mask, plural, why

if TYPE_CHECKING:
    from lox24_async.testing import FakeLox24, Intermediary, ReceivedRequest

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


_Seconds = Annotated[float, number("SECONDS")]
_ERROR: Final = Number(gte=400, lte=599)
_BEFORE: Final = Parameter(group=Group("What goes wrong", sort_key=3))


@Parameter("*")
@frozen(kw_only=True)
class SandboxOptions:
    """What was typed.

    Args:
        port: Where to listen; 0: any free port.
        bulks: How many bulks to begin with.
        page_size: Bulks on a page of a listing.
        starts_after: How long a new bulk stays new.
        sends_for: How long a bulk is in progress then.
        latency: How long an answer takes.
        block_seconds: How long more than three wrong tokens in a minute block you.
        rate_limit: Before it stands a limit of N requests a second.
        burst: With --rate-limit: so many may come at once.
        connection_limit: Before it stands a limit of N requests at once.
        refuse_with: What the limits answer: 503, 429 or another error.
        retry_after: What they say under Retry-After.
        ingress_404: From the first request on, for so long, an ingress knows nothing of it: 404 as
            plain text.
        balancer_page: A load balancer answers with this error (502, 503, 504) and a page.
        answer: It answers with this error itself (402, 403, 500 …).
        every: With the last two: only each so manieth request.
        quiet: Do not log the requests.
    """

    port: Annotated[int, number(at_least=Number(gte=0, lte=65535))] = 8124
    bulks: Annotated[int, number()] = 50
    page_size: Annotated[int, number(at_least=AT_LEAST_1)] = 30
    starts_after: _Seconds = 60.0
    sends_for: _Seconds = 120.0
    latency: _Seconds = 0.05
    block_seconds: _Seconds = 600.0
    rate_limit: Annotated[float | None, number(), _BEFORE] = None
    burst: Annotated[int, number(at_least=AT_LEAST_1), _BEFORE] = 5
    connection_limit: Annotated[int | None, number(at_least=AT_LEAST_1), _BEFORE] = None
    refuse_with: Annotated[int, number("STATUS", at_least=_ERROR), _BEFORE] = 503
    retry_after: Annotated[float | None, number("SECONDS"), _BEFORE] = None
    ingress_404: Annotated[float | None, number("SECONDS"), _BEFORE] = None
    balancer_page: Annotated[int | None, number("STATUS", at_least=_ERROR), _BEFORE] = None
    answer: Annotated[int | None, number("STATUS", at_least=_ERROR), _BEFORE] = None
    every: Annotated[int, number(at_least=AT_LEAST_1), _BEFORE] = 1
    quiet: Quiet = False


def sandbox(*, options: SandboxOptions = SandboxOptions(), debug: Debug = False) -> ExitCode:
    """Run the gateway until somebody ends it."""

    def work() -> ExitCode:
        with suppress(KeyboardInterrupt, asyncio.CancelledError, ReaderGoneError):
            asyncio.run(_serve(options))
        print("The sandbox has ended.", file=sys.stderr)
        return ExitCode.DONE

    return finish(work, debug=debug)


async def _serve(options: SandboxOptions) -> None:
    stop_like_ctrl_c()
    gateway = testing.FakeLox24(
        port=options.port,
        page_size=options.page_size,
        starts_after=options.starts_after,
        sends_for=options.sends_for,
        stops_after=min(1.0, options.sends_for),
        latency=options.latency,
        block_seconds=options.block_seconds,
        price_per_message=_PRICE,
    )
    gateway.groups[7117] = 250
    gateway.intermediaries += [_log_of(gateway, quiet=options.quiet), *_before(options)]
    try:
        await gateway.start()
    except OSError as error:
        await gateway.stop()
        raise CommandError(
            f"Port {options.port} cannot be used: {why(error)}. Name another --port; 0 is any."
        ) from None
    try:
        _fill(gateway, options.bulks)
        print(
            f"A gateway with {plural(options.bulks, 'bulk')} runs at {gateway.url} until Ctrl-C."
            " In another terminal:",
            file=sys.stderr,
        )
        write_out(f"export LOX24_BASE_URL={gateway.url}\nexport LOX24_AUTH_TOKEN={gateway.token}\n")
        print("and then, say: lox24 list", file=sys.stderr)
        await asyncio.Event().wait()
    finally:
        await gateway.stop()


def _fill(gateway: "FakeLox24", count: int) -> None:
    """Put in bulks of all kinds, the same each time, created over the last three days."""
    chance, now = Random(_SEED), gateway.now.replace(microsecond=0)  # noqa: S311  no secret
    for place in range(count):
        status = _MIX[place % len(_MIX)]
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
            delivery_at=now + timedelta(hours=1 + place) if place % 10 < 2 else None,
        )


def _log_of(gateway: "FakeLox24", *, quiet: bool) -> "Intermediary":
    """Make what lets each request pass, and tells it."""

    class Log(testing.Intermediary):
        def fault_for(self, request: "ReceivedRequest", now: float, busy: int) -> None:
            del now, busy
            gateway.requests.clear()  # it may run for days
            if not quiet:
                when = datetime.now().astimezone()
                line = printable(mask(f"{request.method} {request.path}"))
                print(f"{when:%H:%M:%S} {line}", file=sys.stderr, flush=True)

    return Log()


def _before(options: SandboxOptions) -> "Iterator[Intermediary]":
    """Make what stands before the gateway."""
    status, retry_after = options.refuse_with, options.retry_after
    if options.ingress_404 is not None:
        yield testing.IngressNotFound(seconds=options.ingress_404)
    if options.balancer_page is not None:
        yield testing.LoadBalancerPage(options.balancer_page, every=options.every)
    if options.rate_limit:
        yield testing.RateLimit(
            options.rate_limit, options.burst, status=status, retry_after=retry_after
        )
    if options.connection_limit is not None:
        yield testing.ConnectionLimit(
            options.connection_limit, status=status, retry_after=retry_after
        )
    if options.answer is not None:
        yield testing.StatusAnswer(options.answer, every=options.every)
