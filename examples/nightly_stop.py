"""A nightly job: stop every bulk in a file, and know in the morning what happened.

export LOX24_AUTH_TOKEN="<client id>:<key>"
python examples/nightly_stop.py ids.txt stop-2026-11-25.jsonl

The journal survives the job: started again with the same journal (after a crash, a reboot, an
outage), it takes up what is unfinished, and does nothing twice. Exit code 0: all is done.
"""

import asyncio
import sys
from pathlib import Path

from lox24_async import CancelJournal, CancelState, Lox24Client, RetryPolicy

PATIENT = RetryPolicy(max_wait=900, wait_out_block=True)  # it is night: wait a block out
HOURS = 3600.0


async def stop_all(ids: list[str], file: str) -> int:
    """Stop these bulks, or go on where the journal ends; return the exit code."""
    journal = CancelJournal(file, note="nightly stop", durable=True)
    async with Lox24Client(retry=PATIENT, user_agent="nightly-stop/1.0") as client:
        report = journal.report  # of earlier runs; at first it is empty
        await client.resolve(report, journal=journal)  # what was under way; never cancels
        todo = [*report.unfinished(), *(bulk_id for bulk_id in ids if bulk_id not in report)]
        await client.cancel_bulks(todo, report=report, journal=journal, timeout=4 * HOURS)
        await client.settle(report, timeout=1 * HOURS, journal=journal)
    print(report)
    for outcome in report.outcomes:
        if outcome.state is not CancelState.CANCELED:
            print(outcome.bulk_id, outcome.state, outcome.error or "", outcome.request_id or "")
    if journal.error is not None:
        print(journal.error, file=sys.stderr)
    return 1 if report.unfinished() else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/nightly_stop.py IDS JOURNAL")
    words = Path(sys.argv[1]).read_text(encoding="utf-8").split()  # without the line breaks
    sys.exit(asyncio.run(stop_all(words, sys.argv[2])))
