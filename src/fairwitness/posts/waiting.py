"""What the sources have said and the disk does not know yet: no more than memory can bear.

While one batch is written the sources prepare the next ones; a source that is too far ahead waits.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from fairwitness.posts.source import SourceBatch

TOGETHER = 4_000
"""Events from which on no more are written under one sync."""
AHEAD = 16_000
"""Events that all sources together may be ahead of the disk before they wait."""
BATCHES = 256
"""And batches, for those of a live stream hold few events."""


class Waiting:
    """A queue from all sources to the one who writes."""

    def __init__(self) -> None:
        self._batches: asyncio.Queue[tuple[str, SourceBatch]] = asyncio.Queue(BATCHES)
        self._ahead = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def put(self, name: str, batch: SourceBatch) -> None:
        """Add what a source has said, as soon as there is room."""
        await self._has_room.wait()
        self._count(len(batch.events))
        await self._batches.put((name, batch))

    async def taken(self, timeout_s: float) -> list[tuple[str, SourceBatch]]:
        """Return what goes under one sync; nothing when nothing comes in time."""
        taken: list[tuple[str, SourceBatch]] = []
        # `wait_for` can lose a cancellation before Python 3.12 (python/cpython#86296).
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                taken.append(await self._batches.get())
        while not self._batches.empty() and _events_in(taken) < TOGETHER:
            taken.append(self._batches.get_nowait())
        return taken

    def written(self, taken: Sequence[tuple[str, SourceBatch]]) -> None:
        """Make room for as much as was `taken` and is on disk by now."""
        self._count(-_events_in(taken))
        for _ in taken:
            self._batches.task_done()

    async def join(self) -> None:
        """Wait until all is written."""
        await self._batches.join()

    def _count(self, more: int) -> None:
        self._ahead += more
        (self._has_room.set if self._ahead < AHEAD else self._has_room.clear)()


def _events_in(batches: Sequence[tuple[str, SourceBatch]]) -> int:
    return sum(len(batch.events) for _, batch in batches)
