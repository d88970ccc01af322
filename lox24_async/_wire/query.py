"""The query of a listing: filter, order and page.

Documented: the names, exact filters for one value and for many, ``exists``, ``_order``, and
that ranges exist (gte and lte are named in words). Inferred: the spelling of a bound as
``created_at[gte]``, and that the server reads literal brackets as well as encoded ones.

Source: https://doc.lox24.eu/api/operations/api_bulks_get_collection/,
https://doc.lox24.eu/api/operations/api_sms_get_collection/ and
https://doc.lox24.eu/info/collection-filters/
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from lox24_async._checks import since_epoch
from lox24_async.errors import ConfigurationError
from lox24_async.filters import BulkFilter, BulkOrder

_SECOND: Final = timedelta(seconds=1)


def write_query(
    filter: BulkFilter | None,  # noqa: A002  the public name
    order: BulkOrder | Sequence[BulkOrder] | None,
    page: int,
) -> str:
    """Write the query string of one page of a listing.

    Equal arguments give equal strings. Values are percent-encoded, brackets are not: a URL
    library must take the string as encoded already.

    Args:
        filter: Which bulks; ``None`` for all.
        order: One step, or several with the weightiest first; ``None`` for the server's own.
        page: From 1.

    Raises:
        ConfigurationError: ``filter`` or ``order`` is of another type, or a field stands
            twice in ``order``.
    """
    if filter is not None and not isinstance(filter, BulkFilter):
        raise ConfigurationError("filter must be a BulkFilter or None")
    pairs = [("page", str(page))]
    if filter is not None:
        pairs.extend(_filter_pairs(filter))
    steps = _steps(order)
    pairs.extend((f"_order[{step.field}]", "desc" if step.descending else "asc") for step in steps)
    return _join(pairs)


def _join(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


def write_message_query(bulk_id: str, sent: bool | None, page: int) -> str:
    """Write the query string of one page of a bulk's messages.

    The order serves two ends. What comes new comes last: it moves no page. And if the server
    ignored a filter, what it should have left out comes first, where it is seen: the oldest
    messages of the account, and of those the ones on the other side of ``is_sent`` (a message
    that was not sent has a ``gateway_sent_at`` of 0, or none).

    The names ``bulk`` and ``is_sent`` are those of the vendor's own client.

    Args:
        bulk_id: Checked.
        sent: Only those that were sent, or were not; ``None``: all.
        page: From 1.
    """
    pairs = [("bulk", bulk_id), ("page", str(page))]
    if sent is not None:
        pairs.append(("is_sent", "1" if sent else "0"))
        pairs.append(("_order[gateway_sent_at]", "asc" if sent else "desc"))
    pairs.append(("_order[created_at]", "asc"))
    return _join(pairs)


def _filter_pairs(wanted: BulkFilter) -> Iterator[tuple[str, str]]:
    yield from _any_of("uuid", wanted.uuids)
    yield from _any_of("status_code", [str(int(code)) for code in wanted.status_codes])
    if wanted.text is not None:
        yield "text", wanted.text
    sender = wanted.sender_id_exact or wanted.sender_id  # the server knows only "contains"
    if sender is not None:
        yield "sender_id", sender
    yield from _span("created_at", seconds_up(wanted.created_from), _down(wanted.created_to))
    yield from _span("delivery_at", seconds_up(wanted.delivery_from), _down(wanted.delivery_to))
    yield from _span("processed_at", seconds_up(wanted.processed_from), _down(wanted.processed_to))
    yield from _span("msg_total_count", wanted.min_messages, wanted.max_messages)
    for name, has_value in sorted(wanted.exists.items()):
        yield f"exists[{name}]", "true" if has_value else "false"


def _any_of(name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    key = name if len(values) == 1 else f"{name}[]"
    return ((key, value) for value in values)


def _span(name: str, least: int | None, most: int | None) -> Iterator[tuple[str, str]]:
    if least is not None:
        yield f"{name}[gte]", str(int(least))
    if most is not None:
        yield f"{name}[lte]", str(int(most))


def _steps(order: BulkOrder | Sequence[BulkOrder] | None) -> Sequence[BulkOrder]:
    if order is None:
        return ()
    steps = (order,) if isinstance(order, BulkOrder) else order
    if not isinstance(steps, Sequence) or not all(isinstance(step, BulkOrder) for step in steps):
        raise ConfigurationError("order must be a BulkOrder, a sequence of them, or None")
    if len({step.field for step in steps}) < len(steps):
        raise ConfigurationError("order must name each field once")
    return steps


def seconds_up(moment: datetime | None) -> int | None:
    """Return a moment in whole seconds of the epoch, never earlier than it is."""
    return None if moment is None else -(-since_epoch(moment) // _SECOND)


def _down(moment: datetime | None) -> int | None:
    return None if moment is None else since_epoch(moment) // _SECOND
