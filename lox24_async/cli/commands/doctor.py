"""``lox24 doctor``."""

import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import lox24_async as lox
from lox24_async._printable import printable
from lox24_async.cli import options, streams
from lox24_async.cli.exits import ExitCode
from lox24_async.cli.running import Session, finish
from lox24_async.cli.telling.sentences import code_of, explain_pause
from lox24_async.cli.telling.tables import say
from lox24_async.cli.text import mask, why

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"  # no bulk has this id
_OFF: Final = 60.0  # seconds: a clock that is more wrong than that is told in yellow


def doctor(*, connection: options.Connection = options.DEFAULT_CONNECTION) -> ExitCode:
    """Ask LOX24 for a bulk that is not there: one request, which proves the way and the token."""
    return finish(lambda: _Doctor(connection).run(), debug=connection.debug)


class _Doctor:
    def __init__(self, connection: options.Connection) -> None:
        self._connection = connection
        self._session = Session(connection, lox.RetryPolicy.none())
        self._error: lox.Lox24Error | None = None
        self._seconds = 0.0
        self._pause: lox.Pause | None = None

    def run(self) -> ExitCode:
        for name, said in self._settings():
            _print(name, said)
        self._session.run(self._ask())
        for name, said in self._findings():
            _print(name, said)
        problem = streams.settle(sys.stdout)
        if isinstance(problem, BrokenPipeError):  # nobody wants to know
            problem = None
        if problem is not None:
            self._session.tell(f"stdout cannot be written: {why(problem)}.", "red")
        error = self._error
        if error is None or isinstance(error, lox.NotFoundError):
            say(self._session.console, "LOX24 answers, and takes the token.", "green")
            return ExitCode.DONE if problem is None else ExitCode.NOT_ALL
        say(self._session.alarm, self._session.explain(error), "red")
        return code_of(error)

    async def _ask(self) -> None:
        begun = time.perf_counter()
        try:
            await self._session.client.get_bulk_status(_NOBODY)
        except lox.Lox24Error as error:
            self._error = error
        self._seconds = time.perf_counter() - begun
        self._pause = self._session.client.pause

    def _settings(self) -> Iterator[tuple[str, str]]:
        connection = self._connection
        python = f"Python {platform.python_version()} on {platform.system()}"
        yield "version", f"lox24_async {lox.__version__}, {python}, aiohttp {version('aiohttp')}"
        yield "base URL", f"{printable(connection.place)} ({self._source_of_url()})"
        yield "token", f"from {connection.token_source}, client {self._session.client_id}"
        yield "proxy", self._proxy()
        yield "guard", self._guard()
        if name := os.environ.get("SSL_CERT_FILE"):
            yield "certificates", f"SSL_CERT_FILE: {printable(name)}"

    def _source_of_url(self) -> str:
        given = os.environ.get("LOX24_BASE_URL")
        if self._connection.base_url is None:
            return "the default"
        return "LOX24_BASE_URL" if self._connection.base_url == given else "--base-url"

    def _is_local(self) -> bool:
        """Whether it is this machine, for which the client takes no proxy and shares no guard."""
        host = urlsplit(self._connection.place).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def _proxy(self) -> str:
        named = self._connection.proxy
        if named is not None:
            return f"{_without_user(named)} (--proxy)"
        if (named := os.environ.get("LOX24_PROXY")) and not self._is_local():
            return f"{_without_user(named)} (LOX24_PROXY)"
        for name in ("HTTPS_PROXY", "https_proxy"):
            if os.environ.get(name):
                return f"none; {name} is set, but not used: name it with --proxy or LOX24_PROXY"
        return "none"

    def _guard(self) -> str:
        said = os.environ.get("LOX24_GUARD", "")
        if "://" in said:
            return f"{_without_user(said)} (LOX24_GUARD)"
        if said:
            return f"{printable(said)} (LOX24_GUARD)"
        return "process" if self._is_local() else "host: shared by your processes on this machine"

    def _findings(self) -> Iterator[tuple[str, str]]:
        if self._pause is None:
            yield "guard knows", "nothing that holds a call up"
        else:
            yield "guard knows", explain_pause(self._pause)
        error = self._error
        if error is not None and not error.attempts:
            yield "request", "none was sent"
            return
        yield "latency", f"{self._seconds * 1000:,.0f} ms, connection and TLS included"
        yield "clock", self._clock(error)

    def _clock(self, error: "lox.Lox24Error | None") -> str:
        said = error.headers.get("Date") if isinstance(error, lox.APIStatusError) else None
        try:
            there = parsedate_to_datetime(said or "")
        except (TypeError, ValueError):
            return "LOX24's answer has no date"
        if there.tzinfo is None:
            there = there.replace(tzinfo=UTC)
        # A date has whole seconds, and was written about half way.
        off = (datetime.now(UTC) - there).total_seconds() - self._seconds / 2 - 0.5
        if abs(off) < 2:
            return "as LOX24's"
        return f"{abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} LOX24's" + (
            ": set it" if abs(off) > _OFF else ""
        )


def _print(name: str, said: str) -> None:
    streams.put(sys.stdout, mask(f"{name:13} {said}\n"))  # that it fails is told at the end


def _without_user(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = urlsplit(url)  # the client has taken it
    if not parts.hostname:  # a socket
        return printable(f"{parts.scheme}://{parts.path}")
    port = f":{parts.port}" if parts.port else ""
    return printable(f"{parts.scheme}://{parts.hostname}{port}")
