"""Posts pour in, questions are asked, and all of it is watched: the index at work.

Three processes beside this one: a feeder says posts on a schedule, a writer takes them down the
whole road (`Home`: parsed, cleaned, logged with a sync, indexed), an asker reads the index that
the writer makes. This process only gives orders and looks at the clock.
"""

import asyncio
import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple

from fairwitness.evals.apart import RunFailed, deaf
from fairwitness.evals.asking import Asked, ask
from fairwitness.evals.feeding import NAME, Piped, Said, Say, feed
from fairwitness.evals.memory import Watch
from fairwitness.home import Home
from fairwitness.home.writing import NICE
from fairwitness.posts.apart import Apart
from fairwitness.posts.clock import SystemClock

Told = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""

BURST_POSTS = 143_199
"""What X took in its record second, 3 August 2013 (blog.x.com, "New Tweets per second record")."""

WARM_S = 3.0
_LOOK_S = 1.0
_TELL_S = 0.25
_PROBES_HZ = 5
_DRAIN_S = 120.0


class Stretch(NamedTuple):
    """A stretch of posts at a rate."""

    said: Said
    acked_per_s: float
    """Posts that were on disk and in the index, by second of the stretch."""
    behind: int
    """Posts that were handed over but not yet taken in when the stretch ended."""
    asked: Asked
    watch: Watch
    cpu_s: dict[str, float]


class Burst(NamedTuple):
    """A second of many posts."""

    said: Said
    lost: int
    searchable_s: float | None
    """From its beginning until a reader found its last post; None when it did not."""
    asked: Asked


class Progress(NamedTuple):
    """How far the writer is."""

    received: int
    acked: int


def write(folder: Path, pipe: Connection, progress: Connection) -> None:
    """Take in what comes through `pipe` until it ends; run as a process, as `up` has one."""
    os.nice(NICE)
    home = Home(folder, "bench")
    clock = SystemClock()
    home.use_clock(clock)
    received = multiprocessing.get_context("spawn").Value("q", 0, lock=False)
    source = Apart(Piped(pipe, clock, received))
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_TELL_S):
            state = home.log.sources.get(NAME)
            progress.send(Progress(received.value, state.events if state else 0))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        asyncio.run(home.listen([source]))
    finally:
        over.set()
        teller.join()
        home.close()


class LiveRun:
    """The three processes at work. Made by `running`."""

    def __init__(self, folder: Path, tails: Path) -> None:
        context = multiprocessing.get_context("spawn")
        out, into = context.Pipe(duplex=False)
        self._progress, tell = context.Pipe(duplex=False)
        hear, probes = context.Pipe(duplex=False)
        self._feeder, feeder = context.Pipe()
        self._asker, asker = context.Pipe()
        self._state = Progress(0, 0)
        self.processes = [
            _started(context, "writer", write, folder, out, tell),
            _started(context, "asker", ask, folder / "index", asker, hear),
            _started(context, "feeder", feed, tails, into, feeder, probes),
        ]
        for end in (out, into, tell, hear, probes, feeder, asker):
            end.close()  # theirs; what dies is noticed only when nobody else holds its end

    def wait(self) -> None:
        """Wait until the asker has opened the index that the writer has begun."""
        self._expect(self._asker)

    def stretch(self, rate_hz: int, seconds: float, told: Told, warm_s: float = WARM_S) -> Stretch:
        """Say `rate_hz` posts a second for `seconds` while questions are asked.

        For `warm_s` before, so many are said that nothing is the first of its kind any more.
        """
        self._order_posts(Say(int(rate_hz * warm_s), rate_hz, warm_s, rate_hz), told, "warming")
        self._drain(told)
        watch = Watch(self._pids())
        self._ask("ask")
        began, began_s = self._look(), time.monotonic()
        order = Say(int(rate_hz * seconds), rate_hz, seconds, max(rate_hz // _PROBES_HZ, 1))
        said = self._order_posts(order, told, "taking posts in", watch)
        ended, took_s = self._look(), time.monotonic() - began_s
        cpu_s = dict(zip(("writer", "asker", "feeder"), watch.cpu_s(), strict=True))
        self._drain(told, watch)
        behind = ended.received - ended.acked
        rate = (ended.acked - began.acked) / took_s
        return Stretch(said, rate, behind, self._ask("told"), watch, cpu_s)

    def burst(self, posts: int, told: Told) -> Burst:
        """Hand over `posts` within one second, and wait until all of them are found."""
        self._drain(told)
        self._ask("ask")
        said = self._order_posts(Say(posts, posts, 1e9, max(posts // 20, 1)), told, "a burst")
        self._drain(told)
        asked: Asked = self._ask("told")
        found = sum(
            self._ask((first, min(10_000, said.first + posts - first)))
            for first in range(said.first, said.first + posts, 10_000)
        )
        searchable_s = None if asked.missing else asked.last_found_s - said.began_s
        return Burst(said, posts - found, searchable_s, asked)

    def stop(self) -> None:
        """End all three in order: no more posts, then the rest of the road, then the asker."""
        self._feeder.close()
        self.processes[0].join(_DRAIN_S)
        with contextlib.suppress(OSError):
            self._asker.send(None)
        for process in self.processes:
            process.join(10)

    def kill(self) -> None:
        """End all three at once."""
        for process in self.processes:
            process.kill()
            process.join()

    def _pids(self) -> list[int]:
        return [process.pid or 0 for process in self.processes[:2]] + [self.processes[2].pid or 0]

    def _order_posts(self, order: Say, told: Told, step: str, watch: Watch | None = None) -> Said:
        self._feeder.send(order)
        before = self._look().received
        while not self._feeder.poll(_LOOK_S):
            told(step, self._look().received - before, order.posts)
            if watch:
                watch.look()
        said: Said = self._expect(self._feeder)
        return said

    def _drain(self, told: Told, watch: Watch | None = None) -> None:
        """Wait until all that was said is found, or nothing has moved for a long time."""
        still_s, before = time.monotonic(), -1
        while missing := self._ask("missing"):
            state = self._look()
            told("waiting for the last post", state.acked, state.received)
            if watch:
                watch.look()
            if state.acked != before:
                still_s, before = time.monotonic(), state.acked
            if time.monotonic() - still_s > _DRAIN_S:
                told(f"{missing} probes are not found", state.acked, state.received)
                return
            time.sleep(0.1)

    def _look(self) -> Progress:
        try:
            while self._progress.poll():
                self._state = self._progress.recv()
        except (EOFError, OSError) as error:
            raise self._dead() from error
        return self._state

    def _ask(self, order: object) -> Any:
        self._asker.send(order)
        return self._expect(self._asker)

    def _expect(self, connection: Connection) -> Any:
        try:
            while not connection.poll(_LOOK_S):
                self._look()
            return connection.recv()
        except (EOFError, OSError) as error:
            raise self._dead() from error

    def _dead(self) -> RunFailed:
        ended = [f"{p.name} ({p.exitcode})" for p in self.processes if not p.is_alive()]
        return RunFailed(f"ended before its time: {', '.join(ended) or 'a process'}")


@contextlib.contextmanager
def running(folder: Path, tails: Path) -> Iterator[LiveRun]:
    """Start the three processes on the home in `folder`; none is left behind."""
    with deaf():  # a run that is half begun could not be ended
        run = LiveRun(folder, tails)
    try:
        run.wait()
        yield run
        run.stop()
    finally:
        run.kill()


def _started(
    context: SpawnContext, name: str, work: Callable[..., None], *words: object
) -> SpawnProcess:
    # No daemon: those may not start processes, and the writer's source has one of its own.
    process = context.Process(target=work, args=words, name=name)
    process.start()
    return process
