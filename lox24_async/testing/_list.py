"""One page of the list of bulks, in its two envelopes."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from lox24_async import Bulk

from ._answers import Answer, invalid
from ._forms import CONTEXT, Version, full, linked
from ._query import InvalidQueryError, conditions, in_order, one, read_query

_MEMBER: Final[dict[Version, str]] = {"2.24": "hydra:member", "2.27": "member"}

Pairs = Sequence[tuple[str, str]]


def list_bulks(
    bulks: list[Bulk], pairs: Pairs, *, page_size: int, version: Version, json_ld: bool
) -> Answer:
    """Answer a request for a list.

    Args:
        bulks: All there are.
        pairs: The query's parameters, decoded.
        page_size: Members of one page.
        version: Which documentation to follow.
        json_ld: With the envelope.
    """
    query = read_query(pairs)
    try:
        page = _page_number(one(query, "page", "1"))
        wanted = conditions(query)
        if wanted:
            bulks = [bulk for bulk in bulks if all(fits(bulk) for fits in wanted)]
        ordered = in_order(bulks, query)
    except InvalidQueryError as error:
        return invalid([error.flaw])
    members = [full(bulk) for bulk in ordered[(page - 1) * page_size : page * page_size]]
    if not json_ld:
        return Answer(200, members)
    last = max(1, -(-len(ordered) // page_size))
    content = {
        "@context": CONTEXT,
        "@id": "/bulks",
        "@type": "hydra:Collection",
        _MEMBER[version]: [linked(plain, member=True) for plain in members],
        "hydra:totalItems": len(ordered),
        "hydra:view": _view(pairs, page, last),
    }
    return Answer(200, content)


def _page_number(said: str) -> int:
    if not (said.isascii() and said.isdigit()) or not 0 < len(said.lstrip("0")) <= 18:
        raise InvalidQueryError("page", "an integer of 1 or more")
    return int(said)


def _view(pairs: Pairs, page: int, last: int) -> dict[str, Any]:
    rest = [(name, value) for name, value in pairs if name != "page"]

    def iri(number: int | None) -> str:
        query = urlencode(([] if number is None else [("page", str(number))]) + rest)
        return f"/bulks?{query}" if query else "/bulks"

    kind = "hydra:PartialCollectionView"
    if last == 1:  # not documented; the framework leaves the links out
        return {"@id": iri(None), "@type": kind}
    view = {"@id": iri(page), "@type": kind, "hydra:first": iri(1), "hydra:last": iri(last)}
    if page > 1:
        view["hydra:previous"] = iri(min(page - 1, last))
    if page < last:
        view["hydra:next"] = iri(page + 1)
    return view
