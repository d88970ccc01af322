"""The other operations that change something: create, simulate and delete a bulk."""

from typing import Final

from lox24_async._transport.call import Call
from lox24_async._transport.engine import Engine
from lox24_async._wire.requests import create_request, delete_request
from lox24_async.drafts import BulkDraft
from lox24_async.errors import NotFoundError
from lox24_async.models import BulkT

_CREATED: Final = (
    "the bulk may have been created: look with"
    " list_bulks(BulkFilter(sender_id=…, created_from=…)) before you send it again"
)
_SIMULATED: Final = "the simulation may have been carried out"
_DELETED: Final = "the bulk may have been deleted"


async def create(
    engine: Engine, draft: BulkDraft, form: type[BulkT], deadline: float | None, *, dry_run: bool
) -> BulkT:
    """Create or simulate a bulk. Goes out again only if it certainly was not accepted."""
    request = create_request(draft, form, dry_run=dry_run)
    call = Call(
        "",
        deadline,
        name=str(request),
        doubt=_SIMULATED if dry_run else _CREATED,
        repeatable=False,
    )
    return await engine.perform(request, call)


async def delete(engine: Engine, bulk_id: str, deadline: float | None) -> None:
    """Delete a bulk. A 404 to a repeat after a lost answer means that it is done."""
    try:
        await engine.perform(delete_request(bulk_id), Call(bulk_id, deadline, doubt=_DELETED))
    except NotFoundError as error:
        if not error.outcome_unknown:
            raise
