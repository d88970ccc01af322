"""``lox24 delete``, as it is done."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from attrs import frozen

from lox24_async import (
    ClientClosedError,
    Lox24Error,
    NotFoundError,
)
from lox24_async.cli.connect import LAST_WORDS, Desk, Setup
from lox24_async.cli.console import LISTED, say
from lox24_async.cli.failures import IN_VAIN, code_of, reason
from lox24_async.cli.inputs import confirm, read_ids
from lox24_async.cli.options import MAX_CONCURRENCY, ExitCode, Output
from lox24_async.cli.records import ReaderGoneError, Record, about, write_out, written
from lox24_async.cli.result import list_bad_lines
from lox24_async.cli.words import plural

_FIELDS: Final = ("bulk_id", "state", "error", "request_id")


@frozen(kw_only=True)
class Job:
    """What was typed."""

    arguments: tuple[str, ...]
    file: str | None = None
    yes: bool
    output: Output
    setup: Setup


class State(StrEnum):
    """What came of one delete."""

    DELETED = "deleted"
    NOT_FOUND = "not found"
    REJECTED = "rejected"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


Results = dict[str, Lox24Error | None]
"""By id; ``None``: deleted. What is not in it was never sent, or nobody knows."""


def run(job: Job) -> ExitCode:
    """Delete, and tell what came of it.

    Raises:
        CommandError: wrong usage or settings, or nobody could be asked.
    """
    ids = read_ids(job.arguments, job.file, "lox24 delete")
    desk = Desk(job.setup, job.setup.connect())
    list_bad_lines(desk.alarm, ids.bad)
    if not ids.good:
        say(desk.alarm, "There is no id left; nothing was deleted.", "red")
        return ExitCode.NOT_ALL
    if not job.yes:
        say(desk.alarm, "This cannot be undone, and it is no cancel: cancel what is being sent.")
        for bulk_id in ids.good[:LISTED]:
            say(desk.alarm, f"  {bulk_id}")
        if len(ids.good) > LISTED:
            say(desk.alarm, f"  … and {len(ids.good) - LISTED:,} more")
        if not confirm(f"Delete {plural(len(ids.good), 'bulk')} for good?"):
            say(desk.alarm, "Nothing was deleted.")
            return ExitCode.NOT_ALL

    results: Results = {}
    begun: set[str] = set()
    interrupted = False
    try:
        desk.run(lambda desk: _delete(desk, ids.good, results, begun))
    except KeyboardInterrupt:
        interrupted = True
    states = {bulk_id: _state(bulk_id, results, begun) for bulk_id in ids.good}
    with suppress(ReaderGoneError):
        write_out(written(job.output, _FIELDS, _records(states, results)))
    return _close(desk, states, results, interrupted=interrupted, bad_lines=len(ids.bad))


async def _delete(desk: Desk, ids: Sequence[str], results: Results, begun: set[str]) -> None:
    queue = iter(ids)
    codes: Counter[ExitCode] = Counter()

    async def work() -> None:
        for bulk_id in queue:
            begun.add(bulk_id)
            try:
                await desk.client.delete_bulk(bulk_id)
                results[bulk_id] = None
            except Lox24Error as error:
                results[bulk_id] = error
                codes[code_of(error)] += 1
            else:
                codes[ExitCode.DONE] += 1
            if _in_vain(codes):
                return

    workers = [asyncio.create_task(work()) for _ in range(min(MAX_CONCURRENCY, len(ids)))]
    try:
        await asyncio.wait(workers)
    except asyncio.CancelledError:
        with suppress(OSError):  # the terminal may have gone
            say(desk.news, "Stopping: what is in flight gets 5 s; Ctrl-C again leaves at once.")
        await desk.client.close()
        await asyncio.wait(workers, timeout=LAST_WORDS)
        raise
    finally:
        for worker in workers:
            worker.cancel()
    for worker in workers:
        worker.result()


def _in_vain(codes: Counter[ExitCode]) -> bool:
    """Whether there is no use in going on: what these learnt holds for all."""
    if codes[ExitCode.REFUSED] or codes[ExitCode.BLOCKED]:
        return True
    return codes[ExitCode.UNREACHABLE] == codes.total() >= IN_VAIN


def _state(bulk_id: str, results: Results, begun: set[str]) -> State:
    if bulk_id not in results:
        return State.UNKNOWN if bulk_id in begun else State.NOT_SENT
    error = results[bulk_id]
    if error is None:
        return State.DELETED
    if error.outcome_unknown:
        return State.UNKNOWN
    if isinstance(error, NotFoundError):
        return State.NOT_FOUND
    if isinstance(error, ClientClosedError) or not error.attempts:
        return State.NOT_SENT
    return State.REJECTED


# --- what is told


def _close(
    desk: Desk,
    states: Mapping[str, State],
    results: Results,
    *,
    interrupted: bool,
    bad_lines: int,
) -> ExitCode:
    total = len(states) + bad_lines
    others = [bulk_id for bulk_id, state in states.items() if state is not State.DELETED]
    if not others and not bad_lines and not interrupted:
        said = "The bulk is deleted." if total == 1 else f"All {total:,} are deleted."
        say(desk.news, said, "green")
        return ExitCode.DONE
    for bulk_id in others[:LISTED]:
        error = results.get(bulk_id)
        why = "" if error is None else f": {reason(error)}"
        say(desk.alarm, f"{bulk_id}  {states[bulk_id]}{why}", "yellow")
    if len(others) > LISTED:
        more = len(others) - LISTED
        say(desk.alarm, f"… and {more:,} more that are not deleted; --output csv names each.")
    counts = Counter(states[bulk_id].value for bulk_id in others)
    told = [f"{count:,} {state}" for state, count in counts.most_common()]
    told += [f"{bad_lines:,} no bulk id"] if bad_lines else []
    start = "Interrupted: " if interrupted else ""
    sentence = f"{start}{len(others) + bad_lines:,} of {total:,} NOT deleted: {', '.join(told)}."
    say(desk.alarm, sentence, "red")
    if interrupted:
        return ExitCode.INTERRUPTED
    return _explain(desk, results)


def _explain(desk: Desk, results: Results) -> ExitCode:
    """Name the one reason that held for all, if there is one."""
    errors = [error for error in results.values() if error is not None]
    answered = len(errors) < len(results) or any(
        code_of(error) is ExitCode.NOT_ALL for error in errors
    )
    fatal = [e for e in errors if code_of(e) is not ExitCode.NOT_ALL]
    if fatal and (not answered or code_of(fatal[0]) is not ExitCode.UNREACHABLE):
        fatal.sort(key=lambda e: (code_of(e), not e.attempts))
        say(desk.alarm, desk.setup.explain(fatal[0]), "red")
        return code_of(fatal[0])
    return ExitCode.NOT_ALL


def _records(states: Mapping[str, State], results: Results) -> Iterator[Record]:
    for bulk_id, state in states.items():
        yield {"bulk_id": bulk_id, "state": state.value, **about(results.get(bulk_id))}
