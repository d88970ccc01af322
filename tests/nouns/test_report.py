"""What a report keeps of an id when a later run writes into it again."""

import pytest

from lox24_async import (
    AuthenticationError,
    Bulk,
    CancelOutcome,
    CancelReport,
    CancelState,
    ConflictError,
    Lox24Error,
)
from lox24_async.report import note
from lox24_async.testing import FakeLox24

from .test_packed import thrift

__all__ = ["thrift"]

ID = "da0fa78c-4699-11ea-a637-96000028b339"
VERDICT = ConflictError("too late", status=409)
NO_VERDICT = AuthenticationError("no", status=401)


def outcome(state: CancelState, error: Lox24Error | None = None) -> CancelOutcome:
    """Return what a run found out."""
    return CancelOutcome(ID, state, error=error)


FOUND = outcome(CancelState.CANCELED)
MISSING = outcome(CancelState.NOT_FOUND)
UNSENT = outcome(CancelState.NOT_SENT)
JUDGED = outcome(CancelState.REJECTED, VERDICT)
TURNED_AWAY = outcome(CancelState.REJECTED, NO_VERDICT)
DOUBTFUL = outcome(CancelState.UNKNOWN)


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("before", "after", "learnt"),
    [
        (MISSING, UNSENT, False),
        (MISSING, TURNED_AWAY, False),
        (MISSING, JUDGED, True),
        (MISSING, FOUND, True),
        (JUDGED, UNSENT, False),
        (JUDGED, TURNED_AWAY, False),
        (JUDGED, MISSING, True),
        (TURNED_AWAY, UNSENT, False),
        (TURNED_AWAY, JUDGED, True),
        (DOUBTFUL, UNSENT, False),
        (DOUBTFUL, JUDGED, False),
        (DOUBTFUL, MISSING, True),
        (UNSENT, TURNED_AWAY, True),
        (UNSENT, DOUBTFUL, True),
        (FOUND, MISSING, False),
    ],
)
def test_later_outcome_counts_unless_it_knows_less(
    before: CancelOutcome, after: CancelOutcome, learnt: bool
) -> None:
    """A refused token or a run that did not come to it says nothing of the bulk."""
    report = CancelReport()
    note(report, ID, before)
    note(report, ID, after)
    assert report[ID] is (after if learnt else before)


async def test_what_is_left_to_do_is_found_among_what_is_done(fake_lox24: FakeLox24) -> None:
    """Also where the many that are cancelled are kept in little memory."""
    report = CancelReport()
    for _ in range(3):
        bulk: Bulk = fake_lox24.add_bulk(15)
        done = CancelOutcome(str(bulk.uuid), CancelState.CANCELED, bulk, None, 1, bulk.request_id)
        note(report, done.bulk_id, done)
    note(report, ID, DOUBTFUL)
    assert (ID,) == report.unfinished() == report.unresolved()
