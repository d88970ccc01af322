"""The rules, and all their numbers: who may send, and what an answer changes. Pure.

LOX24 blocks an IP for ten minutes after more than three requests with wrong credentials
within one minute (https://doc.lox24.eu/api/), for everybody behind that IP. So each request
whose token is not proven takes one of three places before it is sent, and gives it back when
the answer proves the token. What is wrong, and what nobody saw the answer of, keeps its place
for a minute: LOX24 may have counted it.

The same functions serve the memory of a process, the file of a host and the store of a fleet.
"""

from enum import Enum, auto
from math import inf
from typing import Final, NamedTuple

from lox24_async.errors import (
    APIStatusError,
    ClientClosedError,
    ConnectionFailedError,
    IntermediaryError,
    IPBlockedError,
    Lox24Error,
    ResponseDecodeError,
    TransportError,
)

from .record import Block, OperationFacts, Place, PlaceState, Record, TokenFacts

PLACES: Final = 3
"""Wrong requests within a minute that LOX24 lets pass; one more blocks the IP."""
WINDOW: Final = 60.0
"""Seconds over which LOX24 counts them."""
BLOCK: Final = 600.0
"""Seconds that a block lasts, as documented; no pause for a 429 is longer."""
REST_MOST: Final = 60.0
"""Seconds that a 5xx may hold up all calls, whatever its ``Retry-After`` says."""
CONFIRM_AFTER: Final = 1.0
"""Seconds after which a 401 on a token that worked is asked again."""
NEXT_PROBE_AFTER: Final = (0.0, 2.0, 6.0)
"""Seconds from the first probe of a token to the second and third, while nothing is answered."""
PROOF_SHARED: Final = 60.0
"""Seconds for which another process's proof of a token is believed."""
COURTESY: Final = 1.0
"""Seconds by which those who go first may be late before others take their turn."""
ARRIVAL: Final = 5.0
"""Seconds within which a request arrives whose process died right after it was let out."""
SHORTEST_KNOCK: Final = 0.01
"""Seconds between two probes, even for a policy without delays."""
FORBIDDEN_MOST: Final = 1
"""403s in a row that an operation of a token survives."""
_UNKNOWN: Final = TokenFacts()  # of a token of which nothing is known; never changed


class Verdict(Enum):
    """What the end of a request says about its token."""

    PROVEN = auto()
    WRONG = auto()
    FORBIDDEN = auto()
    UNSEEN = auto()
    NOTHING = auto()


class Hold(NamedTuple):
    """Not now. Ask again at ``ask_at``; before ``ready_at`` nothing can be sent."""

    ask_at: float
    ready_at: float
    counts: bool
    """Whether the wait counts as a retry's wait, or is only the queue for the first proof."""


class Finding(NamedTuple):
    """When a request may go by the record, and what it has to claim for that."""

    ask_at: float
    """Now, or when it is worth asking again."""
    ready_at: float
    """Before that nothing can be sent; ``inf``: nothing will be."""
    counts: bool
    """As of :class:`Hold`."""
    place: bool
    """Whether it takes a place in the budget."""
    probe: bool
    """Whether it takes the right to probe a block."""
    late_since: float = -inf
    """Since when the token's probe that is under way is late, if that is why this one may go."""


# --- what an end says


def verdict_of(error: Lox24Error | None) -> Verdict:
    """Return what the end of a request says about its token."""
    if error is None or isinstance(error, ResponseDecodeError):
        return Verdict.PROVEN
    if isinstance(error, APIStatusError):
        if error.status == 401:
            return Verdict.WRONG
        if error.status == 403:
            return Verdict.FORBIDDEN
        if error.status in (408, 502, 504):  # of a gateway: what is behind it may have counted
            return Verdict.UNSEEN
        proves = 400 <= error.status < 500 and error.status != 429
        return Verdict.PROVEN if proves else Verdict.NOTHING
    # A request that never left, or went no further than something between, proves nothing.
    if isinstance(error, TransportError) and is_silence(error):
        return Verdict.PROVEN if error.answered else Verdict.UNSEEN
    return Verdict.NOTHING


def is_trouble(error: Lox24Error | None) -> bool:
    """Whether an error speaks of the service or the way to it, rather than of the request."""
    if isinstance(error, APIStatusError):
        return error.status in (408, 429) or error.status >= 500
    return isinstance(error, TransportError)


def is_silence(error: Lox24Error) -> bool:
    """Whether a request got no answer, though there was a connection."""
    if isinstance(error, APIStatusError):
        return error.status == 408
    return not isinstance(error, ConnectionFailedError | IntermediaryError)


def may_be_limit(error: Lox24Error) -> bool:
    """Whether an error may be the word of a rate limit."""
    return isinstance(error, APIStatusError) and error.status in (429, 503)


def is_answer(error: Lox24Error | None) -> bool:
    """Whether the service did its work, whatever it said."""
    return not is_trouble(error) and not isinstance(error, ClientClosedError)


# --- asking


def examine(record: Record, token: str, operation: str, now: float, *, proven: bool) -> Finding:
    """Say when a request may go out, and what it has to claim for that.

    Args:
        record: What is known.
        token: The digest of its token.
        operation: What it does; 403s are counted for each.
        now: Seconds of the record's clock.
        proven: Whether the process knows that the token works.
    """
    facts = record.tokens.get(token, _UNKNOWN)
    mode = facts.operations.get(operation)
    if facts.refuses(now):
        return Finding(facts.probe_at, inf, counts=True, place=True, probe=False)
    closed = mode is not None and mode.closed
    if mode is not None and closed and now < mode.closed_until:
        return Finding(mode.closed_until, inf, counts=True, place=True, probe=False)
    place, probe = not proven or closed, record.block is not None
    ask_at, ready_at, counts, late_since = now, -inf, False, -inf
    if record.block is not None:
        ask_at, ready_at, counts = record.block.ask_at(now), record.block.probe_at, True
    if place:
        judged = closed or facts.closed
        counts |= judged
        ready_at = max(ready_at, facts.probe_at)
        free_at, certain = place_free_at(record, now, late=facts.refused)
        if certain:
            ready_at, counts = max(ready_at, free_at), True
        late_since = _late_since(record, token, operation if proven else None, now, alone=judged)
        ask_at = max(ask_at, ready_at, free_at, late_since)
    return Finding(ask_at, ready_at, counts, place, probe, late_since)


def place_free_at(record: Record, now: float, *, late: bool) -> tuple[float, bool]:
    """Return when a place in the budget is free, and whether that is certain.

    It is not where a request is under way, whose answer may give its place back at any time.

    Args:
        record: What is known.
        now: Seconds of the record's clock.
        late: Whether others, whose tokens were never refused, go first.
    """
    grace = COURTESY if late else 0.0
    ends = sorted(
        end
        for place in record.places
        if now < (end := place.until + (0.0 if place.state is PlaceState.OUT else grace))
    )
    if len(ends) < PLACES:
        return now, False
    kept = sum(place.state is not PlaceState.OUT and now < place.until for place in record.places)
    return ends[len(ends) - PLACES], kept >= PLACES


def _late_since(
    record: Record, token: str, operation: str | None, now: float, *, alone: bool
) -> float:
    """Return when a token's probe (or one of an operation of it) is so late that one more may go.

    ``-inf``: none is under way.
    """
    out = [
        place
        for place in record.places
        if place.token == token
        and place.state is PlaceState.OUT
        and now < place.until
        and operation in (None, place.operation)
    ]
    if not out:
        return -inf
    if alone or len(out) >= PLACES:
        return min(place.until for place in out)
    return min(place.taken for place in out) + NEXT_PROBE_AFTER[len(out)]


def claim(
    record: Record,
    token: str,
    operation: str,
    now: float,
    *,
    proven: bool,
    name: str,
    lease: float,
    found: Finding | None = None,
) -> Finding:
    """Take what a request needs, if it may go out now (``ask_at``).

    Args:
        record: What is known; changed.
        token: The digest of its token.
        operation: What it does.
        now: Seconds of the record's clock.
        proven: Whether the process knows that the token works.
        name: The claim's, unique among all who share the record.
        lease: Seconds after which nobody waits for its answer any more.
        found: What :func:`examine` has said of this very record at this moment, if it has.
    """
    if found is None:
        found = examine(record, token, operation, now, proven=proven)
    if found.ask_at <= now:
        if found.place:
            until = now + max(lease, ARRIVAL + WINDOW)
            record.places.append(Place(name, token, operation, now, until))
        if found.probe and record.block is not None:
            record.block.prober, record.block.lease_ends = name, now + lease
    return found


# --- settling


def settle(
    record: Record,
    token: str,
    operation: str,
    verdict: Verdict,
    now: float,
    *,
    name: str,
    fresh: bool,
    placed: bool = False,
) -> None:
    """Learn what the end of a request says about its token.

    Args:
        record: What is known; changed.
        token: The digest of its token.
        operation: What it did.
        verdict: What its end says.
        now: Seconds of the record's clock.
        name: Its claim's; empty: it needed no place.
        fresh: Whether it left with a token that was proven and still counts as that.
        placed: Whether it was let out with a place. Its place may be gone: it is reported after
            its lease has run out, and may have arrived at LOX24 as late as that.
    """
    place = withdraw(record, name)
    if verdict is Verdict.PROVEN:
        _prove(record, token, operation, now, probe=place is not None)
    elif verdict in (Verdict.WRONG, Verdict.FORBIDDEN):
        wrong = place or Place("", token, operation, now, now)
        _keep(record, wrong, now + WINDOW, PlaceState.WRONG)
        facts = record.facts(token)
        if verdict is Verdict.FORBIDDEN:
            _forbid(facts, operation, now)
        elif place is not None and facts.proven_at < place.taken:
            facts.close(now, WINDOW, refused=True)
        elif place is not None or fresh:  # it has worked: ask once more
            facts.close(now, CONFIRM_AFTER, refused=False)
    elif verdict is Verdict.UNSEEN and (place is not None or placed):
        unseen = place or Place("", token, operation, now, now)
        _keep(record, unseen, now + WINDOW, PlaceState.UNSEEN)
    record.places = [p for p in record.places if now < p.until + COURTESY]


def withdraw(record: Record, name: str) -> Place | None:
    """Give back what was claimed; return the place in the budget, if it was one."""
    if not name:
        return None
    if record.block is not None and record.block.prober == name:
        record.block.prober = ""
    for place in record.places:
        if place.claim == name:
            record.places.remove(place)
            return place
    return None


def _keep(record: Record, place: Place, until: float, state: PlaceState) -> None:
    place.claim, place.until, place.state = "", until, state
    record.places.append(place)
    # More wrong ones than there are places change nothing. Those of which nobody saw the answer
    # are few, and may be given back: they must not crowd out a wrong one.
    over = [p for p in record.places if p.state is PlaceState.WRONG][:-PLACES]
    record.places = [p for p in record.places if p not in over]


def _prove(record: Record, token: str, operation: str, now: float, *, probe: bool) -> None:
    facts = record.tokens.get(token, _UNKNOWN)
    mode = facts.operations.get(operation)
    if mode is not None and (probe or not mode.closed):
        del facts.operations[operation]
    if probe:
        record.places = [
            p for p in record.places if p.token != token or p.state is not PlaceState.UNSEEN
        ]
        record.facts(token).prove(now)


def _forbid(facts: TokenFacts, operation: str, now: float) -> None:
    mode = facts.operations.setdefault(operation, OperationFacts())
    mode.forbidden += 1
    if mode.forbidden > FORBIDDEN_MOST and now >= mode.closed_until:
        mode.closed_until = now + WINDOW


# --- a 429


def block(
    record: Record,
    error: Lox24Error,
    now: float,
    *,
    left_at: float,
    initial_delay: float,
) -> None:
    """A 429, or no clear answer to a probe after one.

    Pause as the server said, but no longer than a block lasts; else probe at doubling
    intervals, and once exactly when a documented block ends.
    """
    known = record.block
    first = now if known is None else known.first_429
    knock = max(initial_delay, SHORTEST_KNOCK) if known is None else known.knock * 2
    said = min(retry_after_of(error) or 0.0, BLOCK)
    end = first + BLOCK
    probe_at = now + (said or knock)
    if not said and now < end < probe_at:
        probe_at = end
    until = probe_at if said else max(end, probe_at)
    record.block = Block(first, left_at, knock, probe_at, until)
    record.epoch += 1


def prolong_block(record: Record, error: Lox24Error, now: float) -> None:
    """Another 429 of the same wave: it may ask for a longer pause."""
    said = retry_after_of(error)
    if record.block is not None and said:
        moment = now + min(said, BLOCK)
        record.block.probe_at = max(record.block.probe_at, moment)
        record.block.until = max(record.block.until, moment)


def unblock(record: Record, now: float) -> None:
    """The service answers again."""
    record.block, record.unblocked_at = None, now
    record.epoch += 1


def retry_after_of(error: Lox24Error) -> float | None:
    """Return the seconds that an answer asks to wait."""
    return error.retry_after if isinstance(error, APIStatusError) else None


def is_block(error: Lox24Error | None) -> bool:
    """Whether an answer is a 429."""
    return isinstance(error, IPBlockedError)
