"""What a client is set up with, checked at the door, and what the token never shows."""

import copy
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lox24_async import ConfigurationError, JsonLdBulk, Lox24Client, RetryPolicy
from lox24_async._checks import check_number
from lox24_async._config import (
    Secret,
    check_base_url,
    check_proxy,
    check_token,
    origin_of,
)
from tests.conftest import frames_of_ours

CANARY = "1234567:e3f3a759b6677959b6ebfc0ca9a2f001"
KEY = CANARY.partition(":")[2]
LOOPBACK = "http://127.0.0.1:8080"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOX24_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("LOX24_BASE_URL", raising=False)


# --- the token

BAD_TOKENS = [
    pytest.param("", id="empty"),
    pytest.param(" ", id="blank"),
    pytest.param(f" {CANARY}", id="leading-blank"),
    pytest.param(f"{CANARY} ", id="trailing-blank"),
    pytest.param(f"1234567: {KEY}", id="inner-blank"),
    pytest.param(f"1234567:\t{KEY}", id="tab"),
    pytest.param(f"{CANARY}\n", id="newline"),
    pytest.param(f"{CANARY}\r\nX-Evil: 1", id="header-injection"),
    pytest.param(f"{CANARY}\x00", id="nul"),
    pytest.param(f"{CANARY}\x7f", id="delete"),
    pytest.param(f"{CANARY}\x85", id="next-line"),
    pytest.param(f"{CANARY}\u00a0", id="no-break-space"),
    pytest.param(f"1234567:{KEY}ä", id="latin-1"),
    pytest.param("1234567:schl\u00fcssel", id="umlaut"),
    pytest.param(f"\u0661\u0662\u0663:{KEY}", id="arabic-digits"),
    pytest.param(f"\u00b2:{KEY}", id="superscript"),
    pytest.param(KEY, id="no-colon"),
    pytest.param(f"{CANARY}:x", id="two-colons"),
    pytest.param(f"1234567::{KEY}", id="double-colon"),
    pytest.param(f":{KEY}", id="no-client-id"),
    pytest.param("1234567:", id="no-key"),
    pytest.param(":", id="only-colon"),
    pytest.param(f"acme:{KEY}", id="letters"),
    pytest.param(f"-1:{KEY}", id="sign"),
    pytest.param(f"1.5:{KEY}", id="point"),
]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_case_2_a_malformed_token_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given or from the environment: refused at construction, and never quoted."""
    with pytest.raises(ConfigurationError) as given_:
        Lox24Client(token)
    assert_untold(given_.value, token)
    if "\0" not in token:
        monkeypatch.setenv("LOX24_AUTH_TOKEN", token)
        with pytest.raises(ConfigurationError) as read:
            Lox24Client()
        assert str(given_.value) == str(read.value)


def assert_untold(error: ConfigurationError, token: str) -> None:
    """Check that an error does not quote a token, nor its key."""
    said = repr([str(error), repr(error), error.args, vars(error), error.__cause__])
    for part in {token.strip(), token.strip().partition(":")[2]}:
        assert len(part) < 8 or part not in said
    assert KEY not in said
    assert (None, 0, False) == (error.bulk_id, error.attempts, error.outcome_unknown)


def test_case_2_a_missing_token_says_where_to_put_it() -> None:
    """Without a token the error names the argument and the variable."""
    with pytest.raises(ConfigurationError, match="LOX24_AUTH_TOKEN"):
        Lox24Client()


@pytest.mark.parametrize("token", [1234567, CANARY.encode(), [CANARY], object(), True, 1.5])
def test_case_2_a_token_must_be_a_string(token: Any) -> None:
    """Bytes and numbers are no tokens, and are not quoted either."""
    with pytest.raises(ConfigurationError) as caught:
        Lox24Client(token)
    assert_untold(caught.value, CANARY)


@pytest.mark.parametrize(
    "token", [CANARY, "0:x", "1:!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~", f"{'9' * 30}:{'k' * 200}"]
)
def test_a_good_token_is_taken(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits, one colon, a key of printable ASCII; given or from the environment."""
    check_token(Secret(token))
    Lox24Client(token)
    monkeypatch.setenv("LOX24_AUTH_TOKEN", token)
    Lox24Client()


def test_a_given_token_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read only when no token is given."""
    monkeypatch.setenv("LOX24_AUTH_TOKEN", "bad")
    Lox24Client(CANARY)


@settings(deadline=None)
@given(token=st.text() | st.from_regex(r"[0-9]{1,3}:?[!-~ ]{0,8}(\n|:|\x7f)?", fullmatch=True))
def test_case_2_any_string_is_a_token_or_a_configuration_error(token: str) -> None:
    """Exactly ``digits:printable`` passes, whatever the string; the error never quotes it."""
    client_id, colon, key = token.partition(":")
    good = (
        client_id.isdecimal()
        and bool(colon and key)
        and ":" not in key
        and all("!" <= character <= "~" for character in token)
    )
    problem = Secret(token).problem()
    assert good is (problem is None)
    assert good or problem in PROBLEMS


PROBLEMS = {
    "no token: pass token= or set LOX24_AUTH_TOKEN",
    "the token is no string",
    "the token is empty",
    "the token holds blanks, control or non-ASCII characters",
    'the token is not of the form "<client id>:<key>" (one colon)',
    "the client id (before the colon of the token) is no number",
    "the key (after the colon of the token) is empty",
}
"""All that may be said of a bad token: fixed sentences, so nothing of the value is in them."""


# --- the base URL


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://api.lox24.eu", "https://api.lox24.eu"),
        ("https://api.lox24.eu/", "https://api.lox24.eu"),
        ("HTTPS://API.LOX24.EU", "https://api.lox24.eu"),
        ("https://api.lox24.eu:443", "https://api.lox24.eu"),
        ("https://api.lox24.eu:8443/", "https://api.lox24.eu:8443"),
        ("https://proxy.example/lox24/v1/", "https://proxy.example/lox24/v1"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("https://[2001:DB8::7]:8443", "https://[2001:db8::7]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://localhost:80/", "http://localhost"),
        ("http://LOCALHOST:8080", "http://localhost:8080"),
        ("http://[::1]:8080/api", "http://[::1]:8080/api"),
    ],
)
def test_a_good_base_url_is_put_in_order(value: str, expected: str) -> None:
    """Lower-case origin, no default port, no slash at the end; taken again as it is."""
    assert expected == check_base_url(value)
    assert expected == check_base_url(expected)
    assert expected in repr(Lox24Client(CANARY, base_url=value))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        "api.lox24.eu",
        "//api.lox24.eu",
        "https://",
        "https:///path",
        "https:api.lox24.eu",
        "http://api.lox24.eu",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://128.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil-localhost",
        "http://[2001:db8::7]",
        "https://user@api.lox24.eu",
        "https://user:s3cret@api.lox24.eu",
        "https://:s3cret@api.lox24.eu",
        "https://api.lox24.eu@evil.example",
        "http://127.0.0.1@evil.example",
        "https://api.lox24.eu?x=s3cret",
        "https://api.lox24.eu/?",
        "https://api.lox24.eu#s3cret",
        "https://api.lox24.eu/#",
        "ftp://api.lox24.eu",
        "ws://127.0.0.1",
        "file:///etc/passwd",
        "unix://127.0.0.1",
        "javascript:alert(1)",
        "https://api.lox24.eu:0x50",
        "https://api.lox24.eu:99999",
        "https://api.lox24.eu:",
        "https://api.lox24.eu:-1",
        "https://api lox24.eu",
        "https://api.lox24.eu\n",
        "\nhttps://api.lox24.eu",
        " https://api.lox24.eu",
        "https://api.lox24.eu/\r\nX-Evil: 1",
        "https://api.lox24.eu\\@evil.example",
        "https://api.lox24.eu/%2e%2e",
        "https://api.lox24.eu/../x",
        "https://[::1",
        "https://[1:2:3]",
        "https://[::1%25eth0]",
        pytest.param("https://b\u00fccher.example", id="umlaut"),
        pytest.param("http\u017f://api.lox24.eu", id="long-s-in-the-scheme"),
        pytest.param("https://api.lox24.e\u212a", id="kelvin-sign-in-the-host"),
        pytest.param("https://api.lox24.eu/\u017f", id="long-s-in-the-path"),
        pytest.param(b"https://api.lox24.eu", id="bytes"),
        pytest.param(443, id="number"),
        pytest.param(["https://api.lox24.eu"], id="list"),
    ],
)
def test_case_30_a_bad_base_url_is_refused(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No https (or loopback http), or more than host, port and path: refused, not quoted."""
    with pytest.raises(ConfigurationError) as given_:
        Lox24Client(CANARY, base_url=value)
    assert "s3cret" not in str(given_.value)
    if value and isinstance(value, str):
        monkeypatch.setenv("LOX24_BASE_URL", value)
        with pytest.raises(ConfigurationError):
            Lox24Client(CANARY)


def test_the_base_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given before the environment before the default; an empty variable is none."""
    assert "https://api.lox24.eu" in repr(Lox24Client(CANARY))
    monkeypatch.setenv("LOX24_BASE_URL", "")
    assert "https://api.lox24.eu" in repr(Lox24Client(CANARY))
    monkeypatch.setenv("LOX24_BASE_URL", LOOPBACK)
    assert LOOPBACK in repr(Lox24Client(CANARY))
    assert "https://other.example" in repr(Lox24Client(CANARY, base_url="https://other.example"))


url_like = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["https://", "HTTP://", "http://", "http\u017f://", "ws://", ""]),
        st.sampled_from(["127.0.0.1", "localhost", "[::1]", "[1:2]", "a.b", "u@h", "\u212a"])
        | st.text(max_size=6),
        st.sampled_from(["", ":80", ":443", ":99999", ":0"]),
        st.sampled_from(["", "/", "/a", "/a/", "/..", "?q", "#f"]) | st.text(max_size=4),
    ),
)


@settings(deadline=None, max_examples=200)
@given(value=st.text() | url_like)
def test_case_30_any_string_is_a_base_url_or_a_configuration_error(value: str) -> None:
    """Nothing raw comes out, and what passes is ASCII, https or loopback, and stable."""
    try:
        url = check_base_url(value)
    except ConfigurationError:
        return
    assert url.isascii()
    assert url.isprintable()
    assert url.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))
    assert not set("@?# ") & set(url)
    assert url == check_base_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.lox24.eu/bulks?x=1#f", "https://api.lox24.eu"),
        ("https://u:p@Api.Lox24.eu:8443/x", "https://api.lox24.eu:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[2001:db8::7]:8443/x", "https://[2001:db8::7]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    """User info, path, query and fragment are no part of an origin."""
    assert expected == origin_of(url)


@settings(deadline=None)
@given(url=st.text() | url_like)
def test_any_string_has_an_origin_to_tell(url: str) -> None:
    """Whatever a redirect points to, something can be said of it."""
    assert origin_of(url)


# --- the other settings


@pytest.mark.parametrize(
    "proxy", ["", "proxy.example:3128", "socks5://proxy.example", "http://", "ftp://x", 3128, b"x"]
)
def test_case_29_a_proxy_is_an_http_url(proxy: Any) -> None:
    """What is no http(s) URL is no proxy."""
    with pytest.raises(ConfigurationError, match="proxy"):
        Lox24Client(CANARY, proxy=proxy)


def test_case_29_no_plain_http_through_a_proxy() -> None:
    """A plain-http target would show the proxy the token."""
    with pytest.raises(ConfigurationError, match="proxy"):
        Lox24Client(CANARY, base_url=LOOPBACK, proxy="http://127.0.0.1:3128")
    assert "http://127.0.0.1:3128" == check_proxy("http://127.0.0.1:3128", "https://api.lox24.eu")
    assert check_proxy(None, LOOPBACK) is None


BAD_NUMBERS: list[Any] = [0, -1, None, "3", True, float("nan"), float("inf"), -(10**400), [1]]


@pytest.mark.parametrize("name", ["max_concurrency", "attempt_timeout"])
@pytest.mark.parametrize("value", BAD_NUMBERS, ids=lambda value: str(value)[:12])
def test_bad_numbers_are_refused(name: str, value: Any) -> None:
    """A setting that is no finite positive number is refused by its name."""
    with pytest.raises(ConfigurationError, match=name):
        Lox24Client(CANARY, **{name: value})


@pytest.mark.parametrize("value", [10**400, 10**5000, -(10**5000)], ids=["e400", "e5000", "-e5000"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_number_beyond_all_measure_is_no_raw_error(value: int, whole: bool) -> None:
    """A number too big for a float is taken or refused like any other."""
    with suppress(ConfigurationError):
        check_number("max_wait", value, least=1, whole=whole)


@pytest.mark.parametrize(
    "settings",
    [
        {"form": dict},
        {"form": "json"},
        {"form": JsonLdBulk(uuid="x", status_code=1)},  # type: ignore[arg-type]
        {"max_concurrency": 1.5},
        {"retry": 3},
        {"retry": None},
        {"retry": RetryPolicy},
        {"session": object()},
        {"ssl": True},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_of_another_type_are_refused(settings: dict[str, Any]) -> None:
    """What cannot work is refused before anything is made."""
    with pytest.raises(ConfigurationError):
        Lox24Client(CANARY, **settings)


# --- the secret

AWKWARD = "7:k\"q\\b/s<l>&a'p%c+e=~"


def php_json(text: str) -> str:
    """Escape as PHP's ``json_encode`` does."""
    return json.dumps(text)[1:-1].replace("/", "\\/")


def symfony_json(text: str) -> str:
    """Escape as Symfony's ``JsonResponse`` does: safe within HTML."""
    escaped = php_json(text.replace('"', "\0"))
    table = {"<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "'": "\\u0027"}
    for raw, code in table.items():
        escaped = escaped.replace(raw, code)
    return escaped.replace("\\u0000", "\\u0022")


def lower_case_quote(text: str) -> str:
    """Percent-encode in lower case, as some servers do."""
    return "".join(f"%{ord(c):02x}" if not c.isalnum() and c != "~" else c for c in text)


ESCAPES: list[Callable[[str], str]] = [
    str,
    lambda text: json.dumps(text)[1:-1],
    php_json,
    symfony_json,
    escape,
    lambda text: escape(text).replace("&#x27;", "&#039;"),
    lambda text: quote(text, safe=""),
    quote,
    lower_case_quote,
]


@pytest.mark.parametrize(
    "escaped",
    ESCAPES,
    ids=[
        "raw",
        "json",
        "php",
        "symfony",
        "html",
        "php-html",
        "percent",
        "percent-slash",
        "percent-lower",
    ],
)
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(CANARY, id="hex"),
        pytest.param("1:abc+/def==", id="base64"),
        pytest.param(AWKWARD, id="awkward"),
    ],
)
def test_case_32_a_token_is_blotted_out_however_escaped(
    token: str, escaped: Callable[[str], str]
) -> None:
    """No form that a server may echo the token in gets through; the text around it does."""
    key = token.partition(":")[2]
    shown = Secret(token).redact(f"before {escaped(token)} between {escaped(key)} after")
    assert escaped(token) not in shown
    assert escaped(key) not in shown
    assert ("before", "between", "after") == tuple(
        word for word in shown.split() if word in ("before", "between", "after")
    )


@settings(deadline=None)
@given(text=st.text())
def test_innocent_text_is_left_alone(text: str) -> None:
    """A text without the token is not touched."""
    assume(KEY not in text)
    assert text == Secret(CANARY).redact(text)


def test_case_32_a_secret_shows_itself_to_nobody() -> None:
    """No repr, str, format, vars, pickle or copy of a secret holds the token."""
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{[secret]}", repr(secret.redact)]
    assert all("***" in text and KEY not in text for text in shown)
    assert not hasattr(secret, "__dict__")
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError) as caught:
            way(secret)
        assert KEY not in str(caught.value)
    assert CANARY == secret.reveal()


def test_case_32_a_client_shows_no_token() -> None:
    """Neither the client nor anything of it that can be printed shows the token."""
    client = Lox24Client(CANARY)
    line: list[object] = [client]
    seen: set[int] = set()
    while line:
        thing = line.pop()
        if id(thing) in seen or not type(thing).__module__.startswith("lox24_async"):
            continue
        seen.add(id(thing))
        assert KEY not in repr(thing)
        line += getattr(thing, "__dict__", {}).values()
    assert len(seen) > 3
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            way(client)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://api.lox24.eu"},
        {"form": dict},
        {"max_concurrency": 0},
        {"retry": 3},
        {"proxy": "x"},
        {"session": object()},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_case_32_a_failed_set_up_leaves_no_token_in_its_traceback(settings: dict[str, Any]) -> None:
    """A traceback with the locals of our frames can be made, and shows no token."""
    with pytest.raises(ConfigurationError) as caught:
        Lox24Client(CANARY, **settings)
    assert KEY not in locals_of_ours(caught.value)


@pytest.mark.parametrize(
    "token", [f"{CANARY}\n", f"x{CANARY}", f"{CANARY}:"], ids=["newline", "letter", "colon"]
)
def test_case_32_a_refused_token_is_in_no_traceback(token: str) -> None:
    """The frames that checked a bad token do not show it."""
    with pytest.raises(ConfigurationError) as caught:
        Lox24Client(token)
    assert KEY not in locals_of_ours(caught.value)


def locals_of_ours(error: BaseException) -> str:
    """Return the traceback of an error with the locals of the package's own frames."""
    ours = frames_of_ours(error)
    assert all(frame.locals for frame in ours)
    return repr([(frame.locals, frame.line) for frame in ours])


@pytest.mark.parametrize("value", [None, 0, 1, "yes"])
def test_whether_a_block_is_waited_out_is_a_bool(value: object) -> None:
    """What only looks like one is refused: a string "no" would be a yes."""
    with pytest.raises(ConfigurationError, match="wait_out_block must be True or False"):
        RetryPolicy(wait_out_block=value)  # type: ignore[arg-type]
