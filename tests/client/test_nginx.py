"""Behind a real nginx that limits requests or connections (case 55)."""

import asyncio
import os
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lox24_async import BulkStatus, CancelState, IPBlockedError, Lox24Client, RetryPolicy
from lox24_async.testing import FakeLox24

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $server_port zone=requests:1m rate={rate}r/s;
    limit_conn_zone $server_port zone=connections:1m;
    upstream lox24 {{ server {upstream}; keepalive 20; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            {limit}
            proxy_pass http://lox24;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        error_page {status} @refused;
        location @refused {{ {header} return {status}; }}
    }}
}}
"""
RATE = "limit_req zone=requests burst=5 nodelay; limit_req_status {status};"
THREE = "limit_conn connections 3; limit_conn_status {status};"


def find_nginx() -> str:
    """Return where nginx is; skip where it is not, but on CI fail."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None and os.environ.get("CI"):
        pytest.fail("nginx is not installed, and on CI it must be")
    if found is None:
        pytest.skip("nginx is not installed: a real limiter is not tried here")
    return found


@contextmanager
def nginx(
    folder: Path, upstream: str, limit: str, *, status: int, header: str = "", rate: int = 50
) -> Iterator[str]:
    """Run nginx before a server; give its URL."""
    program = find_nginx()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            rate=rate,
            upstream=upstream.removeprefix("http://"),
            port=port,
            limit=limit.format(status=status),
            status=status,
            header=header,
        )
    )
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


async def listens(url: str) -> None:
    """Wait until somebody accepts connections there."""
    host, port = url.removeprefix("http://").split(":")
    async with asyncio.timeout(10):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "status", "header", "ideal", "times"),
    [
        (RATE, 429, "", 4, 3),
        (RATE, 429, "add_header Retry-After 1 always;", 4, 6),
        (RATE, 503, "", 4, 3),
        (RATE, 503, "add_header Retry-After 1 always;", 4, 6),
        (THREE, 503, "", 200 / 3 * 0.05, 6),
    ],
    ids=["429", "429-retry-after", "503", "503-retry-after", "three-connections"],
)
async def test_case_55_behind_nginx(
    fake_lox24: FakeLox24,
    tmp_path: Path,
    limit: str,
    status: int,
    header: str,
    ideal: float,
    times: float,
) -> None:
    """Case 55: 200 of 200 are cancelled, in so many times the ideal time."""
    fake_lox24.latency = 0.05 if limit is THREE else 0.0
    ids = [fake_lox24.add_bulk().uuid for _ in range(200)]
    with nginx(tmp_path, fake_lox24.url, limit, status=status, header=header) as url:
        await listens(url)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with Lox24Client(fake_lox24.token, base_url=url) as client:
            report = await client.cancel_bulks(ids)
        seconds = loop.time() - begun
    attempts = dict(sorted(Counter(o.attempts for o in report.outcomes).items()))
    print(f"{{attempts: ids}} {attempts} in {seconds:.2f} s")  # noqa: T201  for a failed run
    assert 200 == report.counts[CancelState.CANCELED]
    assert 200 == sum(b.is_canceled for b in fake_lox24.bulks.values())
    assert max(attempts) > 1  # nginx has limited
    assert seconds <= times * ideal + 4  # the rest is this machine's


@pytest.mark.slow
async def test_case_55_calls_of_their_own_behind_nginx(
    fake_lox24: FakeLox24, tmp_path: Path
) -> None:
    """Case 55: the same by a ``gather`` of two clients of this process."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(200)]
    with nginx(tmp_path, fake_lox24.url, RATE, status=503) as url:
        await listens(url)
        async with (
            Lox24Client(fake_lox24.token, base_url=url) as one,
            Lox24Client(fake_lox24.token, base_url=url) as other,
        ):
            bulks = await asyncio.gather(
                *map(one.cancel_bulk, ids[::2]), *map(other.cancel_bulk, ids[1::2])
            )
    assert {BulkStatus.CANCELED: 200} == Counter(bulk.status_code for bulk in bulks)


async def test_case_55_nginx_is_named(fake_lox24: FakeLox24, tmp_path: Path) -> None:
    """Case 55: where all is refused, the sentence says who spoke: not LOX24."""
    ids = [fake_lox24.add_bulk().uuid for _ in range(2)]
    with nginx(tmp_path, fake_lox24.url, "return {status};", status=429) as url:
        await listens(url)
        retry = RetryPolicy.none()
        async with Lox24Client(fake_lox24.token, base_url=url, retry=retry) as client:
            with pytest.raises(IPBlockedError) as caught:
                await client.cancel_bulk(ids[0])
    assert caught.value.intermediary
    assert not any(bulk.is_canceled for bulk in fake_lox24.bulks.values())
