"""``lox24 cancel``, as it is done."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import frozen

from lox24_async import CancelOutcome, CancelReport, CancelState, ConfigurationError, Lox24Client

from .ids import Ids, collect, from_arguments, from_file
from .options import DEFAULT_URL, CommandError, ExitCode, Output, read_token, shown, why
from .progress import Display, Tally, listening
from .show import closing_table, list_bad_lines, list_others, make_console, say, write_records
from .verdict import Run, exit_code, is_unfinished, sentences

_SETTLING: Final = 1.0  # seconds that LOX24 gets before a second look
_LAST_WORDS: Final = 1.0  # seconds in which a stopped run writes down what it knows


@frozen(kw_only=True)
class Job:
    """What was typed."""

    arguments: tuple[str, ...]
    file: str | None
    output: Output
    base_url: str | None
    token_file: Path | None
    max_concurrency: int
    quiet: bool
    debug: bool


def run(job: Job) -> ExitCode:
    """Cancel, and tell what came of it.

    Raises:
        CommandError: wrong usage or settings; nothing was sent.
    """
    console = make_console(sys.stderr, quiet=job.quiet)
    alarm = make_console(sys.stderr)  # for what --quiet shows, too
    client = _connect(job)
    ids = _read_ids(job)
    list_bad_lines(alarm, ids.bad)
    if ids.repeated:
        say(console, f"{ids.repeated:,} repeated: each id is cancelled once.")

    report, tally = CancelReport(), Tally(len(ids.good))
    display = Display(console, tally)
    with listening(tally, display, debug=job.debug):
        try:
            interrupted = asyncio.run(_carry_out(client, ids.good, report, tally, display))
        except (KeyboardInterrupt, asyncio.CancelledError):  # a second Ctrl-C
            interrupted = True
    outcomes = [
        report[bulk_id] if bulk_id in report else CancelOutcome(bulk_id, CancelState.NOT_SENT)
        for bulk_id in ids.good
    ]

    # Files and records first: a terminal that has gone refuses all that follows.
    unfinished = [outcome.bulk_id for outcome in outcomes if is_unfinished(outcome)]
    keep = unfinished and (interrupted or job.file == "-")
    rest = _save(unfinished) if keep else None
    _write(job.output, outcomes, ids)

    end = Run(outcomes, len(ids.bad), interrupted)
    code = exit_code(end)
    say(console)
    console.print(closing_table(end, tally.seconds))
    say(console)
    list_others(console, end)
    source = "LOX24_AUTH_TOKEN" if job.token_file is None else shown(str(job.token_file))
    for sentence in sentences(end, job.base_url or DEFAULT_URL, source):
        say(alarm if code else console, sentence, "red" if code else "green")
    if rest is not None:
        say(alarm, f"The {len(unfinished):,} unfinished ids are in a file. To go on:")
        say(alarm, f"  lox24 cancel --file {rest}")
    return code


def _connect(job: Job) -> Lox24Client:
    try:
        return Lox24Client(
            read_token(job.token_file),
            base_url=job.base_url or DEFAULT_URL,
            max_concurrency=job.max_concurrency,
        )
    except ConfigurationError as error:
        hint = "Check LOX24_BASE_URL or --base-url"
        if "URL" not in error.message:
            hint = "Check LOX24_AUTH_TOKEN or --token-file"
        message = error.message[0].upper() + error.message[1:]
        raise CommandError(f"{message}. {hint}; nothing was sent.") from error


def _read_ids(job: Job) -> Ids:
    entries = list(from_arguments(job.arguments))
    if job.file == "-":
        if sys.stdin.isatty():
            print("Reading ids from the keyboard, one a line; Ctrl-D ends.", file=sys.stderr)
        entries += from_file(sys.stdin.buffer.read(), "stdin")
    elif job.file is not None:
        path = Path(job.file)
        try:
            entries += from_file(path.read_bytes(), shown(path.name)[1:-1])
        except OSError as error:
            raise CommandError(f"{shown(job.file)} cannot be read: {why(error)}.") from None
    if not entries:
        if job.file is None:
            raise CommandError("Which bulks? Name their ids: lox24 cancel ID…, or --file FILE.")
        raise CommandError("There is no id in the input; nothing was cancelled.")
    return collect(entries)


# --- the run


async def _carry_out(
    client: Lox24Client,
    ids: Sequence[str],
    report: CancelReport,
    tally: Tally,
    display: Display,
) -> bool:
    """Cancel, until done, interrupted or in vain; return whether interrupted."""
    _hang_up_like_ctrl_c()
    show = asyncio.create_task(display.run())
    work = asyncio.create_task(_work(client, ids, report, tally))
    in_vain = asyncio.create_task(tally.in_vain.wait())
    interrupted = False
    try:
        await asyncio.wait({work, in_vain}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        interrupted = True
        tally.stop()
    try:
        # Who waits goes home at once; what is in flight gets a grace time to come back.
        await client.close()
        await asyncio.wait({work}, timeout=_LAST_WORDS)
    finally:
        for task in (work, in_vain, show):
            task.cancel()
        await asyncio.wait({work, in_vain, show})
    if not show.cancelled():
        show.exception()  # read and let go: a terminal that has gone costs nobody the result
    if not work.cancelled():
        work.result()
    return interrupted


async def _work(
    client: Lox24Client, ids: Sequence[str], report: CancelReport, tally: Tally
) -> None:
    await client.cancel_bulks(ids, report=report, progress=tally.count)
    doubtful = report.unresolved()
    if doubtful and not tally.stopped:
        tally.phase = f"looking again at {len(doubtful):,}"
        await asyncio.sleep(_SETTLING)
        await client.resolve(report)


def _hang_up_like_ctrl_c() -> None:
    """Let a closed terminal or a ``kill`` end the run as Ctrl-C does: with nothing lost."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if task is None or number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # under nohup a hang-up is no matter
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, task.cancel)


# --- what is left behind


def _save(ids: Sequence[str]) -> Path:
    """Write ids to a new file in the working directory, or wherever a file can be made."""
    now = datetime.now(UTC)
    text = "\n".join([f"# not finished by lox24 cancel at {now:%Y-%m-%d %H:%M:%S} UTC", *ids, ""])
    stem = f"lox24-unfinished-{now:%Y%m%dT%H%M%SZ}"
    for place in (Path(), Path(tempfile.gettempdir())):
        for suffix in ("", *(f"-{n}" for n in range(2, 100))):
            path = place / f"{stem}{suffix}.txt"
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                continue
            except OSError:
                break
            return path
    raise CommandError(
        "No file could be written for the unfinished ids:\n" + "\n".join(ids), ExitCode.INTERRUPTED
    )


def _write(form: Output, outcomes: Sequence[CancelOutcome], ids: Ids) -> None:
    try:
        write_records(sys.stdout, form, outcomes, ids.bad)
    except BrokenPipeError:  # the reader had enough (head, say)
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
