"""The road of a post: source → log (on disk before anything else) → index, within a second.

One task per source listens; one thread writes. What the sources said meanwhile is taken together,
freed of what changes nothing, appended to the log, synced, and only then shown to the index and
counted as acknowledged. The index is asked to commit its words a few times a second.

An index that fails has not lost anything: the log is ahead of it, and before anything else is
written it is read what it has missed.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, cast

from fairwitness.posts.clock import Clock
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.listen import listen
from fairwitness.posts.log import Log, LogRefused
from fairwitness.posts.pace import Pace
from fairwitness.posts.post import Event
from fairwitness.posts.records import Batch, gathered
from fairwitness.posts.source import Source, SourceBatch
from fairwitness.posts.waiting import Waiting

REFRESH_S = 0.25
"""How often new words become searchable: a quarter of the second that we promise."""

LATE_REFRESH_S = 0.6
"""How long they may wait where that takes so long that it would take more than its share."""

CHECKPOINT_S = 5.0
"""How much log a restart has to read again, at most, where a checkpoint is quick."""

LATE_CHECKPOINT_S = 60.0
"""How much it has to read where it is not."""

IDLE_S = 1.0
"""How often a source that brings nothing new is written down: with its cursor, that it lives."""

_REFRESH_SHARE, _CHECKPOINT_SHARE = 1 / 4, 1 / 10  # of the time of the thread that writes

_CANCEL_S = 1.0

_log = logging.getLogger(__name__)


class Findable(Protocol):
    """What the road needs of an index."""

    def novel(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events that change something."""
        ...

    def apply(self, events: Sequence[Event], position: int) -> object:
        """Take in events that the log holds up to `position`, or nothing where they are in."""
        ...

    def refresh(self) -> None:
        """Make what was applied searchable."""
        ...

    def checkpoint(self) -> None:
        """Make what was applied durable, so that recovery starts from here."""
        ...

    def drop_before(self, moment_ms: int) -> int:
        """Forget what lies whole before a moment; return how many posts."""
        ...


@dataclass
class Ingest:
    """Runs the road. `health` may be read by any thread at any time.

    The index must have caught up with the log before the first batch is written.
    """

    log: Log
    index: Findable
    clock: Clock
    keep_ms: int | None = None
    """How long posts are kept at least, None for ever: see `_checkpoint_and_drop`."""
    health: dict[str, SourceHealth] = field(default_factory=dict)
    writing: threading.Lock = field(default_factory=threading.Lock)
    _listening: set[str] = field(default_factory=set)
    _idle: dict[str, str] = field(default_factory=dict)
    """Cursors that the log does not know yet, of sources that brought nothing new."""
    _written_s: dict[str, float] = field(default_factory=dict)
    _refreshes: Pace = field(default_factory=lambda: Pace(_REFRESH_SHARE))
    _checkpoints: Pace = field(default_factory=lambda: Pace(_CHECKPOINT_SHARE, time.monotonic()))
    _dirty: bool = False
    """Whether the index knows events that a search does not find yet."""
    _applied: int = 0
    """Position up to which the index was told what the log holds."""
    _kept: int = 0
    """Position up to which a restart need not tell it again."""

    def __post_init__(self) -> None:
        """Take over what the log remembers of each source."""
        self._applied = self._kept = self.log.position
        for name, state in self.log.sources.items():
            self.health[name] = SourceHealth.remembered(name, state)

    async def run(self, sources: Sequence[Source]) -> None:
        """Listen to `sources` until all have ended, or until cancelled.

        May run several times at once, with different sources. Raises ValueError when one of them
        is listened to already; LogFull, LogError, or what the index raises, when it cannot write.
        """
        with self._reserved(sources), ThreadPoolExecutor(1, thread_name_prefix="log") as disk:
            try:
                await self._until_ended(sources, disk)
            except BaseException:
                with contextlib.suppress(asyncio.CancelledError):
                    await _finished(disk, self._settle_if_possible)
                raise
            await _finished(disk, self._settle)

    async def _until_ended(self, sources: Sequence[Source], disk: ThreadPoolExecutor) -> None:
        queue = Waiting()
        writer = asyncio.create_task(self._write_all(queue, disk))
        listeners = [asyncio.create_task(self._listen(each, queue)) for each in sources]
        written = asyncio.create_task(_all_written(listeners, queue))
        try:
            await asyncio.wait([written, writer], return_when=asyncio.FIRST_COMPLETED)
            await (writer if writer.done() else written)
        finally:
            await _cancelled({written, *listeners, writer})

    @contextlib.contextmanager
    def _reserved(self, sources: Sequence[Source]) -> Iterator[None]:
        """Keep the names of `sources` from being listened to twice: they have one cursor each."""
        names = [source.name for source in sources]
        for at, name in enumerate(names):
            if name in self._listening or name in names[:at]:
                raise ValueError(f"a source with this name is listened to already: {name}")
        self._listening.update(names)
        try:
            yield
        finally:
            self._listening.difference_update(names)

    async def _listen(self, source: Source, queue: Waiting) -> None:
        health = self.health.setdefault(source.name, SourceHealth(source.name))
        cursor = self._cursor(source.name)
        try:
            async with contextlib.aclosing(listen(source, cursor, self.clock, health)) as batches:
                async for batch in batches:
                    await queue.put(source.name, batch)
        finally:
            if health.state in ("live", "waiting"):
                health.state = "idle"

    async def _write_all(self, queue: Waiting, disk: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting = await queue.taken(REFRESH_S)
            await loop.run_in_executor(disk, self.write, waiting)
            queue.written(waiting)

    def write(self, waiting: Sequence[tuple[str, SourceBatch]]) -> None:
        """Take batches down the road; when this returns they are acknowledged."""
        with self.writing:
            self._catch_up()
            for name, batches in _by_source(waiting):
                self._write_source(name, batches)
            self._write_idle(time.monotonic() - IDLE_S)
            self._tick()

    def _catch_up(self) -> None:
        """Tell the index what it has missed, for the log to hold only what is new to it."""
        if self._applied == self.log.position:
            return
        self.log.sync()
        for position, batch in self.log.read(self._applied):
            self._apply(batch.events, position)
        self._applied = self.log.position

    def _apply(self, events: Sequence[Event], position: int) -> None:
        self.index.apply(events, position)
        self._applied = position
        self._dirty = self._dirty or bool(events)

    def _write_source(self, name: str, batches: Sequence[SourceBatch]) -> None:
        said_count = sum(len(batch.events) for batch in batches)
        told = gathered(batches)
        fresh = self.index.novel(told.events)
        record = Batch(
            source=name,
            cursor=batches[-1].cursor,
            # Encoded ones are written as they are, and nobody makes objects of them to count them.
            events=cast(tuple[Event, ...], fresh if isinstance(fresh, Encoded) else tuple(fresh)),
            clock_ms=self.clock.now_ms(),
            virtual=self.clock.virtual,
            gaps=tuple(gap for batch in batches for gap in batch.gaps),
            dropped=sum(batch.dropped for batch in batches) + said_count - len(told.events),
        )
        if fresh or record.gaps or record.dropped:
            try:
                same = fresh is told.events or fresh == told.events
                self._append(record, told.encoded if same else None)
            except LogRefused:
                # Too much for one record. Events and their cursor must not be parted, so by batch.
                if len(batches) == 1:
                    raise
                for batch in batches:
                    self._write_source(name, [batch])
                return
            self.log.sync()
        else:
            self._idle[name] = record.cursor
        self.health.setdefault(name, SourceHealth(name)).told(told.events, record)
        self._apply(fresh, self.log.position)

    def _append(self, record: Batch, encoded_events: bytes | None = None) -> None:
        self.log.append(record, encoded_events)
        self._idle.pop(record.source, None)
        self._written_s[record.source] = time.monotonic()

    def _write_idle(self, before_s: float) -> None:
        """Write down the sources that brought nothing new and were last written `before_s`."""
        due = [name for name in self._idle if self._written_s.get(name, 0.0) <= before_s]
        for name in due:
            at_ms, virtual = self.clock.now_ms(), self.clock.virtual
            self._append(Batch(name, self._idle[name], (), at_ms, virtual))
        if due:
            self.log.sync()
            self._apply((), self.log.position)

    def _cursor(self, name: str) -> str:
        return self.log.sources[name].cursor if name in self.log.sources else ""

    def _tick(self) -> None:
        if self._dirty and self._refreshes.is_due(REFRESH_S, LATE_REFRESH_S):
            self._refresh()
        unkept = self._kept != self._applied
        if unkept and self._checkpoints.is_due(CHECKPOINT_S, LATE_CHECKPOINT_S):
            self._checkpoint()

    def _refresh(self) -> None:
        self._refreshes.run(self.index.refresh)
        self._dirty = False

    def _checkpoint(self) -> None:
        if self.keep_ms is None:
            self._checkpoints.run(self.index.checkpoint)
        else:
            self._checkpoints.run(partial(self._checkpoint_and_drop, self.keep_ms))
        self._kept = self._applied

    def _checkpoint_and_drop(self, keep_ms: int) -> None:
        """Let go of what is older, from the index as of this checkpoint, then from the log.

        Both drop whole files only, and the log none that the index would still read from.
        """
        moment_ms = self.clock.now_ms() - keep_ms
        posts = self.index.drop_before(moment_ms)
        self.index.checkpoint()
        segments = self.log.drop_before(moment_ms, self._applied)
        if posts or segments:
            _log.info("dropped %d old posts and %d segments of the log", posts, segments)

    def _settle(self) -> None:
        """Write the last cursors, and leave nothing for a restart to do."""
        with self.writing:
            self._catch_up()
            self._write_idle(time.monotonic())
            self._refresh()
            self._checkpoint()

    def _settle_if_possible(self) -> None:
        """Settle after a failure, which must not hide what failed first."""
        try:
            self._settle()
        except Exception as error:
            _log.warning("not settled, so a restart has more to read: %s", error)


async def _all_written(listeners: Sequence[asyncio.Task[None]], queue: Waiting) -> None:
    await asyncio.gather(*listeners)
    await queue.join()


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel `tasks` until they are: a source may have lost the first cancellation."""
    while tasks:
        for task in tasks:
            task.cancel()
        done, tasks = await asyncio.wait(tasks, timeout=_CANCEL_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # whichever matters was raised already


async def _finished(disk: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    """Let `work` finish on the thread of `disk`, also when cancelled meanwhile."""
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(disk, work))


def _by_source(
    waiting: Sequence[tuple[str, SourceBatch]],
) -> list[tuple[str, list[SourceBatch]]]:
    grouped: dict[str, list[SourceBatch]] = {}
    for name, batch in waiting:
        grouped.setdefault(name, []).append(batch)
    return list(grouped.items())
