"""The first pass over a listing: what somebody can be shown before it is read once more."""

from datetime import timedelta

from lox24_async import BulkFilter, Lox24Client
from lox24_async.testing import FakeLox24


async def test_the_first_pass_ends_before_the_pages_are_read_again(fake_lox24: FakeLox24) -> None:
    """After the last page, and before the second pass; what slipped through comes then."""
    fake_lox24.page_size = 2
    added = [
        fake_lox24.add_bulk(created_at=fake_lox24.now - timedelta(hours=9 - number)).uuid
        for number in range(6)
    ]
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        stream = client.list_bulks(BulkFilter(status_codes=[0, 5]))
        first = []
        async for bulk in stream.first_pass():
            first.append(bulk.uuid)
            if len(first) == 1:  # the second page was not read yet, or is being read
                fake_lox24.set_status(added[0], 10)
                fake_lox24.set_status(added[1], 10)
        rest = [bulk.uuid async for bulk in stream]
    assert sorted(first + rest) == sorted(added)
    assert len(first) < len(added)


async def test_of_one_page_the_first_pass_is_all(fake_lox24: FakeLox24) -> None:
    """There is no second one, with or without an exact sender; and nothing may be found."""
    bulk = fake_lox24.add_bulk(sender_id="Acme")
    fake_lox24.add_bulk(sender_id="Acme Bank")
    async with Lox24Client(fake_lox24.token, base_url=fake_lox24.url) as client:
        stream = client.list_bulks(BulkFilter(sender_id_exact="Acme"))
        assert [found.uuid async for found in stream.first_pass()] == [bulk.uuid]
        assert [found async for found in stream] == []
        none = client.list_bulks(BulkFilter(sender_id="Nobody"))
        assert [found async for found in none.first_pass()] == []
