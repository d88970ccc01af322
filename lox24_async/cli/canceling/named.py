"""Bulks that are named by their ids: as arguments, in a file, in a pipe."""

from collections.abc import AsyncIterator

import lox24_async as lox
from lox24_async.cli.exits import CommandError, ExitCode
from lox24_async.cli.reading import piped
from lox24_async.cli.reading.files import is_stream, short_name
from lox24_async.cli.reading.ids import NO_ID, read_ids
from lox24_async.cli.telling import outcomes, records
from lox24_async.cli.telling.tables import say
from lox24_async.cli.text import plural

from .job import Job
from .typed import CancelOptions

_OTHER = "; or what they have in common: --matching"


def cancel_named(arguments: tuple[str, ...], typed: CancelOptions) -> ExitCode:
    """Cancel bulks by their ids."""
    if typed.file is not None and is_stream(typed.file) and not typed.dry_run:
        return _cancel_piped(arguments, typed.file, typed)
    session = typed.open_session()
    ids = read_ids(arguments, typed.file, "lox24 cancel", _OTHER)
    outcomes.say_bad_lines(session.alarm, ids.bad)
    for note in ids.notes:
        say(session.console, note)
    if ids.repeated:
        say(session.console, f"{ids.repeated:,} repeated: each id is cancelled once.")
    if typed.dry_run:
        cancels = plural(len(ids.good), "cancel")
        say(session.console, f"{cancels} would go to {typed.connection.place}. Nothing was sent.")
        plain = ({"uuid": bulk_id} for bulk_id in ids.good)
        records.write_records(typed.output, ("uuid",), plain)
        return ExitCode.NOT_ALL if ids.bad else ExitCode.DONE

    named = f"--file {short_name(typed.file)}" if typed.file else plural(len(ids.good), "id")
    job = Job(session, typed, lox.CancelReport(), total=len(ids.good), note=f"lox24 cancel {named}")
    for entry in ids.bad:
        job.take_bad(entry)

    async def work() -> None:
        if ids.good:
            job.planned = ids.good
            job.begin()
            await job.cancel(ids.good)
            await job.look()

    return job.run(work)


def _cancel_piped(arguments: tuple[str, ...], file: str, typed: CancelOptions) -> ExitCode:
    """Cancel each id as soon as it is there."""
    session = typed.open_session()
    note = f"lox24 cancel --file {short_name(file)}"
    job = Job(session, typed, lox.CancelReport(), total=None, note=note)
    job.listed = True
    ids = piped.PipedIds(arguments, file, job.take_bad)

    async def work() -> None:
        first = await anext(ids, None)
        if ids.empty:
            raise CommandError(NO_ID)
        if first is None:
            return
        job.begin()
        await job.cancel(_chain(first, ids))
        for said in ids.notes:
            job.progress.notes.append(said)
        if ids.repeated:
            said = f"{ids.repeated:,} repeated: each id is cancelled once."
            job.progress.notes.append(said)
        await job.look()

    return job.run(work)


async def _chain(first: str, rest: piped.PipedIds) -> AsyncIterator[str]:
    yield first
    async for bulk_id in rest:
        yield bulk_id
