"""What can go wrong, as types: who is whose child, what is said, and that nothing is lost."""

import copy
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from lox24_async import (
    AccountNotActivatedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Bulk,
    BulkStatus,
    CancelFailedError,
    CancelOutcome,
    CancelReport,
    CancelState,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    Headers,
    HeldBackError,
    InsufficientFundsError,
    IntermediaryError,
    InvalidBulkIdError,
    IPBlockedError,
    JournalError,
    JsonLdBulk,
    Lox24Error,
    NotCancelableError,
    NotFoundError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerError,
    TransportError,
    UnprocessableError,
    Violation,
)
from lox24_async.errors import error_class
from lox24_async.report import note

ID = "da0fa78c-4699-11ea-a637-96000028b339"
REQUEST_ID = "0123456789abcdef0123456789abcdef"
SEEN = Bulk(uuid=UUID(ID), status_code=BulkStatus.PROCESSED, extra={"new": 1})

BY_STATUS = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: AccountNotActivatedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: IPBlockedError,
}
PARENTS: dict[type[Lox24Error], tuple[type[BaseException], ...]] = {
    ConfigurationError: (Lox24Error, ValueError),
    InvalidBulkIdError: (Lox24Error, ValueError),
    ClientClosedError: (Lox24Error, RuntimeError),
    TransportError: (Lox24Error,),
    JournalError: (Lox24Error, OSError),
    ConnectionFailedError: (TransportError,),
    RequestTimeoutError: (TransportError, TimeoutError),
    IntermediaryError: (TransportError,),
    ResponseDecodeError: (Lox24Error,),
    APIStatusError: (Lox24Error,),
    **dict.fromkeys(BY_STATUS.values(), (APIStatusError,)),
    NotCancelableError: (UnprocessableError,),
    HeldBackError: (IPBlockedError,),
    ServerError: (APIStatusError,),
    CancelFailedError: (Lox24Error,),
}


def every_class() -> Iterator[type[Lox24Error]]:
    """Walk the package's own family of errors."""
    line = [Lox24Error]
    while line:
        cls = line.pop()
        line += cls.__subclasses__()
        if cls.__module__ == "lox24_async":
            yield cls


# --- the family


def test_the_family_is_the_contracts() -> None:
    """There are no other errors than those of the contract, each with its parents."""
    assert {Lox24Error, *PARENTS} == set(every_class())
    for cls, parents in PARENTS.items():
        assert parents == cls.__bases__
    assert (Exception,) == Lox24Error.__bases__


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *BY_STATUS.items(),
        *((status, APIStatusError) for status in (100, 301, 304, 405, 406, 408, 413, 418, 451)),
        *((status, ServerError) for status in (500, 501, 502, 503, 504, 599)),
    ],
)
def test_case_13_each_status_has_its_class(status: int, expected: type[APIStatusError]) -> None:
    """The class says what the status means."""
    assert expected is error_class(status)


# --- one of each kind, with anything in it

texts = st.none() | st.text(max_size=20)
common: dict[str, st.SearchStrategy[Any]] = {
    "bulk_id": texts,
    "attempts": st.integers(0, 9),
    "outcome_unknown": st.booleans(),
}
bulks = st.builds(
    Bulk,
    uuid=st.uuids(),
    status_code=st.sampled_from(BulkStatus) | st.integers(),
    text=texts,
    price=st.none() | st.decimals(allow_nan=False),
    extra=st.dictionaries(st.text(), st.lists(st.integers(), max_size=3), max_size=2),
) | st.builds(
    JsonLdBulk, uuid=st.uuids(), status_code=st.integers(), ld_context=st.just({"hydra": "urn:x"})
)
api: dict[str, st.SearchStrategy[Any]] = {
    **common,
    "status": st.integers(100, 999),
    "detail": texts,
    "violations": st.lists(st.builds(Violation, texts, texts, texts), max_size=2).map(tuple),
    "request_id": texts,
    "retry_after": st.none() | st.floats(0, 1e10),
    "headers": st.dictionaries(st.text("a-z", max_size=9), st.text(max_size=9), max_size=3),
    "body": st.text(max_size=20),
    "method": st.sampled_from(["PUT", "GET"]),
    "url": st.text(max_size=20),
}
moments = st.none() | st.datetimes(timezones=st.just(UTC))
decode = {**common, "status": api["status"], "body": api["body"], "request_id": texts}


@st.composite
def reports(draw: st.DrawFn) -> CancelReport:
    """Draw a report of a few outcomes, one of them with an error in it."""
    report = CancelReport()
    for uuid in draw(st.lists(st.uuids(), max_size=2, unique=True)):
        error = draw(st.none() | st.builds(NotFoundError, st.text(max_size=9), status=st.just(404)))
        outcome = CancelOutcome(str(uuid), draw(st.sampled_from(CancelState)), error=error)
        note(report, outcome.bulk_id, outcome)
    return report


ARGUMENTS: dict[type[Lox24Error], dict[str, st.SearchStrategy[Any]]] = {
    Lox24Error: common,
    **dict.fromkeys(
        (
            ConfigurationError,
            InvalidBulkIdError,
            ClientClosedError,
            TransportError,
            RequestTimeoutError,
        ),
        common,
    ),
    ConnectionFailedError: {**common, "tls": st.booleans(), "proxy": st.booleans()},
    IntermediaryError: {**common, **{name: api[name] for name in ("status", "body", "headers")}},
    JournalError: {**common, "path": st.text(max_size=9)},
    ResponseDecodeError: decode,
    **dict.fromkeys((APIStatusError, ServerError, *BY_STATUS.values()), api),
    IPBlockedError: {**api, "blocked_until": moments},
    HeldBackError: {**api, "blocked_until": moments},
    NotCancelableError: {**api, "bulk": bulks},
    CancelFailedError: {**common, "report": reports()},
}
EACH = pytest.mark.parametrize("cls", list(ARGUMENTS), ids=lambda cls: cls.__name__)


def test_every_class_is_tried() -> None:
    """The table above leaves no class out."""
    assert set(every_class()) == set(ARGUMENTS)


def anything(cls: type[Lox24Error]) -> st.SearchStrategy[Lox24Error]:
    return st.builds(cls, st.text(max_size=30), **ARGUMENTS[cls])


def state(error: Lox24Error) -> dict[str, Any]:
    """Return all attributes, in a form that compares by value."""
    values = dict(vars(error))
    report = values.pop("report", None)
    if report is not None:
        values["report"] = [
            (o.bulk_id, o.state, o.bulk, o.attempts, o.error and (type(o.error), state(o.error)))
            for o in report.outcomes
        ]
    return values


COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda error: pickle.loads(pickle.dumps(error)),
    lambda error: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error)), 2)),
]


@EACH
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_every_error_can_be_pickled_and_copied(cls: type[Lox24Error], data: st.DataObject) -> None:
    """A copy is of the same class, says the same, and holds all attributes."""
    error = data.draw(anything(cls))
    error.add_note("seen by the caller")
    for make in COPIES:
        back = make(error)
        assert cls is type(back)
        assert (error.args, str(error), repr(error)) == (back.args, str(back), repr(back))
        assert state(error) == state(back)
        assert ["seen by the caller"] == back.__notes__


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_will_do(protocol: int) -> None:
    """The oldest protocol carries the error with the most in it, as the newest does."""
    error = NotCancelableError(
        "final",
        bulk=SEEN,
        status=422,
        headers={"Server": "s"},
        violations=(Violation("uuid", "bad"),),
    )
    assert state(error) == state(pickle.loads(pickle.dumps(error, protocol)))


@EACH
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_every_error_has_the_base_facts(cls: type[Lox24Error], data: st.DataObject) -> None:
    """Message, fate, attempts and id are there, and a raised error is still all that."""
    drawn = {name: data.draw(strategy) for name, strategy in ARGUMENTS[cls].items()}
    with pytest.raises(cls) as caught:
        raise cls("it broke", **drawn)
    error = caught.value
    assert "it broke" == error.message
    for name, value in drawn.items():
        assert value == (dict(error.headers) if name == "headers" else getattr(error, name))  # type: ignore[attr-defined]


@pytest.mark.every_case
@EACH
def test_what_an_error_says(cls: type[Lox24Error]) -> None:
    """One sentence first, then the doubt, then status, bulk and request id as far as known."""
    more: dict[str, Any] = {}
    if "status" in ARGUMENTS[cls]:
        more = {"status": 499}
    if "request_id" in ARGUMENTS[cls]:
        more["request_id"] = REQUEST_ID
    more |= {"bulk": SEEN} if cls is NotCancelableError else {}
    more |= {"report": CancelReport()} if cls is CancelFailedError else {}
    sure = str(cls("it broke.", bulk_id=ID, attempts=2, **more))
    doubtful = str(cls("it broke.", bulk_id=ID, attempts=2, outcome_unknown=True, **more))
    said = f"{cls.summary}: it broke" if cls.summary else "it broke"
    assert sure.startswith(said)
    assert doubtful.startswith(f"{said}; the bulk may have been cancelled")
    assert "may have been cancelled" not in sure
    for text in (sure, doubtful):
        assert f"bulk {ID}" in text
        assert "2 attempts" in text
        assert ("HTTP 499" in text) is ("status" in more)
        assert (REQUEST_ID in text) is ("request_id" in more)
    assert f"{cls.__name__}(" in repr(cls("it broke", **more))


def test_the_plainest_error_is_not_empty() -> None:
    """By default nothing went out, nothing is in doubt, and no bulk is concerned."""
    error = Lox24Error("it broke")
    assert (None, 0, False) == (error.bulk_id, error.attempts, error.outcome_unknown)
    assert "it broke" == str(error)
    assert "Lox24Error('it broke')" == repr(error)


def test_an_api_error_without_more_has_empty_facts() -> None:
    """What the server did not say is None or empty, not invented."""
    error = APIStatusError("no", status=418)
    facts = (error.detail, error.request_id, error.retry_after, error.violations, error.body)
    assert (None, None, None, (), "") == facts
    assert {} == error.headers


def test_a_local_stand_in_says_that_nothing_was_sent() -> None:
    """An error that the guard raised is told from the server's own."""
    assert "not sent" in str(AuthenticationError("refused", status=401))
    assert "not sent" not in str(AuthenticationError("refused", status=401, attempts=1))


def test_the_wait_is_said_in_seconds() -> None:
    """Who reads the error knows when to try again."""
    assert "42 s" in str(IPBlockedError("blocked", status=429, retry_after=42.4))


def test_builtin_parents_catch_too() -> None:
    """Users who know only the builtin types catch ours."""
    for builtin, error in (
        (ValueError, ConfigurationError("x")),
        (ValueError, InvalidBulkIdError("x")),
        (RuntimeError, ClientClosedError("x")),
        (TimeoutError, RequestTimeoutError("x")),
    ):
        with pytest.raises(builtin):
            raise error


# --- too late


@pytest.mark.parametrize("cls", [BadRequestError, ConflictError, UnprocessableError])
def test_case_13_a_refusal_that_a_look_explains_keeps_its_facts(cls: type[APIStatusError]) -> None:
    """What the server said with its refusal is all in the error, and so is the bulk."""
    cause = cls(
        "can not be cancelled",
        status=409,
        detail="too late",
        violations=(Violation("status_code", "is final"),),
        request_id=REQUEST_ID,
        headers={"X": "y"},
        body="raw",
        method="PUT",
        url=f"https://api.lox24.eu/bulks/{ID}/cancel",
        bulk_id=ID,
        attempts=2,
    )
    error = NotCancelableError.from_look(SEEN, cause)
    assert SEEN is error.bulk
    facts = vars(cause) | {"message": error.message, "bulk": SEEN}
    assert facts == vars(error)
    for said in ("too late", "processed", "can not be cancelled", "HTTP 409", ID, REQUEST_ID):
        assert said in str(error)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (BulkStatus.PROCESSED, "processed"),
        (BulkStatus.SYSTEM_ERROR, "system error"),
        (BulkStatus.NO_RECIPIENTS, "no recipients"),
    ],
)
def test_case_15_a_doubt_that_a_look_settles_is_no_doubt(status: BulkStatus, said: str) -> None:
    """The look has seen that the bulk was not cancelled: the outcome is known."""
    cause = RequestTimeoutError("no answer", bulk_id=ID, attempts=3, outcome_unknown=True)
    error = NotCancelableError.from_look(Bulk(uuid=UUID(ID), status_code=status), cause)
    assert (ID, 3, False) == (error.bulk_id, error.attempts, error.outcome_unknown)
    assert said in str(error)
    assert "may have been" not in str(error)


# --- headers


def test_headers_are_found_in_any_case() -> None:
    """Names are compared without regard to case, and shown as they came."""
    headers = Headers({"X-LOX24-Request-Id": "r", "Server": "s"})
    assert "r" == headers["x-lox24-request-id"] == headers["X-LOX24-REQUEST-ID"]
    assert "SERVER" in headers
    assert ["X-LOX24-Request-Id", "Server"] == list(headers)
    assert 2 == len(headers)
    assert headers.get("absent") is None
    with pytest.raises(KeyError):
        headers["absent"]


def test_headers_are_equal_in_any_case() -> None:
    """Names are compared without regard to case, between headers too."""
    assert Headers({"Server": "s"}) == Headers({"server": "s"})
    assert Headers({"Server": "s"}) != Headers({"Server": "t"})


def test_headers_are_a_value_of_their_own() -> None:
    """Later changes of what they were made from do not show; nothing can be set."""
    source = {"a": "1"}
    headers = Headers(source)
    source["a"] = "2"
    assert {"a": "1"} == dict(headers)
    with pytest.raises(TypeError):
        headers["a"] = "3"  # type: ignore[index]


def test_headers_hold_nothing_of_the_http_library() -> None:
    """A pickled error can be read where aiohttp's own types are not installed."""
    headers = CIMultiDict({"X-LOX24-REQUEST-ID": REQUEST_ID})
    error = NotFoundError("no", status=404, headers=headers)
    assert {str} == {type(part) for item in error.headers.items() for part in item}
    assert b"multidict" not in pickle.dumps(error)


def test_a_reports_failure_carries_the_report() -> None:
    """The error says how many of how many, is in doubt if one is, and holds the report."""
    report = CancelReport()
    note(report, ID, CancelOutcome(ID, CancelState.UNKNOWN, attempts=3))
    with pytest.raises(CancelFailedError, match="1 of 1") as caught:
        report.raise_for_failures()
    assert report is caught.value.report
    assert caught.value.outcome_unknown


def test_blocked_until_is_kept() -> None:
    """A block's end is a moment, not a number."""
    end = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert end == IPBlockedError("blocked", status=429, blocked_until=end).blocked_until
