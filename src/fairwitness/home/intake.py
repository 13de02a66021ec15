"""What comes into a home for a server: its sources, and files that somebody hands in.

A full disk must not end it: the state says what is wrong, and the sources are asked again every few
seconds from the cursors that the log holds.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fairwitness.home.home import Home
from fairwitness.home.messages import FileState, IntakeRefused, IntakeReport, Progress, State
from fairwitness.index import IndexDiskFull
from fairwitness.posts.clock import SystemClock, VirtualClock, to_iso
from fairwitness.posts.log import LogFull
from fairwitness.posts.source import Source
from fairwitness.posts.sources.jsonl import JsonlFile
from fairwitness.posts.sources.replay import Replay

RETRY_S = 5.0
PROGRESS_S = 0.5
CANCEL_S = 1.0

_log = logging.getLogger(__name__)


class Intake:
    """Runs the sources of a home, and files beside them."""

    def __init__(self, home: Home, sources: Sequence[Source], retry_s: float = RETRY_S) -> None:
        self._home = home
        self._sources = tuple(sources)
        self._retry_s = retry_s
        self._state: State = "idle"
        self._problem = ""
        self._blocked_at = -1
        self._task: asyncio.Task[None] | None = None
        self._files: dict[str, asyncio.Task[None]] = {}
        self._replayed = ""

    def report(self) -> IntakeReport:
        """Return how the sources stand; blocked until something could be written again."""
        if self._state == "blocked" and self._home.log.position > self._blocked_at:
            return IntakeReport("running", "")
        return IntakeReport(self._state, self._problem)

    def begin(self) -> None:
        """Start listening to the sources."""
        if self._sources:
            self._state = "running"
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop taking in; what was acknowledged is on disk."""
        tasks = {*self._files.values(), *([self._task] if self._task else [])}
        while tasks:
            for task in tasks:
                task.cancel()
            # Python 3.11's wait_for can lose a cancellation (python/cpython#86296): ask again.
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_S)

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._catch_up)
                await self._home.listen(self._sources)
            except (LogFull, IndexDiskFull) as error:
                self._state, self._problem = "blocked", str(error)
                self._blocked_at = self._home.log.position
                _log.error("%s; trying again in %.0f s", error, self._retry_s)
                await asyncio.sleep(self._retry_s)
            except Exception as error:  # reading goes on: the state and the log say what broke
                _log.exception("taking in has failed")
                self._state, self._problem = "failed", str(error) or type(error).__name__
                return
            else:
                self._state = "ended"
                return

    def _catch_up(self) -> None:
        """Show the index what the log took and the index had no room for."""
        home = self._home
        with home.ingest.writing:
            for position, batch in home.log.read(home.index.position):
                home.index.apply(batch.events, position)
            home.index.refresh()

    def replay(
        self, path: Path, speed: float | None, network: str, name: str | None = None
    ) -> AsyncIterator[Progress]:
        """Play the capture at `path`; raises IntakeRefused when the clock cannot be moved."""
        if self._sources:
            raise IntakeRefused("this server listens to live sources", "live")
        if self._files:
            raise IntakeRefused(f"{next(iter(self._files))} is being read", "busy")
        clock = VirtualClock(self._home.log.clock_ms)
        source = Replay(_file(path), clock, speed, name, network)
        self._home.use_clock(clock)
        self._replayed = source.name
        return self._take_in(source)

    def file(self, path: Path, network: str, *, follow: bool) -> AsyncIterator[Progress]:
        """Take in the posts of the file at `path` as seen now; raises IntakeRefused."""
        clock = SystemClock()
        try:
            source = JsonlFile(_file(path), clock, network=network, follow=follow)
        except ValueError as error:
            raise IntakeRefused(str(error), "bad_value", "follow") from error
        for busy in {source.name, self._replayed} & set(self._files):
            raise IntakeRefused(f"{busy} is being read", "busy")
        self._home.use_clock(clock)
        return self._take_in(source)

    async def _take_in(self, source: Source) -> AsyncIterator[Progress]:
        task = asyncio.create_task(self._home.listen([source]))
        self._files[source.name] = task
        task.add_done_callback(lambda _: self._files.pop(source.name))
        count = _Since(self._home, source.name)
        try:
            while not task.done():
                yield await asyncio.to_thread(count.progress, "running")
                await asyncio.wait([task], timeout=PROGRESS_S)
            yield await asyncio.to_thread(count.ended, task)
        finally:
            task.cancel()


class _Since:
    """Counts what a source has said since now."""

    def __init__(self, home: Home, name: str) -> None:
        self._home, self._name = home, name
        self._before = self._counts()
        self._started_s = time.monotonic()

    def progress(self, state: FileState, problem: str = "") -> Progress:
        pairs = zip(self._counts(), self._before, strict=True)
        events, duplicates, dropped = (now - then for now, then in pairs)
        return Progress(
            state=state,
            source=self._name,
            done=events + duplicates + dropped,
            events=events,
            duplicates=duplicates,
            dropped=dropped,
            seconds=round(time.monotonic() - self._started_s, 3),
            posts=self._home.index.stats().posts,
            now=to_iso(self._home.now_ms()),
            problem=problem,
        )

    def ended(self, task: asyncio.Task[None]) -> Progress:
        health = self._home.ingest.health.get(self._name)
        if task.cancelled():
            return self.progress("failed", "the server is stopping")
        if error := task.exception():
            return self.progress("failed", str(error))
        if health and health.state == "refused":
            return self.progress("failed", health.problem)
        return self.progress("ended")

    def _counts(self) -> tuple[int, int, int]:
        health = self._home.ingest.health.get(self._name)
        return (health.events, health.duplicates, health.dropped) if health else (0, 0, 0)


def _file(path: Path) -> Path:
    if not path.is_absolute():
        raise IntakeRefused(f"path: not absolute: {path}", "bad_value", "path")
    if not path.is_file():
        raise IntakeRefused(f"path: no such file: {path}", "bad_value", "path")
    return path
