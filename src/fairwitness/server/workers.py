"""Threads for work that blocks, and a short line of those who wait for one.

An answer is a sync generator that searches and computes; a client reads it over the event loop.
`Workers` runs each in a thread and hands its items over through a queue. Whoever comes when the
line is full is told to come back, which is kinder than a queue without an end. A client that goes
away stops its generator at the next step, and its thread is free again.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import ClientDisconnect, Request

from fairwitness.server.errors import Busy

T = TypeVar("T")

RETRY_AFTER_S = 5
"""When to come back: a few answers will have ended by then."""

PATIENCE_S = 10.0
"""How long a step may take to notice that it was cancelled: a model writes for seconds."""


@dataclass(frozen=True)
class _Failed:
    error: Exception


class _Ended:
    pass


class Running(Generic[T]):
    """Work under way in a thread: an async iterator over what it yields.

    Raises what the work raised. Leave it early with `cancel`; then it just ends.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | _Failed | _Ended] = asyncio.Queue()
        self._stop = threading.Event()

    def __aiter__(self) -> "Running[T]":
        return self

    async def __anext__(self) -> T:
        item = await self._items.get()
        if isinstance(item, _Failed):
            raise item.error
        if isinstance(item, _Ended):
            raise StopAsyncIteration
        return item

    def cancel(self) -> None:
        """Stop the work at its next step."""
        self._stop.set()

    def pump(self, make: Callable[[], Iterator[T]], done: Callable[[], None]) -> None:
        """Run the work to its end or to `cancel`; called in the thread."""
        try:
            if not self._stop.is_set():
                self._run(make)
        except Exception as error:  # handed to whoever iterates
            self._tell(_Failed(error))
        finally:
            self._tell(_Ended())
            self._call(done)

    def _run(self, make: Callable[[], Iterator[T]]) -> None:
        with contextlib.closing(_steps(make)) as steps:
            for item in steps:
                if self._stop.is_set():
                    return
                self._tell(item)

    def _tell(self, item: T | _Failed | _Ended) -> None:
        self._call(lambda: self._items.put_nowait(item))

    def _call(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has gone
            self._loop.call_soon_threadsafe(callback)


class Together(Generic[T]):
    """Several works under way as one: an async iterator over (which of them, item), in the order in
    which items come. Raises what the first of them raises; then, or when left early, `cancel`."""

    def __init__(self, running: Sequence[Running[T]]) -> None:
        self._running = running
        self._awaited = {place: self._next(place) for place in range(len(running))}

    def __aiter__(self) -> "Together[T]":
        return self

    async def __anext__(self) -> tuple[int, T]:
        while self._awaited:
            await asyncio.wait(self._awaited.values(), return_when=asyncio.FIRST_COMPLETED)
            place = next(place for place, item in self._awaited.items() if item.done())
            item = self._awaited.pop(place)
            if isinstance(item.exception(), StopAsyncIteration):
                continue
            found = (place, item.result())
            self._awaited[place] = self._next(place)
            return found
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stop all of them at their next steps."""
        for item in self._awaited.values():
            item.add_done_callback(lambda done: done.cancelled() or done.exception())
            item.cancel()
        for running in self._running:
            running.cancel()

    def _next(self, place: int) -> "asyncio.Future[T]":
        return asyncio.ensure_future(self._running[place].__anext__())


class Workers:
    """`threads` threads and at most `waiting` in line before them."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self.name = name
        self.in_flight = 0
        """Running or waiting."""
        self._most = threads + waiting
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._running: set[Running[object]] = set()

    def start(self, make: Callable[[], Iterator[T]]) -> Running[T]:
        """Begin the work that `make` makes; raises Busy when the line is full."""
        if self.in_flight >= self._most:
            raise Busy(
                f"{self.in_flight} requests are being served or wait, try again", RETRY_AFTER_S
            )
        running: Running[T] = Running()
        self.in_flight += 1
        self._running.add(running)  # type: ignore[arg-type]  # only ever cancelled

        def done() -> None:
            self.in_flight -= 1
            self._running.discard(running)

        self._pool.submit(running.pump, make, done)
        return running

    def start_all(self, makes: Sequence[Callable[[], Iterator[T]]]) -> Together[T]:
        """Begin several works that belong together; raises Busy unless all find a place."""
        begun: list[Running[T]] = []
        try:
            for make in makes:
                begun.append(self.start(make))
        except Busy:
            for running in begun:
                running.cancel()
            raise
        return Together(begun)

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; raises Busy when the line is full."""
        running = self.start(lambda: iter((work(),)))
        try:
            return await anext(running)
        finally:
            running.cancel()

    async def close(self, patience_s: float = PATIENCE_S) -> None:
        """Stop all work at its next step, and wait for that, but not for ever."""
        for running in list(self._running):
            running.cancel()
        until_s = time.monotonic() + patience_s
        while self.in_flight and time.monotonic() < until_s:
            await asyncio.sleep(0.01)
        self._pool.shutdown(wait=False, cancel_futures=True)


async def last_of(running: Running[T], first: T) -> T:
    """Return the last thing that the work yields, `first` when that was all."""
    last = first
    async for told in running:
        last = told
    return last


async def while_connected(request: Request, result: Awaitable[T]) -> T:
    """Return `result`, or give up on it with ClientDisconnect when the client goes away."""
    work = asyncio.ensure_future(result)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        for task in (work, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _steps(make: Callable[[], Iterator[T]]) -> Generator[T, None, None]:
    """Give any iterator a `close` that reaches the generator inside."""
    yield from make()
