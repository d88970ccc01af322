"""An event loop that ends when it has to: signals, and threads that hang. Light to import."""

import asyncio
import os
import signal
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from .streams import hurry

_INTERRUPTED: Final = 130
_AT_THE_LATEST: Final = 2.5  # seconds from the second Ctrl-C to the end of the program


def stop_like_ctrl_c() -> None:
    """Let a closed terminal or a ``kill`` end the running task as Ctrl-C does."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if task is None or number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # under nohup a hang-up is no matter
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, task.cancel)


class _Executor(ThreadPoolExecutor):
    """Threads for what may hang (a name to be resolved, a reader): nobody waits for their end."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        del wait
        super().shutdown(wait=False, cancel_futures=cancel_futures or True)


def hang_nowhere() -> None:
    """Let the running loop end without waiting for threads, and Ctrl-C cancel the running task.

    The second Ctrl-C cancels it again: what it waits for in ending is cut short. Behind the loop
    none breaks what is being told. From then on the program leaves soon, whatever hangs: a disk,
    a name server.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.set_default_executor(_Executor())
    in_main_thread = threading.current_thread() is threading.main_thread()
    if task is None or not in_main_thread or not callable(signal.getsignal(signal.SIGINT)):
        return
    interrupted = leaving = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted, leaving
        if (interrupted or task.done()) and not leaving:
            leaving = True
            hurry()
            last = threading.Timer(_AT_THE_LATEST, os._exit, (_INTERRUPTED,))
            last.daemon = True
            last.start()
        interrupted = True
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, interrupt)


@contextmanager
def leaving_soon() -> Generator[None]:
    """Give Ctrl-C back its meaning behind a command."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
