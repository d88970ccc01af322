"""Scripted faults: what the gateway is to do wrong, to which request."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from attrs import define, field, frozen

from ._public import public

Drop = Literal["before", "after", "within"]


@public
@frozen(kw_only=True)
class Fault:
    """One thing to do wrong with one request.

    Args:
        status: Answer with this status.
        headers: More headers for that answer (``Retry-After``, say).
        body: Answer with this body (status 200 unless given).
        drop: Close the connection: ``"before"`` or ``"after"`` carrying the request out,
            or ``"within"`` the answer, when it is carried out and half of it is sent.
        executed: Carry the request out before the answer of ``status``.
        delay: Seconds to wait before the answer.
        method: Only for requests of this method.
        bulk_id: Only for requests about this bulk.
        request_id: Whether the answer has LOX24's request id; one without is the word of
            something in between.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(factory=dict[str, str])
    body: str | bytes | None = None
    drop: Drop | None = None
    executed: bool = False
    delay: float = 0.0
    method: str | None = None
    bulk_id: str | None = None
    request_id: bool = True

    def __attrs_post_init__(self) -> None:
        if self.status is None and self.drop is None and not self.delay and self.body is None:
            raise ValueError("a fault needs a status, a body, a drop or a delay")
        if self.drop not in (None, "before", "after", "within"):
            raise ValueError("drop is 'before', 'after' or 'within'")

    def fits(self, method: str, path: str) -> bool:
        """Whether it is meant for this request; the path is the one with the query."""
        about = self.bulk_id is None or f"/{self.bulk_id}" in path or f"bulk={self.bulk_id}" in path
        return about and self.method in (None, method)

    @property
    def executes(self) -> bool:
        """Whether the request is carried out all the same."""
        if self.drop is not None:
            return self.drop != "before"
        return self.executed or self.status is None


@define
class Script:
    """The faults to come, in order."""

    _faults: list[Fault] = field(factory=list[Fault])

    def add(self, fault: Fault, times: int) -> None:
        """Do wrong the next ``times`` requests that fit."""
        self._faults.extend([fault] * times)

    def next_for(self, method: str, path: str) -> Fault | None:
        """Take the first fault that is meant for this request."""
        for index, fault in enumerate(self._faults):
            if fault.fits(method, path):
                return self._faults.pop(index)
        return None

    def clear(self) -> None:
        """Do nothing wrong any more."""
        self._faults.clear()


def plain_id(bulk_id: UUID | str | None) -> str | None:
    """Return an id in its plain form."""
    return None if bulk_id is None else str(bulk_id).lower()
