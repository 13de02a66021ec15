"""Posts that another program writes to ours."""

import asyncio
import concurrent.futures
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import IO

from fairwitness.posts.clock import Clock
from fairwitness.posts.source import SourceBatch
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import BATCH_LINES, read_now
from fairwitness.posts.sources.lines import CHUNK_BYTES, Lines


class StandardInput:
    """One JSON object a line, from standard input. It cannot resume."""

    def __init__(
        self,
        clock: Clock,
        name: str = "stdin",
        network: str = "",
        batch: int = BATCH_LINES,
        stream: IO[bytes] | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._capture = Capture(name, network)
        self._batch = batch
        self._stream = stream or sys.stdin.buffer

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield what arrives, as soon as it arrives, until the writer closes. No cursor."""
        lines = Lines()
        async for chunk in _chunks_of(self._stream.fileno()):
            found = lines.feed(chunk) if chunk else lines.finish()
            for first in range(0, len(found), self._batch):
                some = found[first : first + self._batch]
                events, dropped = await read_now(some, self._capture, self._clock)
                yield SourceBatch(events, "", dropped=dropped)


async def _chunks_of(descriptor: int) -> AsyncIterator[bytes]:
    """Yield what was read from `descriptor` meanwhile, and an empty chunk when it ends.

    A daemon thread reads, because a blocked read can neither be cancelled nor joined, and setting
    a terminal non-blocking would do the same to the standard output that shares it.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)

    def pump() -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = os.read(descriptor, CHUNK_BYTES)
            except OSError:  # the terminal is gone
                chunk = b""
            if loop.is_closed():
                return
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            except concurrent.futures.CancelledError:  # nobody listens any more
                return

    threading.Thread(target=pump, name="stdin", daemon=True).start()
    last = b"-"
    while last:
        gathered = last = await chunks.get()
        while last and not chunks.empty() and len(gathered) < CHUNK_BYTES:
            last = chunks.get_nowait()
            gathered += last
        if gathered:
            yield gathered
    yield b""
