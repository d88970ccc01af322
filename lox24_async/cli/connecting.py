"""The client of a command: its token, its patience, and what is wrong with a setting.

Light to import: it is what a cancel needs before it can leave.
"""

import os
from pathlib import Path
from typing import Final

import lox24_async as lox

from . import interruptible_import
from .exits import CommandError
from .text import capital, quoted, why

DEFAULT_URL: Final = "https://api.lox24.eu"
MAX_CONCURRENCY: Final = 10
_BLOCK: Final = 900.0  # seconds: LOX24's blocks last ten minutes


def connect(
    place: str,
    *,
    token_file: Path | None = None,
    proxy: str | None = None,
    retry: "lox.RetryPolicy | None" = None,
    max_concurrency: int = MAX_CONCURRENCY,
) -> "lox.Lox24Client":
    """Make the client.

    Raises:
        CommandError: a setting cannot work; nothing was sent.
    """
    token = read_token(token_file)
    with interruptible_import():
        client = lox.Lox24Client
    try:
        return client(
            token,
            base_url=place,
            max_concurrency=max_concurrency,
            retry=retry or lox.RetryPolicy(),
            proxy=proxy,
        )
    except lox.ConfigurationError as error:
        hint = "Check LOX24_AUTH_TOKEN or --token-file"
        if "proxy" in error.message:
            hint = "Check LOX24_PROXY or --proxy"
        elif "LOX24_GUARD" in error.message:
            hint = "Check LOX24_GUARD"
        elif "URL" in error.message:
            hint = "Check LOX24_BASE_URL or --base-url"
        raise CommandError(f"{capital(error.message)}. {hint}; nothing was sent.") from error


def read_token(path: Path | None) -> str:
    """Read the token from a file; ``None``: from the environment.

    Raises:
        CommandError: there is none.
    """
    if path is None:
        token = os.environ.get("LOX24_AUTH_TOKEN", "")
        if not token:
            raise CommandError("There is no token. Set LOX24_AUTH_TOKEN, or name a --token-file.")
        return token
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise CommandError(
            f"The token file {quoted(str(path))} cannot be read: {why(error)}."
        ) from None


def patience(*, wait_out_block: bool) -> "lox.RetryPolicy":
    """Return how long to wait for the end of a block, or of an outage."""
    if wait_out_block:
        return lox.RetryPolicy(max_wait=_BLOCK, wait_out_block=True)
    return lox.RetryPolicy()
