"""What a client is set up with, checked at the door: token, base URL, numbers."""

import json
import re
from html import escape
from ipaddress import ip_address
from math import isfinite
from typing import Final
from urllib.parse import quote, urlsplit

from .errors import ConfigurationError

DEFAULT_BASE_URL: Final = "https://api.lox24.eu"
_BASE_URL: Final = re.compile(
    r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~-]+)*/?", re.IGNORECASE
)
_MASK: Final = "***"
_SHORTEST_KEY_TO_HIDE: Final = 8  # a shorter key would make holes in innocent text


class Secret:
    """A token that shows itself to nobody who does not ask by name."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> str:
        """Return the value."""
        return self._value if isinstance(self._value, str) else ""

    def problem(self) -> str | None:
        """Say what keeps the value from being a token, without quoting it."""
        value = self._value
        if value is None:
            return "no token: pass token= or set LOX24_AUTH_TOKEN"
        if not isinstance(value, str):
            return "the token is no string"
        if not value:
            return "the token is empty"
        if not value.isascii() or not value.isprintable() or " " in value:
            return "the token holds blanks, control or non-ASCII characters"
        client_id, colon, key = value.partition(":")
        if not colon or ":" in key:
            return 'the token is not of the form "<client id>:<key>" (one colon)'
        if not client_id.isdigit():
            return "the client id (before the colon of the token) is no number"
        return None if key else "the key (after the colon of the token) is empty"

    def redact(self, text: str) -> str:
        """Blot the token out of a text, however it is escaped there."""
        value = self.reveal()
        key = value.partition(":")[2]
        for secret in (value, key if len(key) >= _SHORTEST_KEY_TO_HIDE else value):
            forms = {secret, json.dumps(secret)[1:-1], escape(secret), quote(secret, safe="")}
            for form in sorted(forms, key=len, reverse=True):
                text = text.replace(form, _MASK)
        return text


def check_token(secret: Secret) -> None:
    """Refuse what is no token.

    Raises:
        ConfigurationError: never quoting the value.
    """
    problem = secret.problem()
    if problem is not None:
        raise ConfigurationError(problem)


def check_base_url(value: object) -> str:
    """Return the base URL in its normal form: lower-case origin, no slash at the end.

    Raises:
        ConfigurationError: not https (http only for a loopback host), or more than scheme,
            host, port and path. The value is not quoted: it may hold a password.
    """
    if not isinstance(value, str) or _BASE_URL.fullmatch(value) is None or ".." in value:
        raise ConfigurationError(
            "the base URL is not of the form https://host[:port][/path]"
            " (no user info, query or fragment)"
        )
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("the base URL's host or port is invalid") from None
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError("the base URL is http: allowed only for a loopback host")
    name = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    place = name if port in (None, default) else f"{name}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: whom we talk to, without user info or path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an invalid address"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "its own origin"


def check_proxy(value: object, base_url: str) -> str | None:
    """Return the proxy's URL, or ``None``.

    Raises:
        ConfigurationError: no http(s) URL, or a plain-http base URL, whose requests (and
            the token in them) would pass through the proxy in clear.
    """
    if value is None:
        return None
    if not isinstance(value, str) or origin_of(value).partition("://")[0] not in ("http", "https"):
        raise ConfigurationError("the proxy is no http(s) URL")
    if base_url.startswith("http:"):
        raise ConfigurationError("a plain-http base URL through a proxy would show it the token")
    return value


def check_kind(name: str, value: object, kind: type) -> None:
    """Refuse a setting of another type.

    Raises:
        ConfigurationError: says which setting, and what it must be.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be of type {kind.__name__}")


def check_number(name: str, value: object, *, least: float, whole: bool = False) -> None:
    """Refuse a setting that is no finite number of at least ``least``.

    Raises:
        ConfigurationError: says which setting, and what it must be.
    """
    kinds = (int,) if whole else (int, float)
    if type(value) in kinds and isfinite(value) and value >= least:  # type: ignore[arg-type, operator]
        return
    kind = "a whole number" if whole else "a number"
    raise ConfigurationError(f"{name} must be {kind} of at least {least}, not {value!r}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
