"""The JSON that the gateway writes: bulks, status summaries, collections and errors."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from attrs import field, frozen

from lox24_async import Bulk, make_converter

Version = Literal["2.24", "2.27"]
"""The documentation's version: what lists and status summaries look like."""

_CONTEXT: Final[Mapping[str, Any]] = {"hydra": "http://www.w3.org/ns/hydra/core#"}
_PROBLEM: Final = "https://tools.ietf.org/html/rfc2616#section-10"
_PHRASES: Final = frozenset(HTTPStatus)

# What LOX24 documents as nullable, or as 0, where nothing is known.
_EMPTY: Final[Mapping[str, Any]] = {
    "delivery_at": 0,
    "phones": None,
    "msg_groups": None,
    "processed_at": None,
    "is_unicode": None,
    "source": None,
    "voice_lang": None,
}
_NOT_IN_SUMMARY: Final[Mapping[Version, tuple[str, ...]]] = {
    "2.24": ("text", "phones", "msg_groups", "sender_id"),
    "2.27": ("text", "phones", "msg_groups"),
}
_MEMBER: Final[Mapping[Version, str]] = {"2.24": "hydra:member", "2.27": "member"}
_converter = make_converter()

Pairs = Sequence[tuple[str, str]]


@frozen
class Resource:
    """A kind of things that the gateway has."""

    path: str
    kind: str
    """Its JSON-LD type. It is not documented; the pages show class names for others."""


BULK: Final = Resource("/bulks", "Bulk")
SMS: Final = Resource("/sms", "Sms")


# --- bulks


def full(bulk: Bulk) -> dict[str, Any]:
    """Return a bulk with all its fields, in plain JSON."""
    return {**_EMPTY, **_converter.unstructure(bulk)}


def summary(bulk: Bulk, version: Version) -> dict[str, Any]:
    """Return the status summary that answers a cancel or a look, in plain JSON."""
    hidden = _NOT_IN_SUMMARY[version]
    return {name: value for name, value in full(bulk).items() if name not in hidden}


def linked(plain: Mapping[str, Any], resource: Resource, *, member: bool = False) -> dict[str, Any]:
    """Return the JSON-LD form of a description; a list's member has no context."""
    names = {"@id": f"{resource.path}/{plain['uuid']}", "@type": resource.kind}
    return {**names, **plain} if member else {"@context": _CONTEXT, **names, **plain}


# --- collections


def collection(
    resource: Resource,
    members: Sequence[Mapping[str, Any]],
    pairs: Pairs,
    *,
    page: int,
    last: int,
    total: int,
    version: Version,
) -> dict[str, Any]:
    """Return a page of a collection in its JSON-LD envelope.

    Args:
        resource: What it is a collection of.
        members: What is on the page, in plain JSON.
        pairs: The query's parameters, decoded: the links repeat them.
        page: Its number.
        last: The number of the last page.
        total: Members of all pages.
        version: Which documentation to follow.
    """
    return {
        "@context": _CONTEXT,
        "@id": resource.path,
        "@type": "hydra:Collection",
        _MEMBER[version]: [linked(plain, resource, member=True) for plain in members],
        "hydra:totalItems": total,
        "hydra:view": _view(resource.path, pairs, page, last),
    }


def _view(path: str, pairs: Pairs, page: int, last: int) -> dict[str, Any]:
    rest = [(name, value) for name, value in pairs if name != "page"]

    def iri(number: int | None) -> str:
        query = urlencode(([] if number is None else [("page", str(number))]) + rest)
        return f"{path}?{query}" if query else path

    kind = "hydra:PartialCollectionView"
    if last == 1:  # not documented; the framework leaves the links out
        return {"@id": iri(None), "@type": kind}
    view = {"@id": iri(page), "@type": kind, "hydra:first": iri(1), "hydra:last": iri(last)}
    if page > 1:
        view["hydra:previous"] = iri(min(page - 1, last))
    if page < last:
        view["hydra:next"] = iri(page + 1)
    return view


# --- errors


@frozen
class Flaw:
    """One rule that a request breaks."""

    path: str
    message: str
    rule: str

    def violation(self) -> dict[str, str]:
        """Return it as LOX24 writes it."""
        # LOX24 gives a UUID to each rule. Its own are not documented: these are made up.
        code = str(uuid5(NAMESPACE_URL, f"https://fake.invalid/rules/{self.rule}"))
        return {"propertyPath": self.path, "message": self.message, "code": code}


@frozen
class Problem:
    """An error: its status, what it says, and which rules were broken."""

    status: int
    detail: str
    flaws: Sequence[Flaw] = ()
    headers: Mapping[str, str] = field(factory=dict[str, str])


def invalid(flaws: Sequence[Flaw]) -> Problem:
    """Return the error of a request whose values break rules."""
    return Problem(400, "\n".join(f"{flaw.path}: {flaw.message}" for flaw in flaws), flaws)


def problem_body(problem: Problem, *, json_ld: bool) -> dict[str, Any]:
    """Return an error's body."""
    violations = [flaw.violation() for flaw in problem.flaws]
    title = "An error occurred" if violations else _phrase(problem.status)
    listed = {"violations": violations} if violations else {}
    if not json_ld:
        return {"type": _PROBLEM, "title": title, "detail": problem.detail, **listed}
    # Not documented: the forms of the framework that LOX24 evidently uses.
    kind = "ConstraintViolationList" if violations else "hydra:Error"
    return {
        "@context": f"/contexts/{kind.removeprefix('hydra:')}",
        "@type": kind,
        "hydra:title": title,
        "hydra:description": problem.detail,
        **listed,
    }


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in _PHRASES else "Unknown"
