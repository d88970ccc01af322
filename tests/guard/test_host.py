"""The host's file: shared by processes, whole after any death, harmless when it is not usable."""

import logging
import mmap
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from lox24_async._guard import host
from lox24_async._guard.gates import OriginGate, Ticket, TokenGate
from lox24_async._guard.guard import Guard
from lox24_async._guard.host import HostStore, default_directory
from lox24_async._guard.record import Place, Record, write_record
from lox24_async.errors import error_class
from lox24_async.retry import Backoff, RetryPolicy

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its files have other rules")

ORIGIN = "https://api.example"
LEASE = 65.0


def store_of(directory: Path) -> HostStore:
    """Return another process's way to the file (or so it looks)."""
    return HostStore(directory, ORIGIN)


def file_of(directory: Path) -> Path:
    """Return the file in a directory."""
    (path,) = directory.glob("*.guard")
    return path


def guard_of(store: HostStore, token: str = "1:a") -> Guard:
    """Return the guard of a client that keeps its facts there."""
    origin = OriginGate(store)
    name = store.digest(token)
    gate = origin.tokens.setdefault(name, TokenGate(name))
    return Guard(origin, gate, lease=LEASE, backoff=Backoff(RetryPolicy(), lambda: 1.0))


def refuse(guard: Guard, now: float) -> None:
    """Let a request out and be refused."""
    ticket = Ticket()
    ticket.operation = "PUT"
    assert guard.enter(ticket, now) is None
    guard.settle(ticket, error_class(401)("no", status=401, attempts=1), now)


def is_free(guard: Guard, now: float) -> bool:
    """Whether a request would go out."""
    ticket = Ticket()
    ticket.operation = "PUT"
    free = guard.enter(ticket, now, take=False) is None
    guard.leave(ticket, now, sent=False)
    return free


def mark(record: Record) -> None:
    """Change a record so that one can see it."""
    record.epoch += 1


# --- one file, many stores


def test_two_stores_of_one_path_share_a_record(tmp_path: Path) -> None:
    """What one writes the other reads, and the word tells that there is something to read."""
    one, other = store_of(tmp_path / "g"), store_of(tmp_path / "g")
    before = other.word()
    one.update(10.0, mark)
    assert other.word() != before
    assert other.read(10.0).epoch == 1
    assert other.update(10.0, mark)[1].epoch == 2
    assert one.read(10.0).epoch == 2
    assert one.digest("1:a") == other.digest("1:a")


def test_two_processes_share_a_record(tmp_path: Path) -> None:
    """The same among processes."""
    ours = store_of(tmp_path / "g")
    now = time.monotonic()
    code = (
        "import sys, time; from pathlib import Path;"
        "from tests.guard.test_host import store_of, mark;"
        "print(store_of(Path(sys.argv[1])).update(time.monotonic(), mark)[1].epoch)"
    )
    ours.update(now, mark)
    before = ours.word()
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "g"], check=True, capture_output=True, text=True
    )
    assert run.stdout == "2\n"
    assert ours.word() != before
    assert ours.read(time.monotonic()).epoch == 2


def test_claim_of_another_process_between_the_look_and_the_lock_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before the lock was taken holds only for the record that it was found in."""
    now, ours = time.monotonic(), store_of(tmp_path / "g")
    other, update = guard_of(store_of(tmp_path / "g")), ours.update

    def update_late(at: float, change: Callable[[Record], bool]) -> tuple[bool, Record]:
        assert other.enter(Ticket(), at) is None
        return update(at, change)

    guard = guard_of(ours)
    monkeypatch.setattr(ours, "update", update_late)
    hold = guard.enter(Ticket(), now)
    assert hold is not None
    assert now < hold.ask_at
    assert 1 == len(ours.read(now).places)


def test_file_and_directory_are_ours_alone(tmp_path: Path) -> None:
    """Modes 0600 and 0700; the token stands nowhere in the file."""
    store = store_of(tmp_path / "new" / "g")
    refuse(guard_of(store, "1234567:canary"), time.monotonic())
    path = file_of(tmp_path / "new" / "g")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"canary" not in path.read_bytes()
    assert b"1234567" not in path.read_bytes()


def test_file_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    """A cleaner took it away, another process made a new one: both go on with that."""
    one = store_of(tmp_path)
    one.update(10.0, mark)
    file_of(tmp_path).unlink()
    other = store_of(tmp_path)
    other.update(11.0, mark)
    assert one.update(11.0, mark)[1].epoch == 2
    assert one.digest("1:a") == other.digest("1:a")


def test_change_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    """What an interrupted change did to the record in memory is forgotten; the lock is free."""

    def breaks_off(record: Record) -> None:
        record.epoch += 100
        raise KeyboardInterrupt

    store = store_of(tmp_path)
    store.update(10.0, mark)
    with pytest.raises(KeyboardInterrupt):
        store.update(10.1, breaks_off)
    assert store.update(10.2, mark)[1].epoch == 2
    assert store_of(tmp_path).update(10.3, mark)[1].epoch == 3


def test_file_is_looked_at_again_after_a_second(tmp_path: Path) -> None:
    """Though nobody else has written: what is over is left out, and a removed file is noticed."""

    def take_place(record: Record) -> None:
        record.places.append(Place("c", "t", "PUT", 10.0, 10.5))

    store = store_of(tmp_path)
    store.update(10.0, take_place)
    assert 1 == len(store.update(10.9, mark)[1].places)
    assert 0 == len(store.update(11.0, mark)[1].places)
    file_of(tmp_path).unlink()
    store.update(12.0, mark)
    assert store_of(tmp_path).read(12.0).epoch == 1


def test_reading_ends_though_others_write_without_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is changed in each look is read as it was in one of them."""
    reader, writer = store_of(tmp_path), store_of(tmp_path)
    load = reader._load

    def load_and_be_late(file: host._RecordFile, now: float) -> None:
        load(file, now)
        writer.update(now, mark)

    monkeypatch.setattr(reader, "_load", load_and_be_late)
    assert reader.read(10.0).epoch == host._LOOKS - 1


def test_store_that_was_not_made_whole_goes_quietly() -> None:
    """What is broken off in its making is dropped without a word."""
    store = HostStore.__new__(HostStore)
    del store


def test_default_directory_ignores_tmpdir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same for logins, cron and services, which have different ``TMPDIR``."""
    before = default_directory()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert default_directory() == before
    assert str(os.geteuid()) in before.name


# --- case 50: what can be wrong with it


@contextmanager
def one_warning(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that what happens inside is warned of, once."""
    with caplog.at_level(logging.WARNING, "lox24_async"):
        yield
    assert 1 == len(caplog.records), caplog.text
    assert "shares nothing" in caplog.text


def use_in_spite_of(directory: Path) -> None:
    """Let a guard do its work, for this process alone."""
    guard = guard_of(store_of(directory))
    refuse(guard, 100.0)
    assert not is_free(guard, 159.0)
    refuse(guard, 160.0)


def is_a_link(directory: Path) -> None:
    elsewhere = directory / "elsewhere"
    elsewhere.touch(0o600)
    path = file_of(directory)
    path.unlink()
    path.symlink_to(elsewhere)


def is_a_fifo(directory: Path) -> None:
    path = file_of(directory)
    path.unlink()
    os.mkfifo(path, 0o600)


def is_a_directory(directory: Path) -> None:
    path = file_of(directory)
    path.unlink()
    path.mkdir()


def is_for_all(directory: Path) -> None:
    file_of(directory).chmod(0o666)


def is_foreign(directory: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(file_of(directory), 12345, 12345)


def directory_is_foreign(directory: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    os.chown(directory, 12345, 12345)


def directory_is_for_all(directory: Path) -> None:
    directory.chmod(0o777)


@pytest.mark.every_case
@pytest.mark.parametrize(
    "spoil",
    [
        is_a_link,
        is_a_fifo,
        is_a_directory,
        is_for_all,
        is_foreign,
        directory_is_foreign,
        directory_is_for_all,
    ],
)
def test_case_50_file_that_cannot_be_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    """Case 50: one warning, nothing is written there, and the guard goes on in memory."""
    directory = tmp_path / "g"
    store_of(directory)
    spoil(directory)
    with one_warning(caplog):
        use_in_spite_of(directory)
    assert not any(p.stat().st_size for p in directory.glob("elsewhere"))


def test_case_50_directory_is_a_link(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Case 50: a link in the place of the directory is not followed."""
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "g").symlink_to(tmp_path / "real")
    with one_warning(caplog):
        use_in_spite_of(tmp_path / "g")
    assert not list((tmp_path / "real").iterdir())


def test_case_50_directory_is_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Case 50: a file in the place of the directory."""
    (tmp_path / "g").touch()
    with one_warning(caplog):
        use_in_spite_of(tmp_path / "g")


IN_A_CHILD = """
import logging, os, resource, signal, sys
from pathlib import Path
from tests.guard.test_host import use_in_spite_of
logging.basicConfig(format="%(message)s")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
exec(sys.argv[2])
use_in_spite_of(Path(sys.argv[1]))
print("done")
"""


@pytest.mark.parametrize(
    "spoil",
    [
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))",
        "os.mkdir(sys.argv[1], 0o500); os.geteuid() or os.setuid(12345)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    ],
    ids=["full", "read-only", "no descriptors"],
)
def test_case_50_no_room(tmp_path: Path, spoil: str) -> None:
    """Case 50: a full disk, a folder that cannot be written: one warning, and it works."""
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD, tmp_path / "g", spoil],
        check=False,
        capture_output=True,
        text=True,
        # Not measured: coverage could not write its own file either, and would say so.
        env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.stdout == "done\n", run.stderr
    assert run.stderr.count("shares nothing") == 1
    assert len(run.stderr.splitlines()) == 1


def test_case_50_one_torn_slot(tmp_path: Path) -> None:
    """Case 50: a writer died in the middle: the record of before is there."""
    store = store_of(tmp_path)
    for _ in range(3):
        store.update(10.0, mark)
    newest = host._SLOTS[store.word() % 2]
    damage(file_of(tmp_path), newest + host._SLOT.size + 3)
    assert store_of(tmp_path).read(10.0).epoch == 2


def test_case_50_two_torn_slots(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Case 50: then nothing is known, and all goes on from there."""
    store = store_of(tmp_path)
    for _ in range(3):
        store.update(10.0, mark)
    for at in host._SLOTS:
        damage(file_of(tmp_path), at + host._SLOT.size + 3)
    assert store.read(10.0) == Record()
    assert store.update(10.0, mark)[1].epoch == 1
    assert store_of(tmp_path).read(10.0).epoch == 1
    assert not caplog.records


def test_case_50_slot_of_the_future(tmp_path: Path) -> None:
    """Case 50: a forged slot with a serial far ahead does not outlive what follows."""
    store = store_of(tmp_path)
    store.update(10.0, mark)
    assert store._file is not None
    store._file.words[1] = 10**15
    store._file.store(write_record(Record(epoch=7), 10.0))
    store._file.words[1] = 5
    for _ in range(4):
        store.update(2_000.0, mark)
    assert store_of(tmp_path).read(2_000.0).epoch >= 4


def test_case_50_text_too_long_for_a_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 50: what cannot be kept in the file is kept in memory, once."""
    store = store_of(tmp_path)
    store.update(10.0, mark)
    monkeypatch.setattr(host, "write_record", lambda *_: bytes(1 << 20))
    with one_warning(caplog):
        assert store.update(10.0, mark)[1].epoch == 2
    assert store.read(10.0).epoch == 2


def test_case_50_another_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 50: another boot's seconds are not believed; the salt stays."""
    store = store_of(tmp_path)
    refuse(guard_of(store), 100_000.0)
    monkeypatch.setattr(host, "_boot_id", lambda: b"another boot's.."[:16])
    later = store_of(tmp_path)
    assert later.read(100_000.0) == Record()
    assert later.digest("1:a") == store.digest("1:a")
    assert is_free(guard_of(later), 100_000.0)


def test_case_50_boot_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 50: where the system names no boot, the clock's beginning stands for it."""

    def fails(_: Path) -> bytes:
        raise OSError

    named = host._boot_id()
    monkeypatch.setattr(Path, "read_bytes", fails)
    assert len(host._boot_id()) == 16
    assert host._boot_id() != named


def test_case_50_lock_of_a_stopped_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 50: who holds the lock and sleeps holds nobody up: one warning, and we go on."""
    store = store_of(tmp_path)
    store.update(10.0, mark)
    code = (
        "import fcntl, os, signal, sys; f = open(sys.argv[1], 'r+b');"
        "fcntl.flock(f, fcntl.LOCK_EX); print('locked', flush=True);"
        "os.kill(os.getpid(), signal.SIGSTOP)"
    )
    command = [sys.executable, "-c", code, str(file_of(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stopped:
        try:
            assert stopped.stdout is not None
            stopped.stdout.readline()
            began = time.monotonic()
            with one_warning(caplog):
                assert store.update(10.0, mark)[1].epoch == 2
                assert store.update(10.0, mark)[1].epoch == 3
            assert time.monotonic() - began < 5
        finally:
            stopped.kill()
    store._down_until = 0.0
    assert store.update(10.0, mark)[1].epoch == 2, "the lock died with its holder"


def test_lock_that_is_soon_given_back_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process changes the record at that moment: no reason to go on without it."""
    store = store_of(tmp_path)
    real, taken = host._try_lock, iter([True] * (host._YIELDS + 2))
    monkeypatch.setattr(host, "_try_lock", lambda fd: not next(taken, False) and real(fd))
    assert store.update(10.0, mark)[1].epoch == 1
    assert list(taken) == []
    assert store_of(tmp_path).read(10.0).epoch == 1
    assert not caplog.records


def damage(path: Path, at: int) -> None:
    """Change one byte of a file."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as page:
        page[at] ^= 0xFF


# --- case 50: kill -9


def work(directory: Path, number: int) -> None:
    """Claim and settle without rest, with tokens of one's own."""
    store = store_of(directory)
    wrong = error_class(401)("no", status=401, attempts=1)
    for step in count():
        guard = guard_of(store, f"{number}:{step % 7}")
        ticket = Ticket()
        ticket.operation = "PUT"
        now = time.monotonic()
        if guard.enter(ticket, now) is None:
            if step % 3:
                guard.settle(ticket, None if step % 2 else wrong, now)
            else:
                guard.leave(ticket, now, sent=False)


def kill_some(directory: Path, times: int) -> None:
    """Start workers and kill each at some moment; check after each what is left."""
    watcher = store_of(directory)
    for number in range(times):
        worker = os.fork()
        if not worker:
            work(directory, number)
        time.sleep(spread(number))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        before = watcher.word()
        now = time.monotonic()
        record = watcher.update(now, mark)[1]
        assert watcher._file is not None, "the lock has outlived its holder"
        assert watcher.word() != before
        assert record.epoch > number, "what was known is lost"
        assert len(record.places) <= 6
        assert all(place.until <= now + LEASE for place in record.places)
    # When all leases are over, everything is free.
    assert is_free(guard_of(watcher, "another:one"), time.monotonic() + LEASE + 1)


def spread(number: int) -> float:
    """Return another moment each time, the same in each run."""
    return (number * 0.618034 % 1.0) * 0.02


def kill_in_a_child(directory: Path, times: int) -> None:
    """Do so in a process without threads, which may fork."""
    code = (
        "import sys; from pathlib import Path; from tests.guard.test_host import kill_some;"
        "kill_some(Path(sys.argv[1]), int(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(directory), str(times)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_case_50_kill_in_claim_and_settle(tmp_path: Path) -> None:
    """Case 50: 40 processes killed at different moments: nothing is stuck, nothing lost."""
    kill_in_a_child(tmp_path / "g", 40)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_case_50_kill_a_thousand(tmp_path: Path) -> None:
    """Case 50: the same with 1,000 processes."""
    kill_in_a_child(tmp_path / "g", 1_000)
