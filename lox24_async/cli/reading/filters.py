"""Filters as they are typed: for ``list``, and for ``cancel --matching``."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from attrs import asdict, frozen
from cyclopts import Group, Parameter

from lox24_async import BulkFilter, BulkStatus, ConfigurationError
from lox24_async.cli.exits import CommandError
from lox24_async.cli.options import Count, Text, Time, value
from lox24_async.cli.text import quoted

from .files import Entry
from .ids import collect
from .moments import read_moment

_Status = Literal["new", "in-progress", "processed", "canceled", "system-error", "no-recipients"]


@Parameter("*", group=Group("Filters", sort_key=2))
@frozen(kw_only=True)
class FilterOptions:
    """A filter as it was typed; ``None`` and ``()`` are what was not.

    Args:
        sender: The sender holds TEXT, upper and lower case alike: Acme also finds Acme Bank.
        sender_is: The sender is NAME, to the letter.
        text: The message holds TEXT.
        status: In this state: new, in-progress, processed, canceled, system-error,
            no-recipients, or its number. May be repeated: any of them.
        created_from: Created at TIME or later: 2026-03-01T08:00Z, 2026-03-01 08:00 (local
            time), 30m, 2h or 1d (that long ago), now.
        created_to: Created at TIME or earlier.
        delivery_from: Scheduled for TIME or later; what is sent at once has no such time.
        delivery_to: Scheduled for TIME or earlier, or sent at once.
        processed_from: Last changed at TIME or later.
        processed_to: Last changed at TIME or earlier.
        min_messages: At least N messages.
        max_messages: At most N messages.
        ids: This bulk. May be repeated: any of them.
    """

    sender: Text = None
    sender_is: Annotated[str | None, value("NAME")] = None
    text: Text = None
    status: Annotated[tuple[_Status | str, ...], value("STATUS")] = ()
    created_from: Time = None
    created_to: Time = None
    delivery_from: Time = None
    delivery_to: Time = None
    processed_from: Time = None
    processed_to: Time = None
    min_messages: Count = None
    max_messages: Count = None
    ids: Annotated[tuple[str, ...], value("ID", "--id")] = ()

    @property
    def given(self) -> bool:
        """Whether there is any filter: also one that is 0 or empty."""
        return any(value not in (None, ()) for value in asdict(self).values())

    @property
    def words(self) -> list[str]:
        """The filter as one types it."""
        words: list[str] = []
        said: object
        for name, said in asdict(self).items():
            flag = "--id" if name == "ids" else "--" + name.replace("_", "-")
            if name in ("ids", "status"):
                for one in self.ids if name == "ids" else self.status:
                    words += [flag, one]
            elif said is not None:
                words += [flag, str(said)]
        return words


NO_FILTER: Final = FilterOptions()


def make_filter(typed: FilterOptions, now: datetime | None = None) -> BulkFilter:
    """Understand a filter; times like ``2h`` count back from now. Nothing typed: all meet it.

    Raises:
        CommandError: what cannot be meant, with the option that says so.
    """
    start = datetime.now(UTC) if now is None else now

    def moment(word: str | None, name: str) -> datetime | None:
        return None if word is None else read_moment(word, name, start)

    try:
        return BulkFilter(
            uuids=_ids(typed.ids),
            status_codes=[_status(word) for word in typed.status],
            text=typed.text,
            sender_id=typed.sender,
            sender_id_exact=typed.sender_is,
            created_from=moment(typed.created_from, "--created-from"),
            created_to=moment(typed.created_to, "--created-to"),
            delivery_from=moment(typed.delivery_from, "--delivery-from"),
            delivery_to=moment(typed.delivery_to, "--delivery-to"),
            processed_from=moment(typed.processed_from, "--processed-from"),
            processed_to=moment(typed.processed_to, "--processed-to"),
            min_messages=typed.min_messages,
            max_messages=typed.max_messages,
        )
    except ConfigurationError as error:
        told = _FIELD.sub(lambda found: _flag(found[0]), error.message)
        raise CommandError(f"{told.replace('None or ', '')}.") from None


_FIELD: Final = re.compile(
    r"\b(?:(?:created|delivery|processed)_(?:from|to)|(?:min|max)_messages|sender_id_exact|sender_id|^text)\b"
)


def _flag(field: str) -> str:
    if field == "sender_id_exact":
        return "--sender-is"
    return "--sender" if field == "sender_id" else "--" + field.replace("_", "-")


def _ids(words: tuple[str, ...]) -> tuple[str, ...]:
    ids = collect(Entry("--id", word) for word in words)
    if ids.bad:
        raise CommandError(f"{ids.bad[0].where}: {ids.bad[0].problem}.")
    return ids.good


def _status(word: str) -> int:
    name = word.strip().upper().replace("-", "_").replace(" ", "_")
    if name == "CANCELLED":
        return BulkStatus.CANCELED
    if name in BulkStatus.__members__:
        return BulkStatus[name]
    if name.isascii() and name.isdigit() and len(name) < 10:
        return int(name)
    known = ", ".join(status.name.lower().replace("_", "-") for status in BulkStatus)
    raise CommandError(
        f"--status: there is no state {quoted(word)}. Known are {known}; or a number."
    )
