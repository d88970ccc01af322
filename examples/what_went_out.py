"""Stop a campaign, and say what had gone out by then: how many messages, to whom, for how much.

export LOX24_AUTH_TOKEN="<client id>:<key>"
python examples/what_went_out.py da0fa78c-4699-11ea-a637-96000028b339 > sent.csv
"""

import asyncio
import csv
import sys
from decimal import Decimal
from typing import TextIO

from lox24_async import Lox24Client, Lox24Error, NotCancelableError


async def stop(client: Lox24Client, bulk_id: str) -> None:
    """Cancel, and wait until nothing more goes out."""
    try:
        bulk = await client.cancel_bulk(bulk_id, wait=True, timeout=300)
        print(f"bulk {bulk.uuid} is cancelled", file=sys.stderr)
    except NotCancelableError as error:  # the messages are there all the same
        print(error, file=sys.stderr)


async def tell(client: Lox24Client, bulk_id: str, out: TextIO) -> None:
    """Say how many messages went out, and write one line for each."""
    sent = await client.count_messages(bulk_id, sent=True)
    unsent = await client.count_messages(bulk_id, sent=False)
    print(f"{sent} messages were sent, {unsent} were not", file=sys.stderr)

    lines = csv.writer(out)
    lines.writerow(["phone", "sent_at", "delivery", "price"])
    cost, unpriced = Decimal(0), 0
    async for message in client.list_messages(bulk_id, sent=True):
        at = message.gateway_sent_at
        lines.writerow([message.phone, at and at.isoformat(), message.dlr_code, message.price])
        cost += message.price or 0
        unpriced += message.price is None
    print(f"they cost {cost}" + (f", {unpriced} unknown" if unpriced else ""), file=sys.stderr)


async def main(bulk_id: str) -> int:
    """Return the exit code: 0 if all is known."""
    async with Lox24Client() as client:
        try:
            await stop(client, bulk_id)
            await tell(client, bulk_id, sys.stdout)
        except Lox24Error as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/what_went_out.py BULK_ID > sent.csv")
    sys.exit(asyncio.run(main(sys.argv[1])))
