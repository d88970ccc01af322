"""The record of an origin: what all who share a guard know of it. Values, and their text form.

All moments are seconds of the store's clock. A record that comes from outside the process is
believed no further than a block lasts: whatever it says is over after :data:`BELIEVED`
seconds.
"""

import json
from enum import StrEnum
from math import inf
from typing import Any, Final

from attrs import Factory, define

BELIEVED: Final = 600.0
"""Seconds for which anything that another process wrote may count."""
_MOST: Final = 64  # entries of each kind that are kept
_NEVER: Final = -inf
_SLACK: Final = 1.0  # seconds by which the clocks of two writers may differ


class PlaceState(StrEnum):
    """Why a place in the budget is taken."""

    OUT = "out"
    """Its request is under way."""
    UNSEEN = "unseen"
    """Nobody saw the answer: LOX24 may have counted it as wrong."""
    WRONG = "wrong"
    """It was answered with 401 or 403."""


@define(eq=False)
class Place:
    """One request that may be wrong, or was: it takes a place in the origin's budget."""

    claim: str
    token: str
    operation: str
    taken: float
    until: float
    state: PlaceState = PlaceState.OUT


@define
class OperationFacts:
    """How one operation of a token fares: 403s in a row, and whether that has closed it."""

    forbidden: int = 0
    closed_until: float = _NEVER

    @property
    def closed(self) -> bool:
        """Whether nothing of this operation goes out but a probe."""
        return self.closed_until > _NEVER


@define
class TokenFacts:
    """What is known of one token at the origin."""

    proven_at: float = _NEVER
    """When a probe was last answered well, unless a 401 has followed."""
    closed_at: float = _NEVER
    """When a 401 closed it, unless a proof has followed."""
    refused: bool = False
    """Whether that was the answer to a probe, and not one on a token that had worked."""
    probe_at: float = _NEVER
    """No probe before that."""
    operations: dict[str, OperationFacts] = Factory(dict[str, OperationFacts])

    @property
    def closed(self) -> bool:
        """Whether a 401 stands that no proof has followed."""
        return self.closed_at > _NEVER

    def refuses(self, now: float) -> bool:
        """Whether nothing at all may go, not even a wait."""
        return self.closed and self.refused and now < self.probe_at

    def closes(self) -> tuple[float, ...]:
        """Return since when it is closed, and until when which of its operations are."""
        return self.closed_at, *(o.closed_until for o in self.operations.values() if o.closed)

    def prove(self, now: float) -> None:
        """A probe was answered well."""
        self.proven_at, self.closed_at, self.refused, self.probe_at = now, _NEVER, False, _NEVER

    def close(self, now: float, seconds: float, *, refused: bool) -> None:
        """A 401: nothing goes out, after some seconds a probe."""
        self.proven_at, self.closed_at = _NEVER, now
        self.refused, self.probe_at = refused, now + seconds


@define
class Block:
    """A 429 that stands."""

    first_429: float
    left_at: float
    """When the request left that was answered so."""
    knock: float
    """Seconds between the last two probes, if the server does not say how long to wait."""
    probe_at: float
    until: float
    """The latest end."""
    prober: str = ""
    lease_ends: float = _NEVER

    def ask_at(self, now: float) -> float:
        """Return when it is worth asking (again) for the probe's turn."""
        if self.prober and now < self.lease_ends:
            return self.lease_ends
        return max(now, self.probe_at)


@define
class Record:
    """All of it, for one origin."""

    places: list[Place] = Factory(list[Place])
    tokens: dict[str, TokenFacts] = Factory(dict[str, TokenFacts])
    block: Block | None = None
    unblocked_at: float = _NEVER
    """When the last one ended."""
    epoch: int = 0
    """Tells an answer of today's wave from one of before the last 429 or its end."""

    def facts(self, token: str) -> TokenFacts:
        """Return what is known of a token, to be changed."""
        return self.tokens.get(token) or self.remember(token, TokenFacts())

    def remember(self, token: str, facts: TokenFacts) -> TokenFacts:
        """Keep what is known of a token; of too many one is forgotten. Returns it."""
        if token not in self.tokens and len(self.tokens) >= _MOST:
            del self.tokens[min(self.tokens, key=lambda one: _weight(self.tokens[one]))]
        self.tokens[token] = facts
        return facts


def _weight(facts: TokenFacts) -> tuple[bool, float]:
    # Forgetting a refusal could cost a wrong request, forgetting a proof a probe.
    refused = facts.closed or bool(facts.operations)
    return refused, max(facts.closed_at, facts.proven_at)


def write_record(record: Record, now: float) -> bytes:
    """Return the record as text."""
    block = record.block
    parts: dict[str, Any] = {"w": now, "e": record.epoch}
    if record.places:
        parts["p"] = [
            [p.claim, p.token, p.operation, p.taken, p.until, p.state]
            for p in record.places[-_MOST:]
        ]
    if record.tokens:
        parts["t"] = {
            name: [
                t.proven_at,
                t.closed_at,
                t.refused,
                t.probe_at,
                {o: [f.forbidden, f.closed_until] for o, f in t.operations.items()},
            ]
            for name, t in record.tokens.items()
        }
    if record.unblocked_at > _NEVER:
        parts["u"] = record.unblocked_at
    if block is not None:
        parts["b"] = [
            block.first_429,
            block.left_at,
            block.knock,
            block.probe_at,
            block.until,
            block.prober,
            block.lease_ends,
        ]
    return _to_text(parts).encode()


def read_record(text: bytes, now: float) -> Record:
    """Return the record in a text, without what is over or beyond belief.

    Raises:
        ValueError: it is no record, or one of another time.
    """
    try:
        parts: dict[str, Any] = _from_text(text.decode())
        written = _number(parts["w"])
        if not now - BELIEVED < written <= now + _SLACK:
            raise ValueError("a record of another time")
        latest = written + BELIEVED
        record = Record(epoch=int(parts["e"]), unblocked_at=_past(parts.get("u", _NEVER), now))
        for claim, token, operation, taken, until, state in parts.get("p", ()):
            if now < _number(until):
                record.places.append(
                    Place(
                        str(claim),
                        str(token),
                        str(operation),
                        min(_number(taken), now),
                        min(_number(until), latest),
                        PlaceState(state),
                    )
                )
        for name, (proven, closed, refused, probe, operations) in parts.get("t", {}).items():
            facts = TokenFacts(
                _past(proven, now),
                _past(closed, now),
                bool(refused),
                min(_number(probe), latest),
                {
                    str(o): OperationFacts(int(count), min(_number(until), latest))
                    for o, (count, until) in operations.items()
                },
            )
            if max(facts.proven_at, facts.closed_at) > now - BELIEVED or operations:
                record.remember(str(name), facts)
        if "b" in parts:
            first, left, knock, probe_at, end, prober, lease = parts["b"]
            record.block = Block(
                min(_number(first), now),
                min(_number(left), now),
                min(max(_number(knock), 0.0), BELIEVED),
                min(_number(probe_at), latest),
                min(_number(end), latest),
                str(prober),
                min(_number(lease), latest),
            )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError("no record of a guard") from error
    return record


def _constant(name: str) -> float:
    if name == "NaN":
        raise ValueError("no record of a guard")
    return float(name)


# Made once: a claim has no time for that.
_to_text: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_text: Final = json.JSONDecoder(parse_constant=_constant).decode


def _number(value: Any) -> float:
    if isinstance(value, str):  # "nan", say
        raise TypeError
    return float(value)


def _past(moment: Any, now: float) -> float:
    """Return a moment that has been; one of the future was never."""
    return value if (value := _number(moment)) <= now else _NEVER
