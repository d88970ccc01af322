"""The messages of a bulk: a page of them, and how many there are.

There is no address for the messages of one bulk: they are found among all messages by a
filter. Its name (``bulk``) is that of the vendor's own client, the documentation only says
that there is one; ``is_sent`` stands in both. A framework ignores a filter that it does not
know, without a word. So each page is checked, and an answer with a message that should not be
on it is refused, and so is one that lists the server's filters without ours: no number is
better than a wrong one.

Source: https://doc.lox24.eu/api/operations/api_sms_get_collection/
"""

from typing import Any, Final

from lox24_async.models import Bulk, BulkMessage, JsonLdBulk, Page

from .converter import structure_message
from .json import is_list, is_object
from .pages import get, read_page
from .query import write_message_query
from .requests import ACCEPT, LONG, R, Request

_DOCUMENTED: Final = frozenset({"is_sent", "is_unicode", "uuid", "status_code", "dlr_code"})
"""Filters by which one can tell a server's own list of them from an example of the docs."""


class _MessageRequest(Request[R]):
    """Its answer is one page of a bulk's messages.

    Args:
        bulk_id: Whose messages; checked.
        sent: Only those that were sent, or were not; ``None``: all.
        page: From 1.
        form: ``Bulk`` asks for plain JSON, ``JsonLdBulk`` for JSON-LD.
    """

    __slots__ = ("_bulk_id", "_page", "_sent")

    def __init__(self, bulk_id: str, sent: bool | None, page: int, form: type[Bulk]) -> None:
        query = write_message_query(bulk_id, sent, page)
        super().__init__("GET", f"/sms?{query}", ACCEPT[form], bulk_id=bulk_id, limit=LONG)
        self._bulk_id = bulk_id
        self._sent = sent
        self._page = page

    @property
    def shown_path(self) -> str:
        """The path without order and other filters."""
        return f"/sms?bulk={self._bulk_id}&page={self._page}"

    def _read_page(self, raw: Any) -> Page[BulkMessage]:
        wanted = {"bulk"} if self._sent is None else {"bulk", "is_sent"}
        known = _filters(raw)
        if known & _DOCUMENTED and not wanted <= known:  # else it is no list of filters
            raise ValueError(f"the server has no filter {min(wanted - known)}")
        return read_page(raw, self._page, self._one, "messages")

    def _one(self, raw: Any) -> BulkMessage:
        message = structure_message(raw)
        # What a message does not tell cannot be held against it. A null tells: of no bulk.
        said = raw.get("bulk_id", self._bulk_id)
        if not (isinstance(said, str) and said.lower() == self._bulk_id):
            raise ValueError("a message of another bulk is among them (was the filter ignored?)")
        if self._sent is not None and message.is_sent is (not self._sent):
            odd = "not sent" if self._sent else "sent already"
            raise ValueError(f"a message that was {odd} is among them (was the filter ignored?)")
        return message


class MessagePageRequest(_MessageRequest[Page[BulkMessage]]):
    """Its answer is one page of a bulk's messages."""

    __slots__ = ()

    def read(self, raw: Any) -> Page[BulkMessage]:
        """Return the page."""
        return self._read_page(raw)


class MessageCountRequest(_MessageRequest[int]):
    """Its answer tells how many messages there are. Only JSON-LD does."""

    __slots__ = ()

    def __init__(self, bulk_id: str, sent: bool | None) -> None:
        super().__init__(bulk_id, sent, 1, JsonLdBulk)

    def read(self, raw: Any) -> int:
        """Return the number."""
        page = self._read_page(raw)
        if page.total is None:
            raise ValueError("it does not tell how many messages there are")
        if page.total < len(page.items) or (page.total and not page.items):
            raise ValueError(
                f"it tells of {page.total} messages, but its first page has {len(page.items)}"
            )
        return page.total


def _filters(raw: Any) -> set[str]:
    """Return the names of the filters that a collection says it has; mostly it says none."""
    search = get(raw, "search") if is_object(raw) else None
    mapping = get(search, "mapping") if is_object(search) else None
    names = [one.get("variable") for one in mapping if is_object(one)] if is_list(mapping) else []
    return {name.removesuffix("[]") for name in names if isinstance(name, str)}
