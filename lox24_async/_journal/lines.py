"""The lines of a journal, format lox24-journal/1: one JSON object for each event, in ASCII.

``docs/journal.md`` describes them, ``docs/journal.schema.json`` is their schema.
"""

import getpass
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Any, Final
from uuid import uuid4

from attrs import fields

from lox24_async._public import version
from lox24_async.errors import APIStatusError, Lox24Error, status_of
from lox24_async.filters import BulkFilter
from lox24_async.report import CancelOutcome, CancelState

FORMAT: Final = "lox24-journal/1"
START: Final = b'{"event":"run"'
"""What a journal begins with."""
MARK: Final = b',"failed":true'
"""Written over blanks in the ``run`` line, once a write has failed: that needs no space."""
_MOST_PLANNED: Final = 500  # ids in a line

_quote: Final[Any] = encode_basestring_ascii


def stamp() -> str:
    """Return the time as the journal writes it: UTC, in milliseconds."""
    return _moment(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)  # many outcomes share one
def _moment(milliseconds: int) -> str:
    second, rest = divmod(milliseconds, 1000)
    return f"{_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _line(event: str, values: Mapping[str, Any]) -> bytes:
    text = json.dumps({"event": event, "t": stamp(), **values}, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def run_line(
    *,
    origin: str,
    client_id: str,
    planned: Sequence[str] | None,
    wanted: BulkFilter | None,
    note: str | None,
) -> tuple[bytes, int]:
    """Write who begins to do what; return also where in the line the mark can go."""
    digest = None
    if planned is not None:
        digest = sha256("\n".join(sorted(planned)).encode()).hexdigest()
    line = _line(
        "run",
        {
            "format": FORMAT,
            "run": str(uuid4()),
            "version": version(),
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "user": _user(),
            "origin": origin,
            "client_id": client_id,
            "total": None if planned is None else len(planned),
            "sha256": digest,
            "filter": None if wanted is None else _filter(wanted),
            "note": note,
        },
    )
    at = len(line) - 2
    return line[:at] + b" " * len(MARK) + line[at:], at


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # of a container, say: it has only a number
        return None


def _filter(wanted: BulkFilter) -> dict[str, Any]:
    values = {a.name: getattr(wanted, a.name) for a in fields(BulkFilter)}
    return {name: _plain(value) for name, value in values.items() if value not in (None, (), {})}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return dict(value) if isinstance(value, Mapping) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def planned_lines(bulk_ids: Sequence[str]) -> list[bytes]:
    """Write what is to be cancelled."""
    starts = range(0, len(bulk_ids), _MOST_PLANNED)
    return [
        _line("planned", {"bulk_ids": bulk_ids[start : start + _MOST_PLANNED]}) for start in starts
    ]


def sent_line(bulk_ids: Sequence[str]) -> bytes:
    """Write what is about to go out."""
    listed = '","'.join(bulk_ids)  # ids that were checked: nothing to escape
    return f'{{"event":"sent","t":"{stamp()}","bulk_ids":["{listed}"]}}\n'.encode("ascii")


def outcome_line(outcome: CancelOutcome) -> bytes:
    """Write what became of an id."""
    bulk = outcome.bulk
    status = messages = price = "null"
    if bulk is not None:
        status = str(int(bulk.status_code))
        if bulk.msg_total_count is not None:
            messages = str(bulk.msg_total_count)
        if bulk.price is not None:
            price = f'"{bulk.price!s}"'
    request_id = "null" if outcome.request_id is None else _quote(outcome.request_id)
    bulk_id = f'"{outcome.bulk_id}"'
    error = "null"
    if outcome.error is not None:
        bulk_id, error = _quote(outcome.bulk_id), _error(outcome.error)  # perhaps it is no id
    return (
        f'{{"event":"outcome","t":"{stamp()}","bulk_id":{bulk_id},'
        f'"state":"{outcome.state}","status_code":{status},"attempts":{outcome.attempts},'
        f'"request_id":{request_id},"error":{error},"messages":{messages},"price":{price}}}\n'
    ).encode("ascii")


def _error(error: Lox24Error) -> str:
    message = error.message
    if isinstance(error, APIStatusError) and status_of(type(error)) is None:
        message = f"{error.status} {message}"  # the class does not tell it
    return f'{{"type":{_quote(type(error).__name__)},"message":{_quote(message)}}}'


def end_line(counts: Mapping[CancelState, int], *, interrupted: bool, seconds: float) -> bytes:
    """Write that a run is over."""
    values = {state.value: n for state, n in counts.items()}
    return _line(
        "end", {"counts": values, "interrupted": interrupted, "seconds": round(seconds, 3)}
    )


def failed_line(since: str, error: OSError, lost: int) -> bytes:
    """Write that for a while nothing could be written."""
    said = {"type": type(error).__name__, "message": error.strerror or str(error)}
    return _line("failed", {"since": since, "error": said, "lost": lost})
