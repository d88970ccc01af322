"""Many items, few workers: what they make comes out in order of completion.

One task per worker and not per item, so that a source of a million costs no memory; what
nobody has taken yet is bounded as well.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, Generic, Self, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

_END: Final = object()


class _Run(Generic[T, R]):
    """What workers and consumer share.

    It does not know the consumer's object, so that dropping that one stops the workers.
    """

    def __init__(
        self,
        source: Iterable[T] | AsyncIterable[T],
        work: Callable[[T], Awaitable[R | None]],
        width: int,
        ahead: int,
    ) -> None:
        self.work = work
        self.width = width
        self.ahead = ahead
        self.ready: deque[R] = deque()
        self.deliver: Callable[[R], object] = self._store
        self.stopped = False
        self.error: Exception | None = None
        self.cut: str | None = None  # why there will be no more, though it is not the end
        self.workers: set[asyncio.Task[None]] = set()
        self.started = False
        self._source = source
        self._is_async = isinstance(source, AsyncIterable)
        self._items: Iterator[T] | AsyncIterator[T] | None = None
        self._taking = asyncio.Lock()
        self._consumers: deque[asyncio.Future[None]] = deque()
        self._space: asyncio.Future[None] | None = None

    def start(self) -> None:
        self.started = True
        source = self._source
        self._items = aiter(source) if isinstance(source, AsyncIterable) else iter(source)
        loop = asyncio.get_running_loop()
        for _ in range(self.width):
            task = loop.create_task(self._work(self._items))
            self.workers.add(task)
            task.add_done_callback(self._leave)

    def _store(self, result: R) -> None:
        self.ready.append(result)
        self._tell()

    def _leave(self, task: asyncio.Task[None]) -> None:
        self.workers.discard(task)
        self._tell()

    def _tell(self) -> None:
        """Let all consumers look."""
        while self._consumers:
            _wake(self._consumers.popleft())

    async def _work(self, items: Iterator[T] | AsyncIterator[T]) -> None:
        try:
            while not self.stopped:
                if self._is_async:
                    item = await self._take(cast("AsyncIterator[T]", items))
                else:
                    item = next(cast("Iterator[T]", items), _END)
                if item is _END:
                    return
                result = await self.work(cast("T", item))
                if result is not None:
                    self.deliver(result)
                if len(self.ready) >= self.ahead:
                    await self._wait_for_space()
                else:
                    # First all answers of this round, then all new requests: to take turns
                    # between the two costs 10 µs an item more (the processor's caches), and
                    # a worker that never waits must let others run anyway.
                    await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001  the consumer raises it
            self.stopped = True
            self.error = self.error or error
        except asyncio.CancelledError:
            if not self.stopped:
                self.cut = "one of its workers was cancelled"
                self.stop()
            raise

    async def _take(self, items: AsyncIterator[T]) -> object:
        async with self._taking:  # an async generator has one reader at a time
            return _END if self.stopped else await anext(items, _END)

    async def _wait_for_space(self) -> None:
        while len(self.ready) >= self.ahead and not self.stopped:
            if self._space is None or self._space.done():
                self._space = asyncio.get_running_loop().create_future()
            # Shared by all workers: the cancel of one must not wake the others.
            await asyncio.shield(self._space)

    async def next(self) -> R:
        while not self.ready:
            if not self.workers:
                if self.error is not None:
                    error, self.error = self.error, None
                    self.cut = f"it failed with {type(error).__name__}"
                    raise error
                if self.cut is not None:
                    raise RuntimeError(f"the stream broke off before its end: {self.cut}")
                raise StopAsyncIteration
            news = asyncio.get_running_loop().create_future()
            self._consumers.append(news)
            await news
        result = self.ready.popleft()
        if len(self.ready) < self.ahead:
            _wake(self._space)
        return result

    def stop(self) -> None:
        self.stopped = True
        with suppress(RuntimeError):  # the loop may be gone already
            for task in tuple(self.workers):
                task.cancel()

    def unread(self) -> Iterator[T]:
        """Return what was not read of a collection; of a stream that is not known."""
        if isinstance(self._source, AsyncIterable) or not hasattr(self._source, "__len__"):
            return iter(())
        if isinstance(self._items, Iterator):
            return self._items
        return iter(self._source)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


class WorkerStream(Generic[T, R]):
    """An async iterator over what the workers make.

    Nothing happens before the first step. Leaving it (``aclose``, or dropping the last
    reference), or being cancelled in a step, stops the workers at once; what they had in hand
    is cancelled. A stream that broke off says so at each further step (``RuntimeError``):
    never does it look complete.

    Args:
        source: The items: an iterable or async iterable of any length.
        work: Makes a result of an item; ``None`` is no result. An exception ends the run:
            what is in hand is finished, then the consumer gets it.
        width: The number of workers.
        ahead: Results that may wait for the consumer before the workers pause.
    """

    def __init__(
        self,
        source: Iterable[T] | AsyncIterable[T],
        work: Callable[[T], Awaitable[R | None]],
        width: int,
        ahead: int = 64,
    ) -> None:
        self._run = _Run(source, work, width, ahead)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        run = self._run
        if not run.started and not run.stopped:
            run.start()
        try:
            return await run.next()
        except asyncio.CancelledError:
            run.cut = "a step was cancelled"
            run.stop()  # the error's traceback may keep us alive for long
            raise

    async def aclose(self) -> None:
        """Stop the workers and wait until they have left."""
        self._run.cut = None  # whoever closes it knows
        self._run.stop()
        if self._run.workers:
            await asyncio.wait(self._run.workers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._run.stop()


async def drain(stream: WorkerStream[T, R], deliver: Callable[[R], object]) -> None:
    """Make everything, and hand each result to a function instead of a consumer."""
    stream._run.deliver = deliver  # pyright: ignore[reportPrivateUsage]
    async for _ in stream:
        raise AssertionError("delivered elsewhere")


def unread(stream: WorkerStream[T, R]) -> Iterator[T]:
    """Return the items of a collection that were not read (of any other source: none)."""
    return stream._run.unread()  # pyright: ignore[reportPrivateUsage]
