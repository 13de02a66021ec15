"""A home: one folder that holds all state, and the parts that work on it.

    lock    who writes here
    log/    every event, the only source of truth
    index/  derived from the log, and rebuilt from it when missing

Everything that the house keeps is below this folder; moving or copying it moves the house.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import platformdirs

from fairwitness.answers import Desk
from fairwitness.engine.chat import ChatModel
from fairwitness.home.lock import HomeLock, HomeUnusable
from fairwitness.index import IndexCorrupt, LiveIndex
from fairwitness.posts.clock import Clock, SystemClock, VirtualClock
from fairwitness.posts.health import HealthReport, SourceHealth
from fairwitness.posts.ingest import Ingest
from fairwitness.posts.log import Log, LogCorrupt
from fairwitness.posts.source import Source

_log = logging.getLogger(__name__)
_REBUILD_TOGETHER = 5_000
"""Events applied between two refreshes while the index catches up with the log."""


def default_folder() -> Path:
    """Return `$FAIRWITNESS_HOME`, or the platform's folder for user data."""
    return Path(os.environ.get("FAIRWITNESS_HOME") or platformdirs.user_data_dir("fairwitness"))


def no_model() -> ChatModel | None:
    """Answer with quotes and counts alone."""
    return None


class Home:
    """An open home. One process writes to it; see `Reading` for the others."""

    def __init__(
        self,
        folder: Path,
        verb: str,
        *,
        lock: HomeLock | None = None,
        keep_ms: int | None = None,
        caught_up: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take the lock, mend what a kill left, and catch the index up with the log.

        `lock` is taken already, and let go at the end. Posts are kept for `keep_ms` at least, None
        for ever. `caught_up(done, total)` is told the bytes
        of log as they are read. Raises HomeBusy, or HomeUnusable, LogError, IndexFault with all
        let go again.
        """
        self.folder = folder
        with _usable(folder), ExitStack() as opened:
            self.lock = lock or locked(folder, verb)
            opened.callback(self.lock.release)
            self.log = Log(folder / "log")
            opened.callback(self.log.close)
            self.index = _open_index(folder / "index")
            opened.callback(self.index.close)
            self.clock: Clock = _clock_of(self.log.clock_ms, self.log.virtual)
            self.ingest = Ingest(self.log, self.index, self.clock, keep_ms)
            self._catch_up(keep_ms, caught_up)
            self._opened = opened.pop_all()

    def now_ms(self) -> int:
        """What time it is in this home: never before the last thing that was logged."""
        return max(self.clock.now_ms(), self.log.clock_ms)

    def use_clock(self, clock: Clock) -> None:
        """Read `clock` from now on."""
        self.clock = self.ingest.clock = clock

    def desk(self, chat: Callable[[], ChatModel | None] = no_model) -> Desk:
        """Return what answers are made from."""
        return Desk(self.index, self.now_ms, self.health, chat)

    def health(self, at_ms: int) -> list[HealthReport]:
        """Return how each source stands."""
        return [each.report(at_ms) for each in list(self.ingest.health.values())]

    async def listen(self, sources: Sequence[Source]) -> None:
        """Take in what `sources` say until they end."""
        await self.ingest.run(sources)

    def close(self) -> None:
        """Make everything durable and let others in; once more changes nothing."""
        self._opened.close()

    def _catch_up(self, keep_ms: int | None, told: Callable[[int, int], None] | None) -> None:
        """Read what the index lacks; what was old enough to be dropped does not come back."""
        moment_ms = 0 if keep_ms is None else self.now_ms() - keep_ms
        total = self.log.position
        if self.index.position > total:
            raise LogCorrupt(
                f"the log of {self.folder} ends at byte {total}, its index knows it up to byte"
                f" {self.index.position}: restore the log, or delete the folder"
                f" {self.folder / 'index'} to go on without what is missing"
            )
        applied = 0
        for position, batch in self.log.read(self.index.position):
            events = batch.events if batch.clock_ms >= moment_ms else ()
            self.index.apply(events, position)
            applied += len(events)
            if applied >= _REBUILD_TOGETHER:
                self.index.refresh()
                applied = 0
                if told:
                    told(position, total)
        if applied:
            self.index.refresh()
        if total != self.index.position:
            self.index.checkpoint()


def _open_index(folder: Path) -> LiveIndex:
    """Open the index, or begin it anew where it is damaged: the log has all that was in it."""
    try:
        return LiveIndex.open(folder)
    except IndexCorrupt as error:
        _log.warning("%s; it is built again from the log", error)
        shutil.rmtree(folder)
        return LiveIndex.open(folder)


class Reading:
    """A home that another process writes to, as it stood at its last checkpoint."""

    def __init__(self, folder: Path) -> None:
        """Open the home in `folder` for reading."""
        state = Log.peek(folder / "log")
        self.index = LiveIndex.open(folder / "index", read_only=True)
        self._clock = _clock_of(state.clock_ms, state.virtual)
        self._last_ms = state.clock_ms
        self._sources = [SourceHealth.remembered(n, s) for n, s in state.sources.items()]

    def now_ms(self) -> int:
        """What time it is in this home."""
        return max(self._clock.now_ms(), self._last_ms)

    def desk(self, chat: Callable[[], ChatModel | None] = no_model) -> Desk:
        """Return what answers are made from."""
        return Desk(self.index, self.now_ms, self.health, chat)

    def health(self, at_ms: int) -> list[HealthReport]:
        """Return how each source stood."""
        return [each.report(at_ms) for each in self._sources]

    def close(self) -> None:
        """Let go of the files."""
        self.index.close()


def locked(folder: Path, verb: str) -> HomeLock:
    """Take the lock on the home in `folder`, made when missing; raises HomeBusy, HomeUnusable."""
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return HomeLock(folder, verb)


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Say which home it is that the system does not let us use."""
    try:
        yield
    except HomeUnusable:
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        said = error.strerror or error
        raise HomeUnusable(f"home {folder} cannot be used: {said}{where}") from error


def _clock_of(clock_ms: int, virtual: bool) -> Clock:
    return VirtualClock(clock_ms) if virtual else SystemClock()
