"""A pool of connections: a session, ours or the caller's, and how many use it."""

import aiohttp
from aiohttp import ClientSession

from .connector import Connector
from .direct_lane import DirectLane


class Pool:
    """A session and how many use it. A retired one closes when the last is done.

    Args:
        session: The session.
        lane: The way past it.
    """

    def __init__(self, session: ClientSession, lane: DirectLane | None = None) -> None:
        self.session = session
        self.lane = lane
        self.users = 0

    def retire(self) -> None:
        """Keep no connection past the end of the session."""
        if self.lane is not None:
            self.lane.idle.retire()


def new_session() -> ClientSession:
    """Return a session of our own."""
    return ClientSession(
        connector=Connector(limit=0),  # bounded by our own queue, which comes before
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
