"""Watches the attempts of calls, and tells the user's hook of each."""

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any, Final

from lox24_async._log import log
from lox24_async._wire.requests import Request
from lox24_async.errors import APIStatusError, Lox24Error, ResponseDecodeError
from lox24_async.retry import Attempt, Operation

from .call import Call


class Watch:
    """Watches the attempts of one call; this one does nothing, for nobody wants to know."""

    __slots__ = ()

    def begin(self, clock: Callable[[], float]) -> None:
        """An attempt begins."""

    def end(self, error: Lox24Error | None) -> None:
        """An attempt has come to its end."""

    def tell(self, *, will_retry: bool) -> None:
        """It is known now whether another is to follow."""


class Observer:
    """Has the attempts of calls watched; this one, for nobody."""

    _nobody: Final = Watch()

    def watch(self, request: Request[Any], call: Call) -> Watch:
        """Return what watches the attempts of a call."""
        return self._nobody


NOBODY: Final = Observer()


class Hook(Observer):
    """Calls the user's hook, whatever it does.

    Args:
        hook: Is called after every attempt.
    """

    def __init__(self, hook: Callable[[Attempt], object]) -> None:
        self._hook = hook
        self._complained = False

    def watch(self, request: Request[Any], call: Call) -> Watch:
        """Return what watches the attempts of a call."""
        return _HookWatch(self, request, call)

    def call(self, attempt: Attempt) -> None:
        """Tell of an attempt; what the hook raises is logged once, and changes nothing."""
        try:
            self._hook(attempt)
        except (Exception, CancelledError) as problem:  # noqa: BLE001  it is not ours
            if not self._complained:
                self._complained = True
                log.warning("on_attempt failed; this is said once", error=problem)


class _HookWatch(Watch):
    """Watches one call for a hook."""

    __slots__ = ("_begun", "_call", "_clock", "_error", "_hook", "_number", "_request", "_seconds")

    def __init__(self, hook: Hook, request: Request[Any], call: Call) -> None:
        self._hook = hook
        self._request = request
        self._call = call
        self._number = 0
        self._begun = 0.0
        self._seconds: float | None = None  # of an attempt that was not told of yet
        self._error: Lox24Error | None = None

    def begin(self, clock: Callable[[], float]) -> None:
        self._number += 1
        self._clock = clock
        self._begun = clock()

    def end(self, error: Lox24Error | None) -> None:
        self._seconds = self._clock() - self._begun
        self._error = error

    def tell(self, *, will_retry: bool) -> None:
        seconds, error, request = self._seconds, self._error, self._request
        self._seconds = self._error = None
        if seconds is None:
            return
        attempt = Attempt(
            operation=operation_of(request),
            bulk_id=self._call.bulk_id or None,
            number=self._number,
            seconds=seconds,
            status=request.status if error is None else status_of(error),
            error=error,
            request_id=request.request_id if error is None else request_id_of(error),
            will_retry=will_retry,
        )
        self._hook.call(attempt)


def status_of(error: Lox24Error) -> int | None:
    """Return the HTTP status that an error came with, if there was an answer."""
    return error.status if isinstance(error, APIStatusError | ResponseDecodeError) else None


def request_id_of(error: Lox24Error) -> str | None:
    """Return the request id that an error came with, if there was an answer with one."""
    return error.request_id if isinstance(error, APIStatusError | ResponseDecodeError) else None


def operation_of(request: Request[Any]) -> Operation:
    """Return what a request is for, by its method and path."""
    path = request.path.partition("?")[0]
    match request.method:
        case "PUT":
            return "cancel"
        case "DELETE":
            return "delete"
        case "POST":
            return "simulate" if path.endswith("/dryrun") else "create"
        case _:
            if path.endswith("/status"):
                return "status"
            if path.endswith("/sms"):
                return "messages"
            return "list" if path.endswith("/bulks") else "get"
