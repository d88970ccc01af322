"""Who shares what the guard has learnt: the settings.

What is learnt is the same everywhere: which requests were wrong or may have been, which
tokens were refused, that LOX24 blocks the IP, and whose turn it is to probe. LOX24 counts by
IP, so the more of what sends from one IP shares it, the better it holds.
"""

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from attrs import field, frozen

from ._checks import check_number
from ._public import public
from .errors import ConfigurationError

_EGRESS: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REDIS_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})


@public
@frozen
class ProcessGuard:
    """Shared by all clients of the process, whatever their loop or thread. Kept in memory."""


def _to_directory(value: str | os.PathLike[str] | None) -> Path | None:
    if value is None:
        return None
    said = os.fspath(value) if isinstance(value, os.PathLike) else value
    if isinstance(said, str) and said and "\0" not in said:
        return Path(said)
    raise ConfigurationError("path must be a directory's path or None")


@public
@frozen
class HostGuard:
    """Shared by all processes of this user on this machine: workers, restarts, ``lox24``.

    Kept in one small file for each origin. Containers share it when they mount the same
    directory.

    Args:
        path: The directory; ``None``: ``lox24-<uid>`` in the system's directory for temporary
            files, the same for logins, cron and services. Made with mode 0700 if it is not
            there. One that others may write to is not used.

    Raises:
        ConfigurationError: ``path`` is no path.
    """

    path: Path | None = field(default=None, converter=_to_directory)


@public
@frozen
class RedisGuard:
    """Shared by all hosts that reach LOX24 from one address, on top of the host's guard.

    Kept in Redis or Valkey (extra ``redis``) under ``lox24:{egress}:…``, for ten minutes at
    most.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        egress: A name for the address from which LOX24 sees these hosts.
        timeout: Seconds for one command.
        strict: Whether calls fail with ``ConnectionFailedError``, and nothing is sent, when
            the store cannot be reached. Otherwise one warning says so and the host's guard
            goes on alone.

    Raises:
        ConfigurationError: a value cannot work, or redis-py is not installed.
    """

    url: str = field(repr=False)  # it may hold a password
    egress: str = field(default="default", kw_only=True)
    timeout: float = field(default=0.05, kw_only=True)
    strict: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.url, str) or _split(self.url).scheme not in _REDIS_SCHEMES:
            raise ConfigurationError("url must begin with redis://, rediss:// or unix://")
        if not isinstance(self.egress, str) or _EGRESS.fullmatch(self.egress) is None:
            raise ConfigurationError("egress must be 1 to 64 letters, digits, dots, _ or -")
        check_number("timeout", self.timeout, least=0.001)
        if not isinstance(self.strict, bool):
            raise ConfigurationError("strict must be True or False")
        _check_redis_url(self.url)


Guards = ProcessGuard | HostGuard | RedisGuard


def check_guard(value: object, *, loopback: bool) -> Guards:
    """Return the guard to use.

    Args:
        value: What the user handed in; ``None``: what ``LOX24_GUARD`` says.
        loopback: Whether the origin is on this machine: then nothing is shared unless asked
            for.

    Raises:
        ConfigurationError: it is none of the three, or ``LOX24_GUARD`` says nothing known.
    """
    if isinstance(value, ProcessGuard | HostGuard | RedisGuard):
        return value
    if value is not None:
        raise ConfigurationError("guard must be a ProcessGuard, HostGuard or RedisGuard")
    said = os.environ.get("LOX24_GUARD", "")
    if not said:
        return ProcessGuard() if loopback else HostGuard()
    return _read_guard(said)


def _check_redis_url(url: str) -> None:
    """Let redis-py say whether it takes a URL's port, database and options."""
    try:
        redis: Any = import_module("redis.asyncio")  # an extra
    except ImportError as error:
        raise ConfigurationError("RedisGuard needs redis-py: install lox24_async[redis]") from error
    try:
        redis.ConnectionPool.from_url(url).make_connection()  # connects to nothing yet
    except Exception:  # noqa: BLE001  it raises what its parts raise, with pieces of the URL
        raise ConfigurationError(
            "url is none that redis-py takes: its port, its database or an option is wrong"
        ) from None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket without its pair, say
        return SplitResult("", "", "", "", "")


def _read_guard(said: str) -> Guards:
    if said == "process":
        return ProcessGuard()
    if said == "host":
        return HostGuard()
    parts = _split(said)
    if parts.scheme in _REDIS_SCHEMES:
        options = parse_qsl(parts.query, keep_blank_values=True)
        egress = dict(options).get("egress", "default")
        query = urlencode([(name, value) for name, value in options if name != "egress"])
        url = said.partition("?")[0]  # not put together anew: unix:/// would lose its slashes
        try:
            return RedisGuard(f"{url}?{query}" if query else url, egress=egress)
        except ConfigurationError as error:
            raise ConfigurationError(f"LOX24_GUARD: {error.message}") from error
    if Path(said).is_absolute():
        return HostGuard(said)
    # Not quoted: it may hold a password.
    raise ConfigurationError(
        "LOX24_GUARD must be process, host, the absolute path of a directory,"
        " or a redis://, rediss:// or unix:// URL"
    )
