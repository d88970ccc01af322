"""The attempts of a call: admit, send, judge, again.

One loop for every operation. What an error means for the others is the guard's; here stands
only whether, when and how often to try again.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from lox24_async._guard.guard import Guard
from lox24_async._guard.rules import Hold, may_be_limit
from lox24_async._log import log
from lox24_async._wire.requests import Request
from lox24_async.errors import (
    APIStatusError,
    ClientClosedError,
    ConnectionFailedError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    RequestTimeoutError,
    TransportError,
)
from lox24_async.retry import Backoff, RetryPolicy, is_retried

from .call import Call
from .observing import NOBODY, Observer, request_id_of, status_of
from .queue import Slots, Waits, Wake
from .session import SessionManager

R = TypeVar("R")
_TICK: Final = 1e-5  # seconds
_LAST_PROBE: Final = 1.0  # seconds before a batch gives up
_IN_VAIN: Final = 3  # probes in a row, before one looks whether other ids fare better


class Attempts:
    """The loop that every operation runs through.

    Args:
        session: Sends a request and reads its answer.
        guard: Who may send.
        slots: The bound on requests in flight.
        waits: What ends each wait when the client is closed.
        policy: How often and how patiently.
        backoff: The policy's delays.
        attempt_timeout: Seconds for one attempt.
        clock: Seconds; must be the clock that ``waits`` goes by.
        observer: Watches each attempt.
    """

    def __init__(
        self,
        session: SessionManager,
        guard: Guard,
        slots: Slots,
        waits: Waits,
        *,
        policy: RetryPolicy,
        backoff: Backoff,
        attempt_timeout: float,
        clock: Callable[[], float],
        observer: Observer = NOBODY,
    ) -> None:
        self._session = session
        self._guard = guard
        self._slots = slots
        self._waits = waits
        self._policy = policy
        self._backoff = backoff
        self._attempt_timeout = attempt_timeout
        self._clock = clock
        self._observer = observer

    async def run(self, request: Request[R], call: Call, *, max_attempts: int | None = None) -> R:
        """Make attempts until one succeeds or no more may follow.

        Args:
            request: What to send.
            call: The call that this is for.
            max_attempts: Another bound than the policy's.

        Raises:
            Lox24Error: the last attempt's error, or the guard's if nothing more may be sent.
        """
        most = max_attempts or self._policy.max_attempts
        call.operation, used = request.method, 0
        observed = self._observer.watch(request, call)
        try:
            while True:
                if not self._admit_at_once(call):
                    await self._admit(call)
                seconds = self._attempt_timeout
                if call.deadline is not None:
                    seconds = min(seconds, call.deadline - self._clock())
                call.in_flight = True
                observed.begin(self._clock)
                try:
                    result = await self._session.exchange(request, seconds)
                except Lox24Error as error:
                    call.last, call.in_flight = error, False
                    observed.end(error)
                else:
                    self._guard.settle(call, None, self._clock())
                    call.sent, call.in_flight = call.sent + 1, False
                    observed.end(None)
                    return result
                finally:
                    self._slots.release()
                if self._is_late(call) and _out_of_time(call.last):
                    # Cut short by the call's own deadline: nothing was learnt of the service,
                    # but LOX24 may have seen the request.
                    self._count(call, call.last)
                    self._guard.leave(call, self._clock(), sent=call.last.attempts > 0)
                    raise call.stamp(RequestTimeoutError(call.last.message))
                pause = self._judge(call, call.last)
                if call.narrow and self._guard.failures >= _IN_VAIN:
                    call.make_room()
                used += self._counts(call, call.last)
                if used >= most or not (is_retried(call.last) and call.allows_repeat(call.last)):
                    raise self._final(call, call.last)
                delay = self._delay_before_next(call, call.last, pause, used, most)
                observed.tell(will_retry=True)
                await self._back_off(call, delay)
        except BaseException as error:
            self._guard.leave(call, self._clock(), sent=call.in_flight)
            if isinstance(error, ClientClosedError):
                call.stamp(error)
            raise
        finally:
            observed.tell(will_retry=False)
            call.last = None  # an error within reach of its own traceback would be a cycle

    def _admit_at_once(self, call: Call) -> bool:
        """Whether there is a slot and the guard's leave without any waiting."""
        if call.deadline is not None or not self._slots.take():
            return False
        if self._guard.pass_open(call, self._now()):
            return True
        self._slots.release()
        return False

    async def _admit(self, call: Call) -> None:
        """Come back holding a slot and the guard's leave to send.

        All waiting is done in this one frame: thousands may wait here.
        """
        while True:
            if self._is_late(call):
                raise call.stamp(RequestTimeoutError("the call's time was over before it was sent"))
            if self._guard.enter(call, self._now(), take=False) is None:
                # The guard first: a call that may not send must not wait for a slot, nor hold one.
                if not self._slots.take():
                    turn = self._slots.line_up(gives_way=call.gives_way)
                    timer = self._waits.enter(turn, call.deadline)
                    try:
                        got = await turn
                        self._waits.check()
                    except BaseException:
                        self._slots.give_up(turn)
                        raise
                    finally:
                        self._waits.leave(turn, timer)
                    if not got:
                        continue
                if await self._let_out(call):
                    return
                if self._is_late(call):
                    continue
            # Wait until it is worth asking again.
            wake = call.wake = Wake(loop=asyncio.get_running_loop())
            now, counts, timer = self._now(), False, None
            try:
                # Asked again: what changed before the line above could not wake us.
                hold = self._guard.enter(call, now, take=False)
                if hold is not None:
                    counts = hold.counts
                    timer = self._waits.enter(wake, self._until(hold, call, now))
                    await wake
                    self._waits.check()
            finally:
                call.wake = None
                self._waits.leave(wake, timer)
                del wake, timer  # not to be held while we wait for a slot
                if counts:
                    call.waited += self._now() - now

    async def _let_out(self, call: Call) -> bool:
        """Whether the guard lets the call out now, on this host and among all; else free the slot.

        Raises:
            ConnectionFailedError: the store that hosts share cannot be reached, and must be.
        """
        try:
            if not self._is_late(call) and self._guard.enter(call, self._now()) is None:
                if await self._guard.confirm(call):
                    return True
                self._guard.leave(call, self._now(), sent=False)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, ConnectionFailedError):
                call.stamp(error)
            raise
        self._slots.release()
        return False

    def _until(self, hold: Hold, call: Call, now: float) -> float:
        """Return when to ask again; raise if the call cannot wait so long."""
        max_wait = self._policy.max_wait
        limit = call.limit(now, max_wait if hold.counts else None, self._guard.down_since)
        since = call.since if self._guard.is_resting else None  # a batch's, which waits together
        if since is not None and hold.ready_at > limit:
            # What a batch waits for may be over before the next probe is due: look once more.
            last = limit - min(_LAST_PROBE, max_wait / 4)
            if now < last or self._guard.hurry(now, since):
                return max(last, now)
        # A rest of a tick is none: it would be waited for again and again.
        over = hold.ready_at > limit or limit - now <= _TICK
        if since is not None and over and (end := self._guard.probe_ends(now)) > now:
            # The last probe is out, and its answer may be a good one: late, but it counts.
            limit, over = end if call.deadline is None else min(end, call.deadline), False
        if over or self._gives_up_looking(call, now):
            raise self._refusal(call, self._clock())
        return min(hold.ask_at, limit)

    def _counts(self, call: Call, error: Lox24Error) -> bool:
        """Whether an attempt uses up one of those that the policy allows."""
        if self._policy.wait_out_block and isinstance(error, IPBlockedError):
            return False
        if call.since is None or not call.narrow:
            return True
        # In a batch nobody's attempts go into finding out when, or how fast, all may go on.
        limit = 2 * self._policy.max_attempts
        return call.odd and (not may_be_limit(error) or call.tries >= limit)

    def _gives_up_looking(self, call: Call, now: float) -> bool:
        # A place is free in a minute; until then the caller would not know even what we know.
        return call.is_look and self._guard.held_back_until(now) > now

    def _is_late(self, call: Call) -> bool:
        return call.deadline is not None and self._now() >= call.deadline

    def _now(self) -> float:
        # A loop may fire a timer a tick early; who was then sent back to wait would spin.
        return self._clock() + _TICK

    def _judge(self, call: Call, error: Lox24Error) -> float | None:
        self._count(call, error)
        return self._guard.settle(call, error, self._clock())

    @staticmethod
    def _count(call: Call, error: Lox24Error) -> None:
        call.sent += error.attempts
        call.fate_unknown |= error.outcome_unknown

    def _final(self, call: Call, error: Lox24Error) -> Lox24Error:
        if isinstance(error, IPBlockedError):
            self._guard.date(error, self._clock())
        return call.stamp(error)

    def _refusal(self, call: Call, now: float) -> Lox24Error:
        """Return the error for a call that may not send any more: its own, if it fits."""
        local, last = self._guard.refusal(now, call.operation), call.last
        if last is None or type(last) is not type(local):
            return call.stamp(local)
        if isinstance(last, APIStatusError) and isinstance(local, APIStatusError):
            last.retry_after = local.retry_after if last.retry_after is None else last.retry_after
        return self._final(call, last)

    def _delay_before_next(
        self, call: Call, error: Lox24Error, pause: float | None, used: int, most: int
    ) -> float:
        """Return the seconds to wait; 0 also if all calls pause together, at the guard.

        Raises:
            Lox24Error: so long a wait does not fit.
        """
        now = self._clock()
        said = error.retry_after if isinstance(error, APIStatusError) else None
        if pause is None or (said is not None and said > pause):
            pause, delay = None, self._delay(error, used)
        else:
            delay = pause
            if call.odd and call.narrow and call.since is not None:
                # Refused again, though it went first: meanwhile others may.
                pause, delay = None, max(delay, self._delay(error, call.tries))
        # What a batch waits for together, it gives up together: at the guard.
        alone = pause is None or call.since is None
        if alone and now + delay > call.limit(now, self._policy.max_wait, self._guard.down_since):
            raise self._refusal(call, now) if pause is not None else self._final(call, error)
        log.warning(
            "%s: %s; %s in %.1f s",
            call,
            error.message,
            f"attempt {used + 1} of {most}" if used else "again",
            delay,
            extra={
                "bulk_id": call.bulk_id or None,
                "status": status_of(error),
                "attempt": used + 1,
                "delay": delay,
                "request_id": request_id_of(error),
            },
        )
        return delay if pause is None else 0.0

    async def _back_off(self, call: Call, delay: float) -> None:
        if delay <= 0:
            return
        now = self._clock()
        try:
            await self._waits.sleep(now + delay)
        finally:
            call.waited += self._clock() - now

    def _delay(self, error: Lox24Error, used: int) -> float:
        if isinstance(error, APIStatusError) and error.retry_after is not None:
            return error.retry_after
        answered_late = isinstance(error, RequestTimeoutError | IntermediaryError)
        if used == 1 and isinstance(error, TransportError) and not answered_late:
            return 0.0  # most often a connection that had gone stale while idle
        return self._backoff.delay(used - 1)


def _out_of_time(error: Lox24Error) -> bool:
    if isinstance(error, ConnectionFailedError):
        return not error.final
    return isinstance(error, RequestTimeoutError)
