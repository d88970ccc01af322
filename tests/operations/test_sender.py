"""A sender to the letter: LOX24 knows only "contains", so it is checked here."""

import pytest

from lox24_async import BulkFilter, Lox24Client
from lox24_async.testing import FakeLox24

SENDERS = ("Acme", "Acme Bank", "acme", "My Acme", "Acme ", "Acme", "Shop")


@pytest.mark.parametrize("page_size", [1, 2, 30])
async def test_to_the_letter(client: Lox24Client, fake_lox24: FakeLox24, page_size: int) -> None:
    """Listings, pages, dry runs and cancels leave other senders alone, whatever pages they fill."""
    fake_lox24.page_size = page_size
    bulks = [fake_lox24.add_bulk(sender_id=sender) for sender in SENDERS * 3]
    mine = {bulk.uuid for bulk in bulks if bulk.sender_id == "Acme"}
    wanted = BulkFilter(sender_id_exact="Acme")
    assert {bulk.uuid async for bulk in client.list_bulks(wanted)} == mine
    assert {b.uuid async for b in client.list_bulks(BulkFilter(sender_id="Acme"))} > mine
    found, number = set(), 1
    while True:
        page = await client.list_bulks_page(number, wanted)
        found |= {bulk.uuid for bulk in page.items}
        if page.next_page is None:
            break
        number = page.next_page
    assert found == mine
    plan = await client.cancel_matching(wanted, dry_run=True)
    assert plan.bulks == len(mine)
    report = await client.cancel_matching(wanted)
    assert {o.bulk_id for o in report.outcomes} == {str(uuid) for uuid in mine}
    assert {b.uuid for b in fake_lox24.bulks.values() if b.is_canceled} == mine
    queries = [r.path for r in fake_lox24.requests if r.path.startswith("/bulks?")]
    assert all("sender_id=Acme" in query for query in queries)


async def test_both_senders(client: Lox24Client, fake_lox24: FakeLox24) -> None:
    """A part and the whole together: a bulk must meet both."""
    fake_lox24.add_bulk(sender_id="Acme")
    both = BulkFilter(sender_id="ac", sender_id_exact="Acme")
    assert len([bulk async for bulk in client.list_bulks(both)]) == 1
    assert both.matches(fake_lox24.add_bulk(sender_id="Acme"))
    assert not BulkFilter(sender_id="x", sender_id_exact="Acme").matches(
        fake_lox24.add_bulk(sender_id="Acme")
    )
