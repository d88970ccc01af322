"""Filters, as they are typed: for ``list``, and for ``cancel --matching``."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from .options import CommandError, optional, shown

if TYPE_CHECKING:
    from lox24_async import BulkFilter

_MOMENT: Final = "TIME"

Sender = Annotated[str | None, optional("--sender", metavar="TEXT", help="The sender holds TEXT.")]
Text = Annotated[str | None, optional("--text", metavar="TEXT", help="The message holds TEXT.")]
Status = Annotated[
    list[str] | None,
    optional(
        "--status",
        metavar="STATUS",
        help="In this state: new, in-progress, processed, canceled, system-error, no-recipients,"
        " or its number. May be repeated: any of them.",
    ),
]
CreatedFrom = Annotated[
    str | None,
    optional(
        "--created-from",
        metavar=_MOMENT,
        help="Created at TIME or later: 2026-03-01T08:00Z, 2026-03-01 08:00 (local time),"
        " 30m, 2h or 1d (that long ago), now.",
    ),
]
CreatedTo = Annotated[
    str | None, optional("--created-to", metavar=_MOMENT, help="Created at TIME or earlier.")
]
DeliveryFrom = Annotated[
    str | None,
    optional(
        "--delivery-from",
        metavar=_MOMENT,
        help="Scheduled for TIME or later; what is sent at once has no such time.",
    ),
]
DeliveryTo = Annotated[
    str | None,
    optional(
        "--delivery-to", metavar=_MOMENT, help="Scheduled for TIME or earlier, or sent at once."
    ),
]
ProcessedFrom = Annotated[
    str | None,
    optional("--processed-from", metavar=_MOMENT, help="Last changed at TIME or later."),
]
ProcessedTo = Annotated[
    str | None,
    optional("--processed-to", metavar=_MOMENT, help="Last changed at TIME or earlier."),
]
MinMessages = Annotated[
    int | None, optional("--min-messages", min=0, metavar="N", help="At least N messages.")
]
MaxMessages = Annotated[
    int | None, optional("--max-messages", min=0, metavar="N", help="At most N messages.")
]
OnlyIds = Annotated[
    list[str] | None,
    optional("--id", metavar="ID", help="This bulk. May be repeated: any of them."),
]


@dataclass(frozen=True, kw_only=True)
class FilterWords:
    """A filter as it was typed; ``None`` and ``()`` are what was not."""

    sender: str | None = None
    text: str | None = None
    status: tuple[str, ...] = ()
    created_from: str | None = None
    created_to: str | None = None
    delivery_from: str | None = None
    delivery_to: str | None = None
    processed_from: str | None = None
    processed_to: str | None = None
    min_messages: int | None = None
    max_messages: int | None = None
    ids: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether there is any filter."""
        return any(getattr(self, field.name) not in (None, ()) for field in fields(self))


def make_filter(words: FilterWords, now: datetime | None = None) -> "BulkFilter":
    """Understand a filter.

    Args:
        words: What was typed.
        now: What times like ``2h`` count back from; ``None``: this moment.

    Returns:
        The filter; without any words one that everything meets.

    Raises:
        CommandError: what cannot be meant, with the option that says so.
    """
    from lox24_async import BulkFilter, ConfigurationError  # noqa: PLC0415  heavy

    start = datetime.now(UTC) if now is None else now

    def moment(name: str) -> datetime | None:
        word = getattr(words, name)
        return None if word is None else read_moment(word, _option(name), start)

    try:
        return BulkFilter(
            uuids=_ids(words.ids),
            status_codes=[_status(word) for word in words.status],
            text=words.text,
            sender_id=words.sender,
            created_from=moment("created_from"),
            created_to=moment("created_to"),
            delivery_from=moment("delivery_from"),
            delivery_to=moment("delivery_to"),
            processed_from=moment("processed_from"),
            processed_to=moment("processed_to"),
            min_messages=words.min_messages,
            max_messages=words.max_messages,
        )
    except ConfigurationError as error:
        told = _NAMES.sub(lambda name: _option(name[0]), error.message)
        raise CommandError(f"{told.replace('None or ', '')}.") from None


_NAMES: Final = re.compile(
    r"\b(?:(?:created|delivery|processed)_(?:from|to)|(?:min|max)_messages|sender_id|^text)\b"
)


def _option(name: str) -> str:
    return "--sender" if name == "sender_id" else "--" + name.replace("_", "-")


def _ids(words: tuple[str, ...]) -> tuple[str, ...]:
    from .ids import collect  # noqa: PLC0415  not for the help

    ids = collect(("--id", word, "") for word in words)
    if ids.bad:
        raise CommandError(f"{ids.bad[0]}.")
    return ids.good


def _status(word: str) -> int:
    from lox24_async import BulkStatus  # noqa: PLC0415  heavy

    name = word.strip().upper().replace("-", "_").replace(" ", "_")
    if name == "CANCELLED":
        return BulkStatus.CANCELED
    if name in BulkStatus.__members__:
        return BulkStatus[name]
    if name.isascii() and name.isdigit() and len(name) < 10:
        return int(name)
    known = ", ".join(_words(status.name) for status in BulkStatus)
    raise CommandError(
        f"--status: there is no state {shown(word)}. Known are {known}; or a number."
    )


def _words(name: str) -> str:
    return name.lower().replace("_", "-")


# --- moments

_AGO: Final = re.compile(r"(\d{1,9}) ?([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_moment(text: str, option: str = "TIME", now: datetime | None = None) -> datetime:
    """Understand a moment.

    Args:
        text: ``now``; how long ago (``30m``, ``2h``, ``1d``); or an ISO 8601 date-time. One
            without a zone is meant in this machine's local time, a date alone is midnight.
        option: Where it was typed, for the error.
        now: What is now; ``None``: this moment.

    Returns:
        An aware date-time.

    Raises:
        CommandError: it is none of these.
    """
    now = datetime.now(UTC) if now is None else now
    word = text.strip()
    try:
        if word.lower() == "now":
            return now
        if ago := _AGO.fullmatch(word.lower()):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(word)
        return moment.astimezone() if moment.tzinfo is None else moment
    except (ValueError, OverflowError, OSError):
        raise CommandError(
            f"{option}: {shown(text)} is no time. Write it as 2026-03-01T08:00Z,"
            " 2026-03-01 08:00 (local time), 30m, 2h or 1d (that long ago), or now."
        ) from None
