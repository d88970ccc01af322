"""Records ``command-line.svg``: real runs of ``lox24`` in a terminal, at a local gateway.

``python docs/record.py`` writes the picture beside this file. All text in it is what the
program wrote; of the live bar one frame is kept.
"""

import asyncio
import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

from rich.console import Console
from rich.text import Text

from lox24_async import BulkStatus
from lox24_async.testing import FakeLox24

PICTURE: Final = Path(__file__).with_name("command-line.svg")
_WIDTH: Final = 80
_COMMANDS: Final = (
    ("lox24 list --sender bank --running --limit 3", ""),
    ("lox24 cancel --matching --sender bank", "y\n"),
    ("lox24 runs", ""),
)
# How the bar is drawn over: back to the line's start, and up.
_OVER: Final = re.compile(r"\r(?:\x1b\[2K|\x1b\[1A)+|\x1b\[\?25[lh]")


def run(line: str, keys: str, gateway: FakeLox24, state: str) -> str:
    """Run a command in a terminal; return what it wrote there."""
    ours, theirs = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "LOX24_AUTH_TOKEN": gateway.token,
        "LOX24_BASE_URL": gateway.url,
        "COLUMNS": str(_WIDTH),
        "LINES": "30",
        "TERM": "xterm-256color",
        "TZ": "UTC",
        "XDG_STATE_HOME": state,
    }
    words = line.split()[1:]
    child = subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "lox24_async.cli", *words],
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),  # type: ignore[call-overload]
        env=environment,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the child has left its terminal
            chunk = b""
        if not chunk:
            break
        seen += chunk
        if keys and b"[y/N]" in seen:
            os.write(ours, keys.encode())
            keys = ""
    os.close(ours)
    child.wait()
    return seen.decode().replace("\r\n", "\n")


def stills(seen: str) -> Iterator[str]:
    """Give what stayed on the screen, and of the frames of the bar one in the middle."""
    pieces = [p for p in _OVER.split(seen) if p.strip() and not p.startswith("searching")]
    frames = [piece for piece in pieces if "/s" in piece and " left" in piece]
    for piece in pieces:
        if piece not in frames:
            yield piece
        elif piece is frames[len(frames) * 2 // 3]:
            yield piece.rstrip("\n") + "\n"


async def record() -> str:
    """Run the commands; return the picture."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    chance = Random(24)  # noqa: S311  the same picture each time
    with tempfile.TemporaryDirectory() as state:
        await play(console, chance, state)
    svg = console.export_svg(title="lox24", unique_id="lox24")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fetch nothing


async def play(console: Console, chance: Random, state: str) -> None:
    """Run the commands at a gateway."""
    async with FakeLox24(latency=0.08) as gateway:
        for number in range(400):
            count = chance.randint(50, 4000)
            gateway.add_bulk(
                BulkStatus.IN_PROGRESS if number % 3 else BulkStatus.NEW,
                uuid=UUID(int=chance.getrandbits(128), version=4),
                sender_id="Lox Bank" if number % 2 else "Shop",
                text="Your card was used abroad. Was it not you? Call us.",
                msg_total_count=count,
                created_at=gateway.now - timedelta(minutes=600 - number),
                price=count * Decimal("0.065"),
            )
        for line, keys in _COMMANDS:
            console.print(Text.assemble(("$ ", "green"), (line, "bold")))
            seen = await asyncio.to_thread(run, line, keys, gateway, state)
            seen = seen.replace(state, "~/.local/state")
            for piece in stills(seen):
                console.print(Text.from_ansi(piece), end="\n", soft_wrap=True)
            console.print()


if __name__ == "__main__":
    PICTURE.write_text(asyncio.run(record()), encoding="utf-8")
