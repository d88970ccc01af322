"""Stop every campaign of one sender that was created in the last hour, and say what it saved.

export LOX24_AUTH_TOKEN="<client id>:<key>"
python examples/stop_a_sender.py "My sender"
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from lox24_async import (
    BulkFilter,
    CancelFailedError,
    CancelState,
    Lox24Client,
    Lox24Error,
    MatchReport,
)


async def stop_sender(client: Lox24Client, sender: str) -> MatchReport:
    """Find the unsent bulks of a sender, show them, cancel them, wait, and report."""
    # To the letter: "Acme" shall not stop "Acme Bank". (``sender_id=`` means "contains".)
    last_hour = BulkFilter(
        sender_id_exact=sender, created_from=datetime.now(UTC) - timedelta(hours=1)
    )

    # 1. Find: nothing is cancelled yet.
    plan = await client.cancel_matching(last_hour, dry_run=True)
    cost = "cost unknown" if plan.cost is None else f"cost {plan.cost}"
    print(f"{plan.bulks} bulks can be stopped: {plan.messages} messages, {cost}")

    # 2. Cancel, as they are found.
    report = MatchReport()  # ours, so that it survives an interruption
    try:
        await client.cancel_matching(last_hour, report=report)
    except CancelFailedError as error:
        print(f"the listing broke off: {error.__cause__}")

    # 3. Look until all is known: LOX24 accepts a cancel before it shows the bulk as cancelled.
    await client.settle(report, timeout=300)  # only looks, never cancels

    # 4. Report: one line for each bulk that needs a look.
    print(report)
    for outcome in report.outcomes:
        if outcome.state is not CancelState.CANCELED:
            print(outcome.bulk_id, outcome.state, outcome.error or "")
    return report


async def main(sender: str) -> int:
    """Return the exit code: 0 if everything is cancelled."""
    async with Lox24Client() as client:
        try:
            report = await stop_sender(client, sender)
            report.raise_for_failures()
        except Lox24Error as error:
            print(error, file=sys.stderr)
            return 1
    return 1 if report.unresolved() else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/stop_a_sender.py SENDER")
    sys.exit(asyncio.run(main(sys.argv[1])))
