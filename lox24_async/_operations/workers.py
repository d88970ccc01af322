"""Many items, few workers: what they make comes out in order of completion.

One task per worker and not per item, so that a source of a million costs no memory; how far
the workers run ahead of whoever takes the results is bounded as well.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final, Generic, Self, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

_END: Final = object()
_ASIDE: Final = 10  # items for each worker that may be set aside


class Job(Generic[T, R]):
    """What is to be done with which items.

    Args:
        source: The items: an iterable or async iterable of any length.
        work: Makes a result of an item; ``None`` is no result.
    """

    def __init__(
        self, source: Iterable[T] | AsyncIterable[T], work: Callable[[T], Awaitable[R | None]]
    ) -> None:
        self._source = source
        self._work = work

    def begin(self, run: "Run[T, R]") -> Iterable[T] | AsyncIterable[T]:
        """Prepare, and return the items.

        Args:
            run: May be told later to read no more, or to set an item aside.
        """
        return self._source

    def do(self, item: T) -> Awaitable[R | None]:
        """Make a result of an item. An exception ends the run: what is in hand is finished."""
        return self._work(item)

    def end(self, *, complete: bool) -> None:
        """Clean up; called once, when nobody works any more.

        Args:
            complete: Whether all items were read and done.
        """


class Run(Generic[T, R]):
    """What workers and consumer share.

    It does not know the consumer's object, so that dropping that one stops the workers.
    """

    def __init__(self, job: Job[T, R], width: int, bound: int) -> None:
        self.job = job
        self.width = width
        self.bound = bound
        self.ready: deque[R] = deque()
        self.deliver: Callable[[R], object] | None = None
        self.stopped = False
        self.error: Exception | None = None
        self.cut: str | None = None  # why there will be no more, though it is not the end
        self.workers: set[asyncio.Task[None]] = set()
        self.started = False
        self._items: Iterator[T] | AsyncIterator[T]
        self._is_async = False
        self._aside = 0  # items that only wait
        self._out = 0  # items that were read and whose results nobody is done with
        self._held = False  # whether the last result's taker has yet to ask for another
        self._no_more = False  # nothing is read any more
        self._complete = False  # everything was read
        self._taking = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None  # who waits for an async source
        self._parked: deque[asyncio.Future[None]] = deque()
        self._consumers: deque[asyncio.Future[None]] = deque()

    def start(self) -> None:
        self.started = True
        try:
            source = self.job.begin(self)
            self._items = aiter(source) if isinstance(source, AsyncIterable) else iter(source)
        except BaseException as error:
            self.cut = f"it failed with {type(error).__name__}"
            raise
        self._is_async = isinstance(source, AsyncIterable)
        for _ in range(self.width):
            self._hire()

    def _hire(self) -> None:
        task = asyncio.get_running_loop().create_task(self._work())
        self.workers.add(task)
        task.add_done_callback(self._leave)

    def set_aside(self) -> bool:
        """Take up another item while one only waits; ``False``: too many wait already."""
        if self._aside >= _ASIDE * self.width:
            return False
        self._aside += 1
        self.bound += 1
        self._hire()
        return True

    def take_back(self) -> None:
        """What was set aside is done."""
        self._aside -= 1
        self.bound -= 1

    # --- the workers

    async def _work(self) -> None:
        items, is_async = self._items, self._is_async
        try:
            while not self.stopped:
                if self._out >= self.bound:
                    await self._park()
                    continue
                self._out += 1
                if is_async:
                    item = await self._take(cast("AsyncIterator[T]", items))
                else:
                    item = _END if self._no_more else next(cast("Iterator[T]", items), _END)
                if item is _END:
                    self._complete |= not (self._no_more or self.stopped)
                    self._no_more = True
                    self._free()
                    return
                result = await self.job.do(cast("T", item))
                if not self._hand_out(result):
                    return
                if self._out < self.bound:
                    # First all answers of this round, then all new requests: to take turns
                    # between the two costs 10 µs an item more (the processor's caches), and
                    # a worker that never waits must let others run anyway.
                    await asyncio.sleep(0)
        except Exception as error:  # noqa: BLE001  the consumer raises it
            self.error = self.error or error
            self.stopped = True
            self.end_reading()
            while self._parked:
                _wake(self._parked.popleft())
        except asyncio.CancelledError:
            if not self.stopped:
                self.cut = "one of its workers was cancelled"
                self.stop()
            raise

    async def _take(self, items: AsyncIterator[T]) -> object:
        async with self._taking:  # an async generator has one reader at a time
            if self.stopped or self._no_more:
                return _END
            self._reader = task = asyncio.current_task()
            try:
                return await anext(items, _END)
            except asyncio.CancelledError:
                if not self._no_more or self.stopped or task is None or task.uncancel():
                    raise
                return _END
            finally:
                self._reader = None

    async def _park(self) -> None:
        wake = asyncio.get_running_loop().create_future()
        self._parked.append(wake)
        await wake

    def _free(self) -> None:
        """One less is out: a worker may go on."""
        self._out -= 1
        while self._parked and self._out < self.bound:
            wake = self._parked.popleft()
            if not wake.done():
                wake.set_result(None)
                return

    def _hand_out(self, result: R | None) -> bool:
        """Pass a result on; ``False``: whoever gets the results has failed."""
        if result is None:
            self._free()
        elif self.deliver is None:
            self.ready.append(result)
            self._tell()
        else:
            try:
                self.deliver(result)
            except Exception as error:  # noqa: BLE001  the consumer raises it
                self.error = self.error or error
                self.stop()
                return False
            self._free()
        return True

    def _leave(self, task: asyncio.Task[None]) -> None:
        self.workers.discard(task)
        if not self.workers:
            complete = self._complete and not self.stopped and self.cut is None
            self.job.end(complete=complete)
        self._tell()

    def _tell(self) -> None:
        """Let all consumers look."""
        while self._consumers:
            _wake(self._consumers.popleft())

    def end_reading(self) -> None:
        """Read no more; what is in hand goes on."""
        self._no_more = True
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def stop(self) -> None:
        """End all of it now."""
        self.stopped = True
        with suppress(RuntimeError):  # the loop may be gone already
            for task in tuple(self.workers):
                task.cancel()

    # --- the consumer

    async def next(self) -> R:
        self._let_go()
        while not self.ready:
            if not self.workers:
                if self.error is not None:
                    error, self.error = self.error, None
                    self.cut = f"it failed with {type(error).__name__}"
                    raise error
                if self.cut is not None:
                    raise RuntimeError(f"the stream broke off before its end: {self.cut}")
                raise StopAsyncIteration
            self._let_go()  # of what another one took, who was woken along with us
            news = asyncio.get_running_loop().create_future()
            self._consumers.append(news)
            await news
        result = self.ready.popleft()
        self._held = True
        return result

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._free()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class WorkerStream(Generic[T, R]):
    """An async iterator over what the workers make.

    Nothing happens before the first step. Leaving it (``aclose``, or dropping the last
    reference), or being cancelled in a step, stops the workers at once; what they had in hand
    is cancelled. A stream that broke off says so at each further step (``RuntimeError``):
    never does it look complete.

    Args:
        job: What is to be done with which items.
        width: The number of workers.
        bound: Items that may be in hand and not done with by the consumer, together; it is
            done with a result when it asks for the next. ``None``: the width.
    """

    def __init__(self, job: Job[T, R], width: int, bound: int | None = None) -> None:
        self._run = Run(job, width, width if bound is None else bound)

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
    """Make everything, and hand each result to a function instead of a consumer.

    What that raises ends all at once, and comes out here.
    """
    stream._run.deliver = deliver  # pyright: ignore[reportPrivateUsage]
    async for _ in stream:  # it is delivered elsewhere
        raise AssertionError
