"""An endpoint that stops a campaign: ``POST /campaigns/stop`` with ``{"bulk_ids": […]}``.

export LOX24_AUTH_TOKEN="<client id>:<key>"
python examples/stop_endpoint.py

The caller waits, so there is a deadline, and an answer for each thing that can be true by then:

- 200: every bulk is cancelled.
- 202: none has failed, but not all are settled. LOX24 accepted the cancel and does not show
  the bulk as cancelled yet (ACCEPTED), or time ran out (UNKNOWN, NOT_SENT). The endpoint goes
  on by itself: first it looks, then it cancels what never left. Ask again in a moment: the
  same request is safe, a bulk that is cancelled counts as done.
- 409: at least one cannot be stopped any more, or is refused.
- 503: LOX24 cannot be reached, or holds us up: ``Retry-After`` says how long.
"""

import asyncio
import math

from aiohttp import web

from lox24_async import CancelReport, CancelState, Lox24Client

DEADLINE = 8.0  # seconds; below what a load balancer waits
CLIENT = web.AppKey("client", Lox24Client)
LATER: web.AppKey[set[asyncio.Task[None]]] = web.AppKey("later", set)

FAILED = (CancelState.TOO_LATE, CancelState.NOT_FOUND, CancelState.REJECTED)


async def stop(request: web.Request) -> web.Response:
    """Stop what the caller asks for, and say what is true when the time is over."""
    asked = await request.json()
    client = request.app[CLIENT]
    report = await client.cancel_bulks(list(asked["bulk_ids"]), timeout=DEADLINE)
    counts = {state.value: n for state, n in report.counts.items() if n}
    bulks = {outcome.bulk_id: outcome.state.value for outcome in report.outcomes}
    headers: dict[str, str] = {}
    if any(report.counts[state] for state in FAILED):
        status = 409
    elif report.counts[CancelState.CANCELED] == len(report):
        status = 200
    else:
        status = 202
        if report.counts[CancelState.NOT_SENT] == len(report):  # not one has left
            status, pause = 503, client.pause
            headers["Retry-After"] = str(math.ceil(pause.seconds) if pause else 5)
        follow = asyncio.create_task(finish(client, report))
        request.app[LATER].add(follow)  # the loop alone would forget it
        follow.add_done_callback(request.app[LATER].discard)
    return web.json_response({"counts": counts, "bulks": bulks}, status=status, headers=headers)


async def finish(client: Lox24Client, report: CancelReport) -> None:
    """Settle what was open when the time was over, and cancel what never left."""
    await client.settle(report, timeout=60)
    await client.cancel_bulks(report.unfinished(), report=report)


async def life(app: web.Application) -> object:
    """Run one client for the whole life of the service: one pool, one guard."""
    async with Lox24Client(user_agent="stop-endpoint/1.0") as client:
        app[CLIENT], app[LATER] = client, set()
        yield
        if app[LATER]:
            await asyncio.wait(app[LATER], timeout=10)


def make_app() -> web.Application:
    """Return the service."""
    app = web.Application()
    app.router.add_post("/campaigns/stop", stop)
    app.cleanup_ctx.append(life)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080)
