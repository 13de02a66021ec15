"""A log and an index on a disk, and sources that say what they are told to."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairwitness.index import LiveIndex
from fairwitness.posts import segment
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.ingest import Ingest
from fairwitness.posts.log import Batch, Log, read
from fairwitness.posts.post import Edited, Event, Post, Posted
from fairwitness.posts.source import Gap, SourceBatch


def posted(number: int, source: str = "s", text: str = "", seen_ms: int = 0) -> Posted:
    return Posted(
        Post(
            id=f"{source}:{number}",
            network="test",
            author="ann",
            author_id=f"a{number}",
            text=text or f"post number {number} says that the bridge is closed",
            created_ms=seen_ms or 1_000 + number,
            seen_ms=seen_ms or 1_000 + number,
        )
    )


@dataclass
class Numbers:
    """A source whose cursor is how many posts it has said."""

    count: int
    name: str = "s"
    together: int = 10
    pause_s: float = 0.0
    say: Callable[[int], Event] | None = None
    said: int = 0
    gaps: tuple[Gap, ...] = ()

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        at = int(cursor or 0)
        while at < self.count:
            until = min(at + self.together, self.count)
            say = self.say or (lambda number: posted(number, self.name))
            events = tuple(say(number) for number in range(at, until))
            at = self.said = until
            yield SourceBatch(events, str(at), self.gaps)
            await asyncio.sleep(self.pause_s)


@dataclass
class Place:
    """A real log and a real index that remember in which order they were asked."""

    folder: Path
    calls: list[str] = field(default_factory=list)
    slow_s: float = 0.0

    def __post_init__(self) -> None:
        place = self

        class ToldLog(Log):
            def append(self, batch: Batch, encoded_events: bytes | None = None) -> int:
                place.calls.append(f"append {batch.source} {batch.cursor}")
                return super().append(batch, encoded_events)

            def sync(self) -> None:
                super().sync()
                place.calls.append("sync")

        class ToldIndex(LiveIndex):
            def novel(self, events: Sequence[Event]) -> list[Event]:
                time.sleep(place.slow_s)
                return super().novel(events)

            def apply(self, events: Sequence[Event], position: int) -> object:
                place.calls.append(f"apply {len(events)}")
                return super().apply(events, position)

            def refresh(self) -> None:
                place.calls.append("refresh")
                super().refresh()

        self.log = ToldLog(self.folder / "log")
        self.index = ToldIndex.open(self.folder / "index")
        for position, batch in self.log.read(self.index.position):
            self.index.apply(batch.events, position)
        self.index.refresh()
        self.ingest = Ingest(self.log, self.index, SystemClock())
        self.calls.clear()

    def close(self) -> None:
        self.index.close()
        self.log.close()

    def logged(self) -> list[Event]:
        return [event for _, batch in read(self.folder / "log") for event in batch.events]

    def found(self) -> int:
        return self.index.frequencies(["bridge"])[0]


def ids(events: Sequence[Event]) -> list[str]:
    return [e.post.id if isinstance(e, Posted | Edited) else e.id for e in events]


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """Let the disk of the log fill up within a record; test_log asks the kernel itself."""
    write_all, left = segment.write_all, size_bytes

    def write(descriptor: int, data: bytes) -> None:
        nonlocal left
        write_all(descriptor, data[:left])
        left -= len(data)
        if left < 0:
            left = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment, "write_all", write)
        yield
