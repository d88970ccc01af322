"""The logger of the package, made safe: a handler that fails must not break a run."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

_logger: Final = logging.getLogger("lox24_async")


class _Log:
    """What the package logs with. Nothing that a handler or a filter raises comes out."""

    def debug(self, message: str, *args: object) -> None:
        """Log what only somebody who looks for a bug wants to know."""
        self._log(logging.DEBUG, message, args)

    def warning(
        self,
        message: str,
        *args: object,
        extra: Mapping[str, Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Log what somebody should know.

        Args:
            message: With the places of ``args``, as for ``logging``.
            args: What to put there.
            extra: More fields of the record.
            error: An exception to be shown with its traceback.
        """
        self._log(logging.WARNING, message, args, extra, error)

    def is_debug(self) -> bool:
        """Whether anybody wants to know the details."""
        return _logger.isEnabledFor(logging.DEBUG)

    def _log(
        self,
        level: int,
        message: str,
        args: tuple[object, ...],
        extra: Mapping[str, Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        with suppress(Exception):
            _logger.log(level, message, *args, extra=extra, exc_info=error, stacklevel=3)


log: Final = _Log()
