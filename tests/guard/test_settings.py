"""Who shares the guard: the settings, and which gates a client gets by them."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from lox24_async import ConfigurationError, HostGuard, Lox24Client, ProcessGuard, RedisGuard
from lox24_async._guard.host import HostStore
from lox24_async._guard.places import gates_of
from lox24_async._guard.stores import MemoryStore
from lox24_async.guards import check_guard

PASSWORD = "s3cr3t"
URL = f"redis://:{PASSWORD}@localhost:6379/0"


@pytest.fixture
def redis() -> None:
    """Skip where redis-py is not there."""
    pytest.importorskip("redis")


def said(monkeypatch: pytest.MonkeyPatch, value: str) -> Any:
    """Return the guard that ``LOX24_GUARD`` makes."""
    monkeypatch.setenv("LOX24_GUARD", value)
    return check_guard(None, loopback=False)


def test_guard_that_is_handed_in_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says."""
    monkeypatch.setenv("LOX24_GUARD", "host")
    guard = ProcessGuard()
    assert check_guard(guard, loopback=False) is guard


@pytest.mark.parametrize("value", ["host", object(), ProcessGuard, 7, True])
def test_guard_of_another_kind_is_refused(value: object) -> None:
    """A word is for the environment alone."""
    with pytest.raises(ConfigurationError, match="ProcessGuard, HostGuard or RedisGuard"):
        check_guard(value, loopback=False)
    with pytest.raises(ConfigurationError):
        Lox24Client("1:a", guard=value)  # type: ignore[arg-type]


def test_default_is_the_host_but_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's server on 127.0.0.1 is nobody else's matter, unless one asks for it."""
    monkeypatch.delenv("LOX24_GUARD")
    assert check_guard(None, loopback=False) == HostGuard()
    assert check_guard(None, loopback=True) == ProcessGuard()
    monkeypatch.setenv("LOX24_GUARD", "host")
    assert check_guard(None, loopback=True) == HostGuard()


def test_words_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``process``, ``host``, the absolute path of a directory; empty: as if it were not there."""
    assert said(monkeypatch, "process") == ProcessGuard()
    assert said(monkeypatch, "host") == HostGuard()
    assert said(monkeypatch, "") == HostGuard()
    assert said(monkeypatch, str(tmp_path)) == HostGuard(tmp_path)


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize(
    ("value", "url", "egress"),
    [
        ("redis://h:1/0", "redis://h:1/0", "default"),
        ("redis://h/0?egress=nat-1", "redis://h/0", "nat-1"),
        ("rediss://h/0?egress=a&ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none", "a"),
        ("unix:///run/redis.sock?db=2&egress=a.b_c", "unix:///run/redis.sock?db=2", "a.b_c"),
    ],
)
def test_stores_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, url: str, egress: str
) -> None:
    """A URL, and who shares an address."""
    assert said(monkeypatch, value) == RedisGuard(url, egress=egress)


@pytest.mark.every_case
@pytest.mark.parametrize(
    "value",
    [
        *("Process", "hosts", " host", "none", "off", "relative/path", "./here", "~/lox24"),
        *("http://h/0", "[", "redis://[", "rediss//h"),
    ],
)
def test_other_words_of_the_environment_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """With what would be right; the value may hold a password and is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        said(monkeypatch, value)
    assert "redis://" in str(caught.value)


@pytest.mark.parametrize("value", ["redis://h:1/0", f"redis://:{PASSWORD}@h/0?egress=a%20b"])
def test_environment_that_asks_for_what_cannot_work_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Whoever reads it finds where to look: in the environment, not in the code."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as where the extra is missing
    with pytest.raises(ConfigurationError, match=r"^LOX24_GUARD: .*(redis-py|egress)") as caught:
        said(monkeypatch, value)
    assert PASSWORD not in str(caught.value)


def test_word_of_the_environment_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL of another scheme, with a password."""
    with pytest.raises(ConfigurationError) as caught:
        said(monkeypatch, f"http://:{PASSWORD}@h/0")
    assert PASSWORD not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("path", ["", 7, b"/tmp/g", object(), "/tmp/\0g", Path("/tmp/\0g")])
def test_path_that_is_none_is_refused(path: Any) -> None:
    """Before anything is done."""
    with pytest.raises(ConfigurationError, match="path"):
        HostGuard(path)


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://h", {}),
        ("", {}),
        ("redis://[", {}),
        (f"redis://:{PASSWORD}@h:99999", {}),
        (f"redis://u:{PASSWORD}:x@h:{PASSWORD}", {}),
        (f"{URL}?db={PASSWORD}", {}),
        (f"{URL}?socket_timeout={PASSWORD}", {}),
        (f"{URL}?{PASSWORD}=1", {}),
        (f"{URL}?protocol=9", {}),
        (f"rediss://:{PASSWORD}@h?ssl_cert_reqs={PASSWORD}", {}),
        (7, {}),
        (URL, {"egress": ""}),
        (URL, {"egress": "a b"}),
        (URL, {"egress": "a:b"}),
        (URL, {"egress": "a" * 65}),
        (URL, {"egress": 1}),
        (URL, {"timeout": 0}),
        (URL, {"timeout": float("nan")}),
        (URL, {"timeout": "1"}),
        (URL, {"strict": 1}),
    ],
)
def test_store_that_cannot_work_is_refused(url: Any, options: dict[str, Any]) -> None:
    """Before anything is done; the URL is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        RedisGuard(url, **options)
    assert PASSWORD not in str(caught.value) + repr(caught.value)


def test_store_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"lox24_async\[redis\]"):
        RedisGuard(URL)


@pytest.mark.usefixtures("redis")
def test_password_is_not_shown() -> None:
    """The URL may hold one."""
    assert PASSWORD not in repr(RedisGuard(URL)) + str(RedisGuard(URL))


@pytest.mark.parametrize("guard", [ProcessGuard(), HostGuard(), HostGuard("/tmp/a")])
def test_settings_are_values(guard: Any) -> None:
    """Equal ones are equal, and nothing of them can be changed."""
    assert guard == type(guard)(*(v for v in [getattr(guard, "path", None)] if v is not None))
    with pytest.raises(AttributeError):
        guard.path = "elsewhere"


# --- places


async def test_host_guard_keeps_its_record_in_the_file(tmp_path: Path) -> None:
    """One set of gates for each directory; another for the process."""
    loop = asyncio.get_running_loop()
    there, token = gates_of(HostGuard(tmp_path / "a"), "https://a.example", "1:a", loop)
    assert isinstance(there.store, HostStore)
    again = gates_of(HostGuard(tmp_path / "a"), "https://a.example", "1:a", loop)
    assert again == (there, token)
    elsewhere, _ = gates_of(HostGuard(tmp_path / "b"), "https://a.example", "1:a", loop)
    assert elsewhere is not there
    here, _ = gates_of(ProcessGuard(), "https://a.example", "1:a", loop)
    assert isinstance(here.store, MemoryStore)


async def test_relative_directory_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may change its directory later."""
    monkeypatch.chdir(tmp_path)
    loop = asyncio.get_running_loop()
    gates_of(HostGuard("g"), "https://a.example", "1:a", loop)
    assert len(list((tmp_path / "g").glob("*.guard"))) == 1


@pytest.mark.looptime
async def test_loop_with_its_own_clock_shares_nothing(tmp_path: Path) -> None:
    """Its moments mean nothing to others: the facts stay in that loop, no file is made."""
    loop = asyncio.get_running_loop()
    origin, _ = gates_of(HostGuard(tmp_path / "g"), "https://a.example", "1:a", loop)
    assert isinstance(origin.store, MemoryStore)
    assert not (tmp_path / "g").exists()
