"""The record that all hosts behind one address share, in Redis or Valkey.

What a host's guard would let out is claimed here as well, and what it learns is learnt here:
by the same rules, applied to a copy of the record and written only if nobody has changed it
meanwhile. One script does that, by the server's clock, in one round trip; another round only
if somebody was quicker. News comes by one subscription and goes into the host's record, so
that the open path asks nobody.

It never stops a stop: where the store is away or slow, one warning says so and the host's
guard goes on alone, unless one has asked for ``strict``.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

from lox24_async._config import Secret
from lox24_async._log import log
from lox24_async.errors import ConnectionFailedError
from lox24_async.guards import RedisGuard

from . import rules
from .merging import adopt
from .record import Record, read_record, write_record
from .rules import Finding, Hold
from .stores import digest

if TYPE_CHECKING:
    from .gates import OriginGate
    from .guard import Guard

T = TypeVar("T")
Change = Callable[[Record, float], T]
"""Changes a record at a moment of the server's clock."""

_KEPT: Final = 660_000  # milliseconds after the last change: longer than anything in it counts
_CLOCKS: Final = 0.25  # seconds by which our idea of the server's clock may be off
_ROUNDS: Final = 50  # in which somebody else may be quicker
_FIRST: Final = 5  # times as long as a command may take the first one, which connects
_TURNS: Final = 5  # of the event loop from the socket to the reply
_MANY: Final = 1_000  # tokens before those are forgotten whose clients are gone
_AWAY: Final = 1.0  # seconds for which a store that failed is not asked again
# What the record is made of, whatever the URL asks for.
_AS_BYTES: Final = {"decode_responses": False, "encoding": "utf-8", "encoding_errors": "strict"}

# KEYS: record, channel. ARGV: the version it is based on, the new record ('': only look), what
# time that takes it to be, the tolerance, the expiry, a salt: a store without one, or with one of
# another length, begins anew.
# A version is the microsecond of its change: of two pieces of news the later one has the greater.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local known = redis.call('HMGET', KEYS[1], 'v', 'r', 's')
local version, record, salt = tonumber(known[1]) or 0, known[2] or '', known[3] or ''
if #salt ~= #ARGV[6] then
  record, salt = '', ARGV[6]
end
if not (version >= 0 and version < 2 ^ 53) then
  version = 0
end
local written = 0
if ARGV[2] ~= '' and version == tonumber(ARGV[1])
  and math.abs(now - tonumber(ARGV[3])) < tonumber(ARGV[4])
then
  version, record, written = math.max(version + 1, time[1] * 1000000 + time[2]), ARGV[2], 1
  local text = string.format('%.0f', version)
  redis.call('HSET', KEYS[1], 'v', text, 'r', record, 's', salt)
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  redis.call('PUBLISH', KEYS[2], text)
end
return {written, string.format('%.0f', version), record, salt,
  time[1] .. '.' .. string.format('%06d', time[2])}
"""


class Fleet:
    """One origin's record in the store, as the clients of one event loop use it.

    Args:
        guard: Which store, and how patiently.
        origin: Scheme, host and port.
        gate: The origin's gate in this process, whose record takes in the news.
    """

    def __init__(self, guard: RedisGuard, origin: str, gate: "OriginGate") -> None:
        redis: Any = import_module("redis.asyncio")  # an extra
        once = import_module("redis.asyncio.retry").Retry(_no_backoff(), 0)
        self._settings = guard
        self._gate = gate
        name = blake2b(origin.encode(), digest_size=10).hexdigest()
        self._key = f"lox24:{guard.egress}:{name}"
        pool = redis.ConnectionPool.from_url(
            guard.url, socket_connect_timeout=guard.timeout * _FIRST, retry=once
        )
        pool.connection_kwargs |= _AS_BYTES
        self._client: Any = redis.Redis.from_pool(pool)
        self._script: Any = self._client.register_script(_SCRIPT)
        self._guards: WeakKeyDictionary[Guard, str] = WeakKeyDictionary()
        self._tokens: dict[str, Secret] = {}
        self._salt = os.urandom(16)
        self._version = 0
        self._text = b""
        self._offset: float | None = None  # the server's clock less the loop's
        self._turn = asyncio.Lock()
        self._pending: list[Change[object]] = []
        self._telling = 0  # how many times what was pending is on its way
        self._tasks: set[asyncio.Task[None]] = set()
        self._away_until = 0.0
        self._warned = False
        self.users = 0

    # --- what a guard asks and tells

    def join(self, guard: "Guard", token: Secret, name: str) -> None:
        """Take in a client: its guard, its token, and what the token is called in this process."""
        self.users += 1
        self._guards[guard] = name
        if len(self._tokens) >= _MANY and len(self._tasks) <= 1:  # nothing is being told
            used = set(self._guards.values())
            self._tokens = {one: known for one, known in self._tokens.items() if one in used}
        self._tokens[name] = token
        if not self._tasks:
            self._start(self._listen())

    async def claim(self, guard: "Guard", name: str, operation: str, claim: str) -> Hold | None:
        """Claim in the store what the guard has claimed on this host.

        Args:
            guard: The client's guard.
            name: What its token is called in this process.
            operation: What the request does.
            claim: The claim's name.

        Returns:
            ``None``: it may go. Else when to ask again.

        Raises:
            ConnectionFailedError: the store cannot be reached, and it must be.
        """

        def change(record: Record, now: float) -> Finding:
            return rules.claim(
                record,
                self.digest(name),
                operation,
                now,
                proven=guard.is_proven,
                name=claim,
                lease=guard.lease,
            )

        try:
            found, now = await self._change(change, lambda found, now: found.ask_at <= now)
        except asyncio.CancelledError:
            self.learn(lambda record, _: rules.withdraw(record, claim))
            raise
        except OSError:
            if self._settings.strict:
                raise ConnectionFailedError(_UNREACHABLE) from None
            return None
        if found.ask_at <= now:
            return None
        offset = self._offset or 0.0
        return Hold(found.ask_at - offset, found.ready_at - offset, found.counts)

    def learn(self, change: Change[object]) -> None:
        """Let the store learn what this host's record has learnt; without waiting for it.

        Args:
            change: The same change, to the store's record and by the server's clock.
        """
        self._pending.append(change)
        if len(self._pending) == 1:
            self._start(self._tell())

    async def release(self) -> bool:
        """End one client's use. Returns whether it was the last: then all is closed."""
        self.users -= 1
        if self.users:
            return False
        await self._tell()
        async with self._turn:  # what was being told already is told then
            pass
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):
            await self._client.aclose()
        return True

    # --- the store

    def digest(self, name: str) -> str:
        """Return what a token is called in the store, by its name in this process."""
        return digest(self._tokens[name].reveal(), self._salt)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        pending, self._pending = self._pending, []

        def change(record: Record, now: float) -> bool:
            before = write_record(record, now)
            for one in pending:
                one(record, now)
            return write_record(record, now) != before

        if not pending:
            return
        self._telling += 1
        try:
            # What changes nothing (a claim given back that was never granted) is not written: each
            # change is news, which all hosts read.
            await self._change(change, lambda changed, _: changed)
        except OSError:
            return
        finally:
            self._telling -= 1
        self._adopt()

    async def _change(
        self, change: Change[T], writes: Callable[[T, float], bool]
    ) -> tuple[T, float]:
        """Change the store's record, however often somebody else is quicker.

        Args:
            change: Changes a copy.
            writes: Whether what it returned is worth writing.

        Returns:
            What ``change`` returned, and the server's time.

        Raises:
            OSError: the store is away, too slow, or too many are quicker.
        """
        if time.monotonic() < self._away_until:
            raise OSError(_UNREACHABLE)
        async with self._turn:
            fresh = False
            for _ in range(_ROUNDS):
                if self._offset is None:
                    await self._exchange(b"", 0.0)
                    fresh = True
                now = time.monotonic() + (self._offset or 0.0)
                record = self._read(now)
                result = change(record, now)
                if writes(result, now):
                    if await self._exchange(write_record(record, now), now):
                        return result, now
                elif fresh:
                    return result, now
                else:
                    await self._exchange(b"", 0.0)
                fresh = True
        raise OSError("too many others use the guard's store")

    def _read(self, now: float) -> Record:
        try:
            return read_record(self._text, now)
        except ValueError:
            return Record()

    async def _exchange(self, text: bytes, now: float) -> bool:
        """Write a record if it is based on the newest one; learn which that is."""
        arguments = [self._version, text, repr(now), _CLOCKS, _KEPT, self._salt]
        began = time.monotonic()
        seconds = self._settings.timeout * (_FIRST if self._offset is None else 1)
        command = asyncio.ensure_future(self._script([self._key, f"{self._key}:news"], arguments))
        command.add_done_callback(_seen)
        try:
            await asyncio.wait((command,), timeout=seconds)
            for _ in range(_TURNS):  # of a loop that is late itself: the reply may be there
                if not command.done():
                    await asyncio.sleep(0)
            if not command.done():
                raise TimeoutError
            written, known, record, salt, clock = command.result()
        except Exception as error:  # noqa: BLE001  whatever it is: the store is of no use now
            self._lose(error)
            raise OSError(_UNREACHABLE) from None
        finally:
            command.cancel()
        news = int(known) != self._version
        self._version, self._text = int(known), record
        if salt != self._salt:
            self._salt, written = salt, 0  # what was written speaks of tokens by other names
        self._offset = float(clock) - (began + time.monotonic()) / 2
        self._find()
        if news:  # else whoever waits would ask again and again
            self._adopt()
        return bool(written)

    def _adopt(self) -> None:
        """Let the host's record, and all who wait by it, know the news."""
        if self._pending or self._telling:
            return  # the host knows more than the store
        now = time.monotonic()
        offset = self._offset or 0.0
        news = self._read(now + offset)
        names = {name: self.digest(name) for name in self._tokens}
        gate = self._gate
        with gate.lock:
            if adopt(gate.store.read(now), news, names, offset, dry=True):
                gate.store.update(now, lambda record: adopt(record, news, names, offset))
        for guard in tuple(self._guards):
            guard.refresh(now)

    async def _listen(self) -> None:
        """Follow the news, through outages of the store."""
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    async with asyncio.timeout(max(1.0, self._settings.timeout)):
                        await subscription.subscribe(f"{self._key}:news")
                    async with self._turn:
                        await self._exchange(b"", 0.0)
                    async for message in subscription.listen():
                        if message["type"] == "message" and message["data"].isdigit():
                            async with self._turn:
                                if int(message["data"]) > self._version:
                                    await self._exchange(b"", 0.0)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is: a comfort is away
                self._lose(error)
            await asyncio.sleep(_AWAY)

    def _lose(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _AWAY
        if self._settings.strict:
            for guard in tuple(self._guards):
                guard.fail(ConnectionFailedError(_UNREACHABLE))
        if not self._warned:
            self._warned = True
            kind = type(error).__name__  # not its words: they may name the URL
            log.warning("the guard shares nothing with other hosts: its store failed (%s)", kind)

    def _find(self) -> None:
        if self._away_until:
            self._away_until = 0.0
            for guard in tuple(self._guards):
                guard.fail(None)


def _no_backoff() -> Any:
    return import_module("redis.backoff").NoBackoff()


def _seen(command: "asyncio.Future[Any]") -> None:
    """Let a command end as it likes when nobody waits for it any more."""
    if not command.cancelled():
        command.exception()


_UNREACHABLE: Final = "the guard's shared store cannot be reached"
_fleets: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[RedisGuard, int], Fleet]] = (
    WeakKeyDictionary()
)


def fleet_of(guard: RedisGuard, origin: str, gate: "OriginGate") -> Fleet:
    """Return what the clients of the running loop share for an origin."""
    fleets = _fleets.setdefault(asyncio.get_running_loop(), {})
    fleet = fleets.get((guard, id(gate)))
    if fleet is None or not fleet.users:
        fleet = fleets[guard, id(gate)] = Fleet(guard, origin, gate)
    return fleet
