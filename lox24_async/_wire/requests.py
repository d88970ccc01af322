"""The requests: one function for each operation, and what each makes of its answer.

Pure: no I/O. Source: https://doc.lox24.eu/api/ and the operations' own pages.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from lox24_async.drafts import BulkDraft
from lox24_async.errors import ConfigurationError
from lox24_async.models import Bulk, BulkT, JsonLdBulk

from .converter import make_converter
from .json import write_json
from .query import seconds_up

R = TypeVar("R")

SHORT: Final = 1 << 20
"""Bytes that an answer about one bulk's state may have; LOX24's have some hundred."""
LONG: Final = 1 << 24
"""Bytes that an answer with texts and recipients may have: a million recipients."""

ACCEPT: Final[Mapping[type[Bulk], str]] = {
    Bulk: "application/json",
    JsonLdBulk: "application/ld+json",
}
"""The media type of each form."""
_converter = make_converter()
STRUCTURE: Final[Mapping[type[Bulk], Any]] = {
    form: _converter.get_structure_hook(form) for form in ACCEPT
}
"""What makes a bulk of a decoded body, for each form."""


class WrongBulkError(Exception):
    """A sound answer for another bulk: the connection is out of step."""


class Request(ABC, Generic[R]):
    """One request, without the parts that are the same for all (origin, token).

    Args:
        method: The HTTP method.
        path: With the query, encoded.
        accept: The media type to ask for.
        bulk_id: The bulk concerned, if it is one.
        body: The JSON text to send.
        limit: Bytes that the answer may have.
    """

    # A plain class: each of thousands of ids has one, and an attrs class costs more to make.
    __slots__ = ("accept", "body", "bulk_id", "limit", "method", "path", "request_id", "status")

    empty = False
    """Whether a success has no body to read."""

    def __init__(
        self,
        method: str,
        path: str,
        accept: str,
        *,
        bulk_id: str | None = None,
        body: bytes | None = None,
        limit: int = SHORT,
    ) -> None:
        self.method = method
        self.path = path
        self.accept = accept
        self.bulk_id = bulk_id
        self.body = body
        self.limit = limit
        self.request_id: str | None = None
        """``X-LOX24-REQUEST-ID`` of the last answer."""
        self.status: int | None = None
        """The HTTP status of the last answer."""

    def __str__(self) -> str:
        return f"{self.method} {self.shown_path}"

    @property
    def shown_path(self) -> str:
        """The path for logs and errors."""
        return self.path

    @property
    def changes(self) -> bool:
        """Whether carrying it out changes anything: a lost answer then leaves a doubt."""
        return self.method != "GET"

    def sign(self, bulk: BulkT) -> BulkT:
        """Write into a bulk, which nobody else has seen yet, which answer it came with."""
        object.__setattr__(bulk, "request_id", self.request_id)
        return bulk

    @abstractmethod
    def read(self, raw: Any) -> R:
        """Make the result of a success's decoded body.

        Raises:
            ValueError: it is not what was asked for.
            WrongBulkError: it is, but of another bulk.
        """


class BulkRequest(Request[BulkT]):
    """Its answer is a bulk: if it is about one, that one."""

    __slots__ = ("_form",)

    def __init__(
        self,
        method: str,
        path: str,
        form: type[BulkT],
        *,
        bulk_id: str | None = None,
        body: bytes | None = None,
        limit: int = SHORT,
    ) -> None:
        super().__init__(method, path, ACCEPT[form], bulk_id=bulk_id, body=body, limit=limit)
        self._form = form

    def read(self, raw: Any) -> BulkT:
        """Return the bulk."""
        bulk: BulkT = STRUCTURE[self._form](raw, self._form)
        if self.bulk_id is not None and raw["uuid"].lower() != self.bulk_id:
            raise WrongBulkError(str(bulk.uuid))
        return self.sign(bulk)


class EmptyRequest(Request[None]):
    """Its answer has no body."""

    __slots__ = ()
    empty = True

    def read(self, raw: Any) -> None:
        """Return nothing."""


def check_form(form: object) -> None:
    """Refuse a form that is not ours.

    Raises:
        ConfigurationError: neither ``Bulk`` nor ``JsonLdBulk``.
    """
    if form is not Bulk and form is not JsonLdBulk:
        raise ConfigurationError("form must be Bulk or JsonLdBulk")


def cancel_request(bulk_id: str, form: type[BulkT]) -> Request[BulkT]:
    """``PUT /bulks/{id}/cancel``, without a body."""
    return BulkRequest("PUT", f"/bulks/{bulk_id}/cancel", form, bulk_id=bulk_id)


def status_request(bulk_id: str, form: type[BulkT]) -> Request[BulkT]:
    """``GET /bulks/{id}/status``."""
    return BulkRequest("GET", f"/bulks/{bulk_id}/status", form, bulk_id=bulk_id)


def item_request(bulk_id: str, form: type[BulkT]) -> Request[BulkT]:
    """``GET /bulks/{id}``."""
    return BulkRequest("GET", f"/bulks/{bulk_id}", form, bulk_id=bulk_id, limit=LONG)


def write_draft(draft: BulkDraft) -> dict[str, Any]:
    """Write a draft as the JSON object of a creation, by the wire's names.

    Absent are recipients that the draft has none of, and options left to the server.
    ``delivery_at`` is always there, rounded up so that nothing is sent too early; 0 is at
    once.
    """
    at = seconds_up(draft.delivery_at)
    body: dict[str, Any] = {
        "sender_id": str(draft.sender_id),
        "text": str(draft.text),
        "service_code": str(draft.service_code),
    }
    if draft.phones:
        body["phones"] = [str(phone) for phone in draft.phones]
    if draft.msg_groups:
        body["msg_groups"] = [int(group) for group in draft.msg_groups]
    body["delivery_at"] = at or 0  # 0: at once
    if draft.is_unicode is not None:
        body["is_unicode"] = draft.is_unicode
    if draft.source is not None:
        body["source"] = int(draft.source)
    if draft.voice_lang is not None:
        body["voice_lang"] = str(draft.voice_lang)
    return body


def create_request(draft: BulkDraft, form: type[BulkT], *, dry_run: bool) -> Request[BulkT]:
    """``POST /bulks``, or ``POST /bulks/dryrun``, whose path is inferred."""
    body = write_json(write_draft(draft)).encode()
    path = "/bulks/dryrun" if dry_run else "/bulks"
    return BulkRequest("POST", path, form, body=body, limit=LONG)


def delete_request(bulk_id: str) -> Request[None]:
    """``DELETE /bulks/{id}``."""
    return EmptyRequest("DELETE", f"/bulks/{bulk_id}", ACCEPT[Bulk], bulk_id=bulk_id)
