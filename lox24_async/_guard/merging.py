"""What a host takes over from the record that it shares with other hosts.

Places in the budget are not among it: the shared record itself says whether one is free.
"""

from collections.abc import Mapping
from math import inf

from attrs import evolve

from .record import OperationFacts, Record, TokenFacts


def adopt(
    record: Record, news: Record, names: Mapping[str, str], offset: float, *, dry: bool = False
) -> bool:
    """Take over what is newer in a shared record.

    Args:
        record: The host's; changed.
        news: The shared one, by its own clock.
        names: What each token is called there, by its name here.
        offset: Seconds by which the shared record's clock is ahead.
        dry: Only say whether there is any news.

    Returns:
        Whether there was.
    """
    changed = _adopt_block(record, news, offset, dry=dry)
    for here, there in names.items():
        found = news.tokens.get(there)
        if found is not None:
            known = record.tokens.get(here) or TokenFacts()
            merged = _merge(known, found, offset)
            if merged != known:
                changed = True
                if not dry:
                    record.remember(here, merged)
    return changed


def _merge(known: TokenFacts, found: TokenFacts, offset: float) -> TokenFacts:
    merged = evolve(known, operations=dict(known.operations))
    closed_at = found.closed_at - offset
    # In doubt which was first, the refusal counts: it costs a probe, the other a wrong request.
    if (
        found.closed
        and closed_at > known.closed_at + _SLACK
        and closed_at > known.proven_at - _SLACK
    ):
        merged.close(closed_at, 0.0, refused=found.refused)
        merged.probe_at = found.probe_at - offset
    elif found.proven_at - offset > max(known.closed_at, known.proven_at) + _SLACK:
        merged.prove(found.proven_at - offset)
    for operation, mode in found.operations.items():
        until = mode.closed_until - offset
        mine = known.operations.get(operation, OperationFacts())
        if until > mine.closed_until + _SLACK:
            merged.operations[operation] = OperationFacts(mode.forbidden, until)
    for operation, mine in known.operations.items():
        if mine.closed and operation not in found.operations:
            del merged.operations[operation]  # a success of another host has opened it
    return merged


def _adopt_block(record: Record, news: Record, offset: float, *, dry: bool) -> bool:
    mine, theirs = record.block, news.block
    if theirs is None:
        if mine is None or news.unblocked_at - offset <= mine.left_at:
            return False
        if not dry:
            record.block, record.unblocked_at = None, news.unblocked_at - offset
            record.epoch += 1
        return True
    if record.unblocked_at > theirs.left_at - offset:
        return False
    until = theirs.until - offset
    lease_ends = theirs.lease_ends - offset if theirs.prober else -inf
    same = (
        mine is not None
        and mine.prober == theirs.prober
        and abs(mine.probe_at - (theirs.probe_at - offset)) < _SLACK
        and abs(mine.until - until) < _SLACK
    )
    if same:
        return False
    if not dry:
        record.block = evolve(
            theirs,
            first_429=theirs.first_429 - offset,
            left_at=theirs.left_at - offset,
            probe_at=theirs.probe_at - offset,
            until=until,
            lease_ends=lease_ends,
        )
        record.epoch += 1
    return True


_SLACK = 0.05  # seconds: the two clocks are compared through a network
