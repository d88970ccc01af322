"""Stop bulks from a queue, in several worker processes on several hosts behind one address.

The queue is taskiq's on Redis; the guard is shared through the same Redis, so that a mistyped
token costs one request in all, however many workers begin with it.

    export REDIS_URL=redis://127.0.0.1 LOX24_AUTH_TOKEN=…
    taskiq worker queue_worker:broker --workers 4
    python queue_worker.py ID [ID …]

Needs: pip install 'lox24_async[redis]' taskiq taskiq-redis
"""

import asyncio
import os
import sys

from taskiq import Context, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from lox24_async import HeldBackError, IPBlockedError, Lox24Client, Lox24Error, RedisGuard

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1")

broker = ListQueueBroker(REDIS_URL).with_result_backend(RedisAsyncResultBackend(REDIS_URL))


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_client(state: TaskiqState) -> None:
    """Open one client for each worker process: its connections serve all tasks."""
    state.client = Lox24Client(guard=RedisGuard(REDIS_URL, egress="office"))


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def close_client(state: TaskiqState) -> None:
    """Let requests in flight come to their end."""
    await state.client.close()


@broker.task(task_name="stop_bulk")
async def stop_bulk(bulk_id: str, context: Context = TaskiqDepends()) -> str:  # noqa: B008
    """Stop one bulk.

    A cancel is idempotent in its answer: a task that runs twice does no harm.

    Returns:
        What became of it, in words. ``try again`` and what was unknown belong back in the queue.
    """
    client: Lox24Client = context.state.client
    try:
        bulk = await client.cancel_bulk(bulk_id, timeout=30)
    except (HeldBackError, IPBlockedError) as error:
        return f"try again in {error.retry_after or 60:.0f} s"
    except Lox24Error as error:
        return f"unknown: {error}" if error.outcome_unknown else f"not stopped: {error}"
    return "canceled" if bulk.is_canceled else "accepted"


async def main(ids: list[str]) -> None:
    """Put ids into the queue, and wait for what becomes of them."""
    await broker.startup()
    try:
        tasks = [await stop_bulk.kiq(bulk_id) for bulk_id in ids]
        for bulk_id, task in zip(ids, tasks, strict=True):
            result = await task.wait_result(timeout=60)
            print(bulk_id, result.return_value)
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python examples/queue_worker.py ID [ID ...]")
    asyncio.run(main(sys.argv[1:]))
