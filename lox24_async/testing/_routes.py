"""The operations: which request means which, and what it answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

from attrs import field, frozen

from lox24_async import Bulk, BulkStatus

from ._bulks import BULK_FILTERS, Bulks
from ._clock import Clock
from ._search import Found, InvalidQueryError, Query, as_boolean, as_uuid, find, read_query, several
from ._shapes import (
    BULK,
    SMS,
    CreatedAt,
    Problem,
    Resource,
    Version,
    collection,
    full,
    invalid,
    linked,
    linked_summary,
    summary,
)
from ._sms import SMS_FILTERS, Message, Messages
from ._validation import NotAnObjectError, fields_of, flaws_of, read_body

_ID: Final = r"/bulks/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"


class Settings(Protocol):
    """What the test has chosen."""

    page_size: int
    version: Version
    summary_created_at: CreatedAt
    price_per_message: Decimal | None
    groups: dict[int, int]
    funds: Decimal | None
    ignored_filters: set[str]


@frozen(kw_only=True)
class Call:
    """One request, as the operations see it."""

    method: str
    path: str
    pairs: Sequence[tuple[str, str]]
    content_type: str
    body: bytes
    ip: str | None
    json_ld: bool


@frozen
class Answer:
    """A good answer: its status and its JSON; the content of a 204 is ``None``."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(factory=dict[str, str])


class Routes:
    """Carries requests out on a postbox."""

    def __init__(self, settings: Settings, bulks: Bulks, clock: Clock) -> None:
        self._settings = settings
        self._bulks = bulks
        self._clock = clock
        self._collection: Mapping[str, Mapping[str, Callable[[Call], Answer | Problem]]] = {
            "/sms": {"GET": self._list_sms},
            "/bulks": {"GET": self._list, "POST": self._create},
            # The path of the dry run is not documented: that of /sms, by analogy.
            "/bulks/dryrun": {"POST": self._simulate},
        }
        self._item: Mapping[str, Mapping[str, Callable[[Call, Bulk], Answer | Problem]]] = {
            "": {"GET": self._read, "DELETE": self._delete},
            "/status": {"GET": self._status},
            "/cancel": {"PUT": self._cancel},
        }

    def answer(self, call: Call) -> Answer | Problem:
        """Carry a request out."""
        # As the framework's router: HEAD is a GET, OPTIONS is nothing of its own.
        method = "GET" if call.method == "HEAD" else call.method
        if call.path in self._collection:
            methods = self._collection[call.path]
            if method not in methods:
                return _wrong_method(methods)
            return methods[method](call)
        found = re.match(_ID, call.path)
        operations = None if found is None else self._item.get(call.path[found.end() :])
        if found is None or operations is None:
            return _not_found()
        if method not in operations:
            return _wrong_method(operations)
        bulk = self._bulks.get(UUID(found[1]))
        return _not_found() if bulk is None else operations[method](call, bulk)

    def _list(self, call: Call) -> Answer | Problem:
        try:
            query = self._query(call)
            found = find(self._bulks.all(), query, BULK_FILTERS, self._settings.page_size)
        except InvalidQueryError as error:
            return invalid([error.flaw])
        return self._page(BULK, found, [full(bulk) for bulk in found.members], call)

    def _list_sms(self, call: Call) -> Answer | Problem:
        try:
            query = self._query(call)
            messages = self._messages(query)
            rest = {name: said for name, said in query.items() if name not in ("bulk", "is_sent")}
            found = find(messages, rest, SMS_FILTERS, self._settings.page_size)
        except InvalidQueryError as error:
            return invalid([error.flaw])
        return self._page(SMS, found, found.members, call)

    def _query(self, call: Call) -> Query:
        ignored = self._settings.ignored_filters
        return {n: said for n, said in read_query(call.pairs).items() if n not in ignored}

    def _messages(self, query: Query) -> Messages:
        """Return the messages that ``bulk`` and ``is_sent`` leave, without making any."""
        bulks = self._bulks.all()
        if ids := {as_uuid("bulk", text) for text in several(query.get("bulk", {}))}:
            bulks = [bulk for bulk in bulks if str(bulk.uuid) in ids]
        sent = [as_boolean("is_sent", text) for text in several(query.get("is_sent", {}))]
        newest_first = sorted(bulks, key=BULK_FILTERS.rank["created_at"], reverse=True)
        return Messages(
            newest_first,
            self._bulks.sending,
            sent=sent[-1] if sent else None,
            now=self._clock.elapsed(),
            timestamp=lambda elapsed: int(self._clock.date(elapsed).timestamp()),
            price=float(self._settings.price_per_message or 0),
        )

    def _page(
        self,
        resource: Resource,
        found: Found[Bulk] | Found[Message],
        members: Sequence[Mapping[str, Any]],
        call: Call,
    ) -> Answer:
        if not call.json_ld:
            return Answer(200, members)
        content = collection(
            resource,
            members,
            call.pairs,
            page=found.page,
            last=found.last,
            total=found.total,
            version=self._settings.version,
        )
        return Answer(200, content)

    def _create(self, call: Call) -> Answer | Problem:
        bulk = self._drafted(call, is_dryrun=False)
        if isinstance(bulk, Problem):
            return bulk
        funds = self._settings.funds
        if funds is not None and bulk.price is not None and bulk.price > funds:
            return Problem(402, "Not enough funds on the account")
        return self._described(201, self._bulks.put(bulk), call)

    def _simulate(self, call: Call) -> Answer | Problem:
        bulk = self._drafted(call, is_dryrun=True)
        return bulk if isinstance(bulk, Problem) else self._described(201, bulk, call)

    def _drafted(self, call: Call, *, is_dryrun: bool) -> Bulk | Problem:
        """Return the bulk that a request describes, or what is wrong with it."""
        if call.content_type != "application/json":
            return Problem(415, "The content type of the body should be application/json")
        try:
            draft = read_body(call.body)
        except NotAnObjectError as error:
            return Problem(400, str(error))
        if flaws := flaws_of(draft):
            return invalid(flaws)
        fields = fields_of(draft)
        count = len(fields["phones"] or ())
        count += sum(self._settings.groups.get(group, 0) for group in fields["msg_groups"] or ())
        each = self._settings.price_per_message
        price = None if each is None else count * each
        fields |= {"msg_total_count": count, "price": price, "ip": call.ip, "is_dryrun": is_dryrun}
        return self._bulks.make(BulkStatus.NEW, **fields)

    def _read(self, call: Call, bulk: Bulk) -> Answer:
        return self._described(200, bulk, call)

    def _status(self, call: Call, bulk: Bulk) -> Answer:
        settings = self._settings
        plain = summary(bulk, settings.version, settings.summary_created_at)
        return Answer(200, linked_summary(plain, settings.version) if call.json_ld else plain)

    def _cancel(self, call: Call, bulk: Bulk) -> Answer | Problem:
        if not bulk.is_cancelable:  # the status of this refusal is not documented
            return Problem(422, "The bulk can not be cancelled in its status")
        return self._status(call, self._bulks.cancel(bulk.uuid))

    def _delete(self, _: Call, bulk: Bulk) -> Answer:
        self._bulks.remove(bulk.uuid)  # no rule is documented about its status
        return Answer(204, None)

    def _described(self, status: int, bulk: Bulk, call: Call) -> Answer:
        plain = full(bulk)
        linking = call.json_ld
        return Answer(status, linked(plain, BULK, self._settings.version) if linking else plain)


def _not_found() -> Problem:
    return Problem(404, "Resource not found")


def _wrong_method(methods: Mapping[str, object]) -> Problem:
    return Problem(405, "Method not allowed", headers={"Allow": ", ".join(methods)})
