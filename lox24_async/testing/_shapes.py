"""The JSON that the gateway writes: bulks, status summaries, collections and errors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid4, uuid5

from attrs import field, frozen

from lox24_async import Bulk, make_converter

Version = Literal["2.24", "2.27"]
"""The documentation's version: how JSON-LD looks, and what a status summary holds."""
Framework = Literal["2", "3", "4"]
"""The major version of API Platform, which evidently makes the answers: how errors look."""
CreatedAt = Literal["timestamp", "uuid"]
"""What a status summary says under ``created_at``."""

_HYDRA: Final = "http://www.w3.org/ns/hydra/core#"
_VOCABULARY: Final = "https://api.lox24.eu/docs.jsonld#"

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
_SUMMARY: Final = "BulkStatus"  # made up: the name of a class that is not documented
_converter = make_converter()

Pairs = Sequence[tuple[str, str]]


@frozen
class Resource:
    """A kind of things that the gateway has."""

    path: str
    kinds: Mapping[Version, str]
    """Its JSON-LD type; not documented, but for SMS in tests and class names in 2.27."""


BULK: Final = Resource("/bulks", {"2.24": "bulks", "2.27": "Bulk"})
SMS: Final = Resource("/sms", {"2.24": "sms", "2.27": "Sms"})


# --- bulks


def full(bulk: Bulk) -> dict[str, Any]:
    """Return a bulk with all its fields, in plain JSON."""
    return {**_EMPTY, **_converter.unstructure(bulk)}


def summary(bulk: Bulk, version: Version, created_at: CreatedAt) -> dict[str, Any]:
    """Return the status summary that answers a cancel or a look, in plain JSON."""
    hidden = _NOT_IN_SUMMARY[version]
    shown = {name: value for name, value in full(bulk).items() if name not in hidden}
    if created_at == "uuid":  # "Unique entity UUID", says the vendor's page
        shown["created_at"] = str(bulk.uuid)
    return shown


def linked(plain: Mapping[str, Any], resource: Resource, version: Version) -> dict[str, Any]:
    """Return the JSON-LD form of a thing."""
    kind = resource.kinds[version]
    return {"@context": f"/contexts/{kind}", **_member(plain, resource, version)}


def linked_summary(plain: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """Return the JSON-LD form of a status summary.

    It is made of another class than a bulk: its context is an object. The framework can give
    it the bulk's address or one that leads nowhere; which LOX24 does is not documented.
    """
    fields = {name: f"{_SUMMARY}/{name}" for name in plain}
    own = f"/.well-known/genid/{uuid4().hex[:20]}"
    return {
        "@context": {"@vocab": _VOCABULARY, "hydra": _HYDRA, **fields},
        "@type": _SUMMARY,
        "@id": own if version == "2.24" else f"{BULK.path}/{plain['uuid']}",
        **plain,
    }


def _member(plain: Mapping[str, Any], resource: Resource, version: Version) -> dict[str, Any]:
    names = {"@id": f"{resource.path}/{plain['uuid']}", "@type": resource.kinds[version]}
    return {**names, **plain}


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
        "@context": f"/contexts/{resource.kinds[version]}",
        "@id": resource.path,
        "@type": "hydra:Collection",
        _MEMBER[version]: [_member(plain, resource, version) for plain in members],
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

_RFC_2616: Final = "https://tools.ietf.org/html/rfc2616#section-10"
_TITLE: Final = "An error occurred"


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


def problem_body(problem: Problem, framework: Framework, *, json_ld: bool) -> dict[str, Any]:
    """Return an error's body.

    The documentation publishes none. Those of 2 and 3 in plain JSON are known from one answer
    of LOX24's in the tests of another project, the others from the framework.
    """
    violations = [flaw.violation() for flaw in problem.flaws]
    listed = {"violations": violations} if violations else {}
    if framework == "4":
        return _body_of_4(problem, listed, json_ld=json_ld)
    plain = {"type": _RFC_2616, "title": _TITLE, "detail": problem.detail}
    if not json_ld:
        return {**plain, **listed}
    kind = "ConstraintViolationList" if violations else "hydra:Error"
    return {
        "@context": f"/contexts/{kind.removeprefix('hydra:')}",
        "@type": kind,
        "hydra:title": _TITLE,
        "hydra:description": problem.detail,
        **({**plain, "status": problem.status} if framework == "3" else {}),
        **listed,
    }


def _body_of_4(problem: Problem, listed: Mapping[str, Any], *, json_ld: bool) -> dict[str, Any]:
    name = f"/errors/{problem.status}"
    if listed:
        name = f"/validation_errors/{listed['violations'][0]['code']}"
    plain = {
        "title": _TITLE,
        "detail": problem.detail,
        "status": problem.status,
        "type": name,
        **listed,
    }
    if not json_ld:
        return plain
    kind = "ConstraintViolation" if listed else "Error"
    names = {"@context": f"/contexts/{kind}", "@id": name, "@type": kind}
    return {**names, **plain, "description": problem.detail}
