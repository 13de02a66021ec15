"""The road of a post: source → log (on disk before anything else) → index, within a second.

One task per source listens; one thread writes. What the sources said meanwhile is taken together,
freed of what changes nothing, appended to the log, synced, and only then shown to the index and
counted as acknowledged. The index is asked to commit its words a few times a second.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from fairwitness.posts.clock import Clock
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.listen import listen
from fairwitness.posts.log import Batch, Log
from fairwitness.posts.post import Event
from fairwitness.posts.source import Source, SourceBatch

REFRESH_S = 0.25
"""How often new words become searchable: a quarter of the second that we promise."""

CHECKPOINT_S = 5.0
"""How much log a restart has to read again, at most."""

_TOGETHER = 4_000  # events written under one sync
_WAITING = 32  # batches a source may be ahead of the disk before it has to wait

_log = logging.getLogger(__name__)


class Findable(Protocol):
    """What the road needs of an index."""

    def novel(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that change something."""
        ...

    def apply(self, events: Sequence[Event], position: int) -> object:
        """Take in events that the log holds up to `position`."""
        ...

    def refresh(self) -> None:
        """Make what was applied searchable."""
        ...

    def checkpoint(self) -> None:
        """Make what was applied durable, so that recovery starts from here."""
        ...


@dataclass
class Ingest:
    """Runs the road. `health` may be read by any thread at any time."""

    log: Log
    index: Findable
    clock: Clock
    health: dict[str, SourceHealth] = field(default_factory=dict)
    writing: threading.Lock = field(default_factory=threading.Lock)
    _refreshed_s: float = 0.0
    _checkpointed_s: float = field(default_factory=time.monotonic)
    _dirty: bool = False

    def __post_init__(self) -> None:
        """Take over what the log remembers of each source."""
        for name, state in self.log.sources.items():
            self.health[name] = SourceHealth.remembered(name, state)

    async def run(self, sources: Sequence[Source]) -> None:
        """Listen to `sources` until all have ended, or until cancelled.

        Raises LogFull or LogError when the log cannot be written.
        """
        queue: asyncio.Queue[tuple[str, SourceBatch]] = asyncio.Queue(_WAITING)
        with ThreadPoolExecutor(1, thread_name_prefix="log") as disk:
            writer = asyncio.create_task(self._write_all(queue, disk))
            listeners = [asyncio.create_task(self._listen(each, queue)) for each in sources]
            everyone = asyncio.create_task(_all_of(listeners))
            try:
                await asyncio.wait([everyone, writer], return_when=asyncio.FIRST_COMPLETED)
                if writer.done():
                    everyone.cancel()
                    writer.result()
                await everyone
                await queue.join()
            finally:
                for task in (everyone, *listeners, writer):
                    task.cancel()
                await asyncio.gather(everyone, *listeners, writer, return_exceptions=True)
                disk.submit(self._settle)

    async def _listen(self, source: Source, queue: asyncio.Queue[tuple[str, SourceBatch]]) -> None:
        health = self.health.setdefault(source.name, SourceHealth(source.name))
        cursor = self.log.sources[source.name].cursor if source.name in self.log.sources else ""
        async with contextlib.aclosing(listen(source, cursor, self.clock, health)) as batches:
            async for batch in batches:
                await queue.put((source.name, batch))

    async def _write_all(
        self, queue: asyncio.Queue[tuple[str, SourceBatch]], disk: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            waiting: list[tuple[str, SourceBatch]] = []
            with contextlib.suppress(TimeoutError):
                waiting.append(await asyncio.wait_for(queue.get(), REFRESH_S))
            while not queue.empty() and sum(len(b.events) for _, b in waiting) < _TOGETHER:
                waiting.append(queue.get_nowait())
            await loop.run_in_executor(disk, self.write, waiting)
            for _ in waiting:
                queue.task_done()

    def write(self, waiting: Sequence[tuple[str, SourceBatch]]) -> None:
        """Take batches down the road; when this returns they are acknowledged."""
        with self.writing:
            for name, batches in _by_source(waiting):
                self._write_source(name, batches)
            self._tick()

    def _write_source(self, name: str, batches: Sequence[SourceBatch]) -> None:
        told = [event for batch in batches for event in batch.events]
        fresh = self.index.novel(told)
        health = self.health.setdefault(name, SourceHealth(name))
        record = Batch(
            source=name,
            cursor=batches[-1].cursor,
            events=tuple(fresh),
            clock_ms=self.clock.now_ms(),
            virtual=self.clock.virtual,
            gaps=tuple(gap for batch in batches for gap in batch.gaps),
            dropped=sum(batch.dropped for batch in batches),
        )
        position = self.log.append(record)
        self.log.sync()
        self.index.apply(fresh, position)
        self._dirty = True
        health.told(told, fresh, record)

    def _tick(self) -> None:
        now_s = time.monotonic()
        if self._dirty and now_s - self._refreshed_s >= REFRESH_S:
            self.index.refresh()
            self._dirty, self._refreshed_s = False, time.monotonic()
        if now_s - self._checkpointed_s >= CHECKPOINT_S:
            self.index.checkpoint()
            self._checkpointed_s = time.monotonic()

    def _settle(self) -> None:
        with self.writing:
            self.index.refresh()
            self.index.checkpoint()
            self._dirty = False


async def _all_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


def _by_source(
    waiting: Sequence[tuple[str, SourceBatch]],
) -> list[tuple[str, list[SourceBatch]]]:
    grouped: dict[str, list[SourceBatch]] = {}
    for name, batch in waiting:
        grouped.setdefault(name, []).append(batch)
    return list(grouped.items())
