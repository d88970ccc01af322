"""What can go wrong, as types.

Every error is a ``Lox24Error``, says in one sentence what happened, can be pickled and
copied, and holds neither the token nor an object of the HTTP library.

Source of the status codes: https://doc.lox24.eu/api/
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from attrs import field, frozen

from ._public import public
from .models import Bulk


@public
class Headers(Mapping[str, str]):  # noqa: PLW1641  no key of a dict
    """The headers of an answer; names are compared without regard to case."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        # Not the HTTP library's own kinds of str: the error may be unpickled without it.
        self._items = {n.lower(): (str(n), str(v)) for n, v in (items or {}).items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return super().__eq__(other)
        return self._plain() == other._plain()

    def _plain(self) -> dict[str, str]:
        return {name: value for name, (_, value) in self._items.items()}

    def __reduce__(self) -> tuple[type["Headers"], tuple[dict[str, str]]]:
        return Headers, (dict(self),)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


@public
@frozen
class Violation:
    """One rule that the server found broken: which field, and how."""

    property_path: str | None
    message: str | None
    code: str | None = field(default=None, repr=False)


@public
class Lox24Error(Exception):
    """The base of all errors of this library.

    Attributes:
        outcome_unknown: The request may have been carried out: its fate is not known.
        attempts: How many times the request went out on the wire. 0: it never left.
        bulk_id: The bulk concerned, if any.
    """

    summary: ClassVar[str] = ""
    doubt: str = "the bulk may have been cancelled"
    """What may have happened, said when ``outcome_unknown``."""

    def __init__(
        self,
        message: str,
        *,
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.bulk_id = bulk_id
        self.attempts = attempts
        self.outcome_unknown = outcome_unknown

    def __str__(self) -> str:
        said = ": ".join(part for part in (self._headline(), self.message) if part).rstrip(".")
        if self.outcome_unknown:
            said += f"; {self.doubt}"
        facts = ", ".join(self._facts())
        return f"{said} [{facts}]" if facts else said

    def _headline(self) -> str:
        return self.summary

    def _facts(self) -> Iterator[str]:
        if self.bulk_id is not None:
            yield f"bulk {self.bulk_id}"
        if self.attempts > 1:
            yield f"{self.attempts} attempts"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self)._rebuild, (self.args, vars(self))

    @classmethod
    def _rebuild(cls, args: tuple[Any, ...], state: dict[str, Any]) -> Self:
        # Not through __init__: each class has its own signature, all have args and a dict.
        error = cls.__new__(cls, *args)
        error.args = args
        vars(error).update(state)
        return error


@public
class ConfigurationError(Lox24Error, ValueError):
    """The client was set up with a value that cannot work. Nothing was sent."""


@public
class InvalidBulkIdError(Lox24Error, ValueError):
    """The id is no bulk id (8-4-4-4-12 hex digits). Nothing was sent."""


@public
class ClientClosedError(Lox24Error, RuntimeError):
    """The client was closed before the call could be made or come to its end."""


@public
class TransportError(Lox24Error):
    """No complete answer arrived: the connection was lost or what came was no HTTP.

    Attributes:
        answered: A success had begun to arrive, or came for another bulk: whatever became of
            the request, the token works.
    """

    answered: bool = False


@public
class ConnectionFailedError(TransportError):
    """No connection was made (DNS, refused, TLS, proxy): the request never left.

    Attributes:
        tls: The TLS handshake failed.
        proxy: The proxy refused to connect us (401, 403, 407).
    """

    def __init__(
        self,
        message: str,
        *,
        tls: bool = False,
        proxy: bool = False,
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.tls = tls
        self.proxy = proxy

    @property
    def final(self) -> bool:
        """Whether a repeat would not help."""
        return self.tls or self.proxy


@public
class RequestTimeoutError(TransportError, TimeoutError):
    """The attempt or the whole call ran out of time."""


@public
class IntermediaryError(TransportError):
    """Something between LOX24 and us answered in LOX24's stead: no verdict about the bulk.

    An ingress in mid-deploy, a wrong virtual host, a firewall: a 4xx with a body that is no
    JSON object and without LOX24's request id.

    Attributes:
        status: The HTTP status of the answer.
        body: The start of the answer's body, made printable.
        headers: The headers of the answer.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.status = status
        self.body = body
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)

    def _facts(self) -> Iterator[str]:
        yield f"HTTP {self.status}" + ("" if self.attempts else ", not sent")
        yield from super()._facts()


@public
class ResponseDecodeError(Lox24Error):
    """The server answered with something that is no bulk.

    Attributes:
        status: The HTTP status of the answer.
        body: The start of the answer's body, made printable.
        request_id: ``X-LOX24-REQUEST-ID`` of the answer, to quote to LOX24's support.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str = "",
        request_id: str | None = None,
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.status = status
        self.body = body
        self.request_id = request_id

    def _facts(self) -> Iterator[str]:
        yield f"HTTP {self.status}"
        yield from super()._facts()
        if self.request_id is not None:
            yield f"request id {self.request_id}"


@public
class JournalError(Lox24Error, OSError):
    """A journal cannot be opened or read, or another run writes to it. Nothing was sent.

    A write that fails while a run goes on never raises: it is told by ``CancelJournal.error``.

    Attributes:
        path: The journal's file.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.path = path

    def _facts(self) -> Iterator[str]:
        yield from super()._facts()
        if self.path:
            yield self.path


@public
class APIStatusError(Lox24Error):
    """The server answered with a status that is no success.

    Also raised by the guard, in the server's stead, for a request that it did not let out;
    then ``attempts`` is 0.

    Attributes:
        status: The HTTP status.
        message: What the server said, else the status in words.
        detail: The answer's ``detail`` (or ``hydra:description``), if any.
        violations: The rules that the server found broken.
        request_id: ``X-LOX24-REQUEST-ID`` of the answer, to quote to LOX24's support.
        retry_after: Seconds to wait before the next try, if known.
        headers: The headers of the answer.
        body: The start of the answer's body, made printable.
        method: The HTTP method of the request.
        url: The URL of the request; of a listing without its filter.
        intermediary: Whether, most likely, not LOX24 but something before it said so: a 401,
            403 or 429 that has not LOX24's form. Any other 4xx of that kind is an
            ``IntermediaryError``.
    """

    intermediary: bool = False

    def __init__(
        self,
        message: str,
        *,
        status: int,
        detail: str | None = None,
        violations: tuple[Violation, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        method: str = "",
        url: str = "",
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.status = status
        self.detail = detail
        self.violations = violations
        self.request_id = request_id
        self.retry_after = retry_after
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body
        self.method = method
        self.url = url

    def _headline(self) -> str:
        if self.intermediary:
            return "refused, most likely by an intermediary before LOX24"
        return self.summary

    def _facts(self) -> Iterator[str]:
        yield f"HTTP {self.status}" + ("" if self.attempts else ", not sent")
        yield from super()._facts()
        if self.request_id is not None:
            yield f"request id {self.request_id}"
        if self.retry_after is not None:
            digits = 0 if self.retry_after >= 10 or self.retry_after == int(self.retry_after) else 1
            yield f"try again in {self.retry_after:.{digits}f} s"


@public
class BadRequestError(APIStatusError):
    """400: the server found the input invalid."""

    summary = "LOX24 found the request invalid"


@public
class AuthenticationError(APIStatusError):
    """401: the client id or the API key is wrong or not active."""

    summary = "LOX24 refused the token"


@public
class InsufficientFundsError(APIStatusError):
    """402: not enough money on the account."""

    summary = "the account has not enough funds"


@public
class AccountNotActivatedError(APIStatusError):
    """403: the account (or its key) is not activated, or is blocked."""

    summary = "the account is not activated"


@public
class NotFoundError(APIStatusError):
    """404: there is no such bulk for this account."""

    summary = "not found at LOX24"


@public
class ConflictError(APIStatusError):
    """409: the request conflicts with the state of things."""

    summary = "the request conflicts with the bulk's state"


@public
class UnprocessableError(APIStatusError):
    """422: a well-formed request that the server cannot follow."""

    summary = "LOX24 cannot do what was asked"


@public
class NotCancelableError(UnprocessableError):
    """The bulk can no longer be cancelled: a look at it found it in a final state.

    Attributes:
        bulk: The bulk as the look found it.
    """

    summary = "too late to cancel"

    def __init__(
        self,
        message: str,
        *,
        bulk: Bulk,
        status: int = 422,
        detail: str | None = None,
        violations: tuple[Violation, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        method: str = "",
        url: str = "",
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            status=status,
            detail=detail,
            violations=violations,
            request_id=request_id,
            retry_after=retry_after,
            headers=headers,
            body=body,
            method=method,
            url=url,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.bulk = bulk

    @classmethod
    def from_look(cls, bulk: Bulk, cause: Lox24Error) -> Self:
        """Make the error from what the look found and the error that made us look."""
        said = getattr(bulk.status_code, "name", str(bulk.status_code)).lower().replace("_", " ")
        message = f"the bulk is {said}"
        if not isinstance(cause, BadRequestError | ConflictError | UnprocessableError):
            return cls(message, bulk=bulk, bulk_id=cause.bulk_id, attempts=cause.attempts)
        return cls(
            f"{message} ({cause.message})",
            bulk=bulk,
            status=cause.status,
            detail=cause.detail,
            violations=cause.violations,
            request_id=cause.request_id,
            retry_after=cause.retry_after,
            headers=cause.headers,
            body=cause.body,
            method=cause.method,
            url=cause.url,
            bulk_id=cause.bulk_id,
            attempts=cause.attempts,
        )


@public
class IPBlockedError(APIStatusError):
    """429: LOX24 answers nothing from this IP for a while.

    More than three requests with wrong credentials within a minute block an IP for ten
    minutes. A 429 may also be a plain rate limit; the code does not tell.

    Attributes:
        retry_after: Seconds until the next probe may go out.
        blocked_until: When the block should be over (aware, UTC).
    """

    summary = "LOX24 blocks or limits this IP"

    def __init__(
        self,
        message: str,
        *,
        blocked_until: datetime | None = None,
        status: int = 429,
        detail: str | None = None,
        violations: tuple[Violation, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        method: str = "",
        url: str = "",
        bulk_id: str | None = None,
        attempts: int = 0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(
            message,
            status=status,
            detail=detail,
            violations=violations,
            request_id=request_id,
            retry_after=retry_after,
            headers=headers,
            body=body,
            method=method,
            url=url,
            bulk_id=bulk_id,
            attempts=attempts,
            outcome_unknown=outcome_unknown,
        )
        self.blocked_until = blocked_until


@public
class HeldBackError(IPBlockedError):
    """Nothing is blocked: the guard waits, for one more request might be the one too many.

    Three requests within a minute were wrong, or nobody saw whether they were. Nothing is
    sent with a token that is not proven until LOX24 has forgotten one of them.

    Attributes:
        retry_after: Seconds until the next request may go out.
        blocked_until: That moment (aware, UTC).
    """

    summary = "held back, so that LOX24 does not block this IP"


@public
class ServerError(APIStatusError):
    """5xx: the server or a gateway before it failed."""

    summary = "LOX24 failed"


STATUS_ERRORS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: AccountNotActivatedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: IPBlockedError,
}


def error_class(status: int) -> type[APIStatusError]:
    """Return the class that stands for a status."""
    return STATUS_ERRORS.get(status, ServerError if status >= 500 else APIStatusError)


def status_of(kind: type[APIStatusError]) -> int | None:
    """Return the status that a class stands for, if it is one."""
    return next(
        (status for status, other in STATUS_ERRORS.items() if issubclass(kind, other)), None
    )


def without_frames(error: Lox24Error) -> Lox24Error:
    """Prepare an error for a long life: without the frames that its traceback holds."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
