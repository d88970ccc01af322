"""The operations on one bulk beside its cancel: get, watch, create, delete."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, overload
from uuid import UUID

from ._call import Call
from ._config import check_kind, check_number
from ._ids import check_bulk_id
from ._operations import BulkT, FormT, Operations
from ._polling import is_final, poll
from ._requests import (
    create_request,
    delete_request,
    item_request,
    status_request,
)
from .errors import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from .drafts import BulkDraft

_CREATED = (
    "the bulk may have been created: look with"
    " list_bulks(BulkFilter(sender_id=…, created_from=…)) before you send it again"
)
_DELETED = "the bulk may have been deleted"


class Postbox(Operations[FormT]):
    """Chapter: get, watch, create and delete bulks."""

    @overload
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def get_bulk(
        self, bulk_id: UUID | str, *, form: type[Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Get a bulk in its full form, with text and recipients.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else.

        Source: https://doc.lox24.eu/api/operations/api_bulks_get_item/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        call = Call(bulk_id, self._engine.deadline(timeout))
        return await self._engine.perform(item_request(bulk_id, form), call)

    @overload
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def get_bulk_status(
        self, bulk_id: UUID | str, *, form: type[Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Get the short form of a bulk: where it stands, without text and recipients.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else.

        Source: https://doc.lox24.eu/api/operations/get_status/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        call = Call(bulk_id, self._engine.deadline(timeout))
        return await self._engine.perform(status_request(bulk_id, form), call)

    @overload
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[BulkT], object] | None = None,
        poll_interval: float = 2.0,
        form: type[BulkT],
        timeout: float | None = None,
    ) -> BulkT: ...
    @overload
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[FormT], object] | None = None,
        poll_interval: float = 2.0,
        form: None = None,
        timeout: float | None = None,
    ) -> FormT: ...
    async def wait_for_bulk(
        self,
        bulk_id: UUID | str,
        *,
        until: Callable[[Any], object] | None = None,
        poll_interval: float = 2.0,
        form: type[Any] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Look at a bulk's status until it is where you want it.

        LOX24 tells nobody that a bulk has ended, so this asks: at first after
        ``poll_interval``, later less and less often (in the end about every 30 seconds, or
        ``poll_interval`` if that is longer), with jitter, and once more a second before the
        time is over.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            until: Says whether this is it; ``None``: any final state (``is_final``).
            poll_interval: Seconds before the second look.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for all of it; ``None``: as long as it takes.

        Raises:
            InvalidBulkIdError: before any request.
            RequestTimeoutError: it was not there in time.
            Lox24Error: a look failed for good, as :meth:`get_bulk_status` would.

        Source: https://doc.lox24.eu/api/operations/get_status/
        """
        bulk_id, form = check_bulk_id(bulk_id), self._check(form, timeout)
        check_number("poll_interval", poll_interval, least=0.001)
        if until is not None and (not callable(until) or iscoroutinefunction(until)):
            # A coroutine would always count as true.
            raise ConfigurationError("until must be a plain function of a bulk")
        return await poll(
            self._engine,
            bulk_id,
            form,
            is_final if until is None else until,
            interval=poll_interval,
            deadline=self._engine.deadline(timeout),
        )

    @overload
    async def create_bulk(
        self, draft: "BulkDraft", *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def create_bulk(
        self, draft: "BulkDraft", *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def create_bulk(
        self, draft: "BulkDraft", *, form: type[Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Create a bulk: its messages are sent, and cost money.

        LOX24 has no key that would make a repeat harmless, so the request goes out again
        only if it certainly never left or was certainly not accepted: no connection, or a
        429. If the answer is lost the error has ``outcome_unknown``: look for the bulk with
        ``list_bulks(BulkFilter(sender_id=…, created_from=…))`` before you send it again.

        Args:
            draft: What to send, to whom, and when.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing and waits included.

        Returns:
            The bulk as LOX24 created it, most likely in status 0: recipients are counted
            and messages are sent afterwards.

        Raises:
            BadRequestError: ``violations`` says which fields.
            InsufficientFundsError: documented for single messages, inferred for bulks.
            Lox24Error: anything else; see ``outcome_unknown``.

        Source: https://doc.lox24.eu/api/operations/api_bulks_post_collection/
        """
        return await self._create(draft, form, timeout, dry_run=False)

    @overload
    async def simulate_bulk(
        self, draft: "BulkDraft", *, form: type[BulkT], timeout: float | None = None
    ) -> BulkT: ...
    @overload
    async def simulate_bulk(
        self, draft: "BulkDraft", *, form: None = None, timeout: float | None = None
    ) -> FormT: ...
    async def simulate_bulk(
        self, draft: "BulkDraft", *, form: type[Any] | None = None, timeout: float | None = None
    ) -> Any:
        """Let LOX24 check a draft without sending anything.

        That the operation exists is documented, its path (``POST /bulks/dryrun``) and answer
        are inferred from those of single messages. Repeated as :meth:`create_bulk` is.

        Args:
            draft: What would be sent.
            form: ``Bulk`` or ``JsonLdBulk``; ``None``: as the client was set up.
            timeout: Seconds for the whole call: queueing and waits included.

        Returns:
            The bulk as LOX24 would create it.

        Raises:
            Lox24Error: as :meth:`create_bulk`.

        Source: https://doc.lox24.eu/de/api/operations/api_bulks_post_dryrun_collection/
        """
        return await self._create(draft, form, timeout, dry_run=True)

    async def _create(
        self, draft: "BulkDraft", form: type[Any] | None, timeout: float | None, *, dry_run: bool
    ) -> Any:
        form = self._check(form, timeout)
        from .drafts import BulkDraft  # noqa: PLC0415

        check_kind("draft", draft, BulkDraft)
        request = create_request(draft, form, dry_run=dry_run)
        call = Call(
            "",
            self._engine.deadline(timeout),
            name=str(request),
            doubt="the simulation may have been carried out" if dry_run else _CREATED,
            repeatable=False,
        )
        return await self._engine.perform(request, call)

    async def delete_bulk(self, bulk_id: UUID | str, *, timeout: float | None = None) -> None:
        """Delete a bulk for good. This cannot be undone.

        The bulk also disappears from the itemised bill, so that LOX24 accepts no complaint
        about it any more. Which states can be deleted is not documented; a delete is no
        cancel: stop a bulk with :meth:`cancel_bulk`.

        Repeated after a lost answer; a 404 to such a repeat is taken for "done". A 404 to
        the first request is raised.

        Args:
            bulk_id: A ``UUID``, or a string of 8-4-4-4-12 hex digits.
            timeout: Seconds for the whole call: queueing, waits and repeats included.

        Raises:
            InvalidBulkIdError: before any request.
            NotFoundError: LOX24 does not know the bulk.
            Lox24Error: anything else; ``outcome_unknown``: it may have been deleted.

        Source: https://doc.lox24.eu/api/operations/api_bulks_delete_item/
        """
        bulk_id = check_bulk_id(bulk_id)
        self._check(None, timeout)
        call = Call(bulk_id, self._engine.deadline(timeout), doubt=_DELETED)
        try:
            await self._engine.perform(delete_request(bulk_id), call)
        except NotFoundError as error:
            if not error.outcome_unknown:
                raise
