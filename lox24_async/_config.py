"""What a client is set up with, checked at the door: token, base URL, numbers."""

import os
import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from ._public import version
from .errors import ConfigurationError

DEFAULT_BASE_URL: Final = "https://api.lox24.eu"
_BASE_URL: Final = re.compile(
    r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9._~-]+)*/?",
    re.IGNORECASE | re.ASCII,
)
_PRODUCT: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?"
_PRODUCTS: Final = re.compile(f"{_PRODUCT}( {_PRODUCT})*")  # RFC 9110, 10.1.5, without comments
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
_MASK: Final = "***"
_SHORTEST_KEY_TO_HIDE: Final = 8  # a shorter key would make holes in innocent text


def _echoes(text: str) -> str:
    """Return a pattern for a text in any mixture of the escapes that servers use."""
    return "".join(map(_echo, text))


def _echo(c: str) -> str:
    code = f"{ord(c):02x}"
    forms = [
        re.escape(c),
        f"%(?i:{code})",
        rf"\\u00(?i:{code})",
        f"&#0*{ord(c)};",
        f"&#[xX]0*(?i:{code});",
    ]
    if not c.isalnum():
        forms.insert(0, r"\\" + re.escape(c))
    if c in _ENTITIES:
        forms.append(re.escape(_ENTITIES[c]))
    return f"(?:{'|'.join(forms)})"


class Secret:
    """A token that shows itself to nobody who does not ask by name."""

    __slots__ = ("_echo", "_value")

    def __init__(self, value: object) -> None:
        self._value = value
        self._echo: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")

    def reveal(self) -> str:
        """Return the value."""
        return self._value if isinstance(self._value, str) else ""

    @property
    def client_id(self) -> str:
        """The part before the colon, which is no secret."""
        return self.reveal().partition(":")[0]

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
        return self._pattern().sub(_MASK, text)

    def _pattern(self) -> "re.Pattern[str]":
        if self._echo is None:
            client_id, _, key = self.reveal().partition(":")
            whole, part = _echoes(f"{client_id}:"), _echoes(key)
            optional = "?" if len(key) >= _SHORTEST_KEY_TO_HIDE else ""
            self._echo = re.compile(f"(?:{whole}){optional}{part}")
        return self._echo


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


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    return _is_loopback(urlsplit(url).hostname or "")


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL: whom we talk to, without user info or path."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an invalid address"
    if not parts.hostname:
        return "its own origin"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


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


def proxy_from_environment(base_url: str) -> str | None:
    """Return the proxy that ``LOX24_PROXY`` names; for a loopback host there is none."""
    if is_loopback(base_url):
        return None
    return os.environ.get("LOX24_PROXY") or None


def proxy_hint() -> str:
    """Return what to say where no connection came about: the system's proxy is not used."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        if os.environ.get(name):
            return f"; {name} is set, but ignored: pass proxy= or set LOX24_PROXY"
    return ""


def write_user_agent(value: object) -> str:
    """Return the ``User-Agent`` of a program that uses us.

    Raises:
        ConfigurationError: ``value`` is no product token, nor several with blanks between.
    """
    own = f"lox24-async/{version()}"
    if value is None:
        return own
    if not isinstance(value, str) or _PRODUCTS.fullmatch(value) is None:
        raise ConfigurationError(
            'user_agent must be product tokens like "billing/2.1", with single blanks between'
        )
    return f"{value} {own}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
