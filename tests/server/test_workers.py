"""Work in threads: handed over in order, bounded, and stopped when nobody listens."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from fairwitness.server.errors import Busy
from fairwitness.server.workers import Workers


def test_items_arrive_in_order_and_errors_at_their_place() -> None:
    def work() -> Iterator[int]:
        yield from range(3)
        raise ValueError("at three")

    async def main() -> list[int]:
        workers = Workers("test", 1, 0)
        running = workers.start(work)
        got = [await anext(running) for _ in range(3)]
        with pytest.raises(ValueError, match="at three"):
            await anext(running)
        await workers.close()
        assert workers.in_flight == 0
        return got

    assert asyncio.run(main()) == [0, 1, 2]


def test_works_that_belong_together_hand_over_as_items_come() -> None:
    gate = threading.Event()

    def late() -> Iterator[str]:
        gate.wait(5)
        yield "late"

    def early() -> Iterator[str]:
        yield "early"

    async def main() -> list[tuple[int, str]]:
        workers = Workers("test", 2, 0)
        together = workers.start_all([late, early])
        got = [await anext(together)]
        with pytest.raises(TimeoutError):  # a wait may be given up and begun again
            await asyncio.wait_for(anext(together), 0.02)
        gate.set()
        got += [item async for item in together]
        await workers.close()
        return got

    assert asyncio.run(main()) == [(1, "early"), (0, "late")]


def test_of_works_that_belong_together_none_runs_on_when_one_fails_or_finds_no_place() -> None:
    closed = [threading.Event(), threading.Event()]

    def endless(place: int) -> Iterator[int]:
        try:
            while True:
                time.sleep(0.001)
                yield place
        finally:
            closed[place].set()

    def failing() -> Iterator[int]:
        raise ValueError("no")
        yield 0

    async def main() -> None:
        workers = Workers("test", 2, 0)
        together = workers.start_all([lambda: endless(0), failing])
        with pytest.raises(ValueError, match="no"):
            async for _ in together:
                pass
        together.cancel()
        assert await asyncio.to_thread(closed[0].wait, 5)
        with pytest.raises(Busy):
            workers.start_all([lambda: endless(1), failing, failing])
        await workers.close()
        assert workers.in_flight == 0

    asyncio.run(main())


def test_whoever_comes_when_the_line_is_full_is_told_to_come_back() -> None:
    gate = threading.Event()

    def work() -> Iterator[int]:
        gate.wait(5)
        yield 1

    async def main() -> None:
        workers = Workers("test", 1, 1)
        running = [workers.start(work) for _ in range(2)]
        with pytest.raises(Busy, match="2 requests") as refused:
            workers.start(work)
        assert refused.value.status == 503
        assert refused.value.retry_after_s > 0
        gate.set()
        assert [[item async for item in each] for each in running] == [[1], [1]]
        assert [item async for item in workers.start(work)] == [1]
        await workers.close()

    asyncio.run(main())


def test_cancelled_work_is_closed_at_its_next_step_and_its_thread_is_free() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                time.sleep(0.001)
                yield 1
        finally:
            closed.set()

    async def main() -> None:
        workers = Workers("test", 1, 2)
        running = workers.start(endless)
        never_begun = workers.start(endless)
        assert await anext(running) == 1
        never_begun.cancel()
        running.cancel()
        assert await asyncio.wait_for(workers.run(lambda: 5), 5) == 5
        assert closed.is_set()
        await workers.close()

    asyncio.run(main())


def test_closing_ends_what_runs_and_what_waits() -> None:
    def endless() -> Iterator[int]:
        while True:
            time.sleep(0.001)
            yield 1

    async def main() -> None:
        workers = Workers("test", 1, 3)
        running = [workers.start(endless) for _ in range(4)]
        await asyncio.wait_for(workers.close(), 5)
        for each in running:
            assert all([item == 1 async for item in each])

    asyncio.run(main())
