"""A source in a process of its own, so that reading a firehose and writing it down do not share one
Python lock.

The process listens, cleans and composes; what comes through the pipe are finished batches. It ends
when the pipe does, so nobody is left behind by a kill.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from multiprocessing.connection import Connection

import msgspec

from fairwitness.posts import records
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.source import (
    Gap,
    Source,
    SourceBatch,
    SourceError,
    SourceLost,
    SourceRefused,
)


class _Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The source has no more to say, and why; all empty when it simply ended."""

    refused: bool = False
    problem: str = ""
    retry_after_s: float = 0.0


class _Said(msgspec.Struct, frozen=True, tag="said"):
    """A batch, with its events as the log will hold them: those that it can hold."""

    events: msgspec.Raw
    count: int
    cursor: str
    gaps: tuple[Gap, ...]
    dropped: int


_GC_OBJECTS = 50_000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Said | _Ended).decode


class Apart:
    """Says what `source` says. It must be possible to pickle it before it has begun."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield the batches of the source; raises what it raises, SourceLost when it is killed."""
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(
            target=tell, args=(self._source, cursor, theirs), name=self.name, daemon=True
        )
        await asyncio.to_thread(process.start)
        theirs.close()
        try:
            while (batch := await asyncio.to_thread(self._next, pipe)) is not None:
                yield batch
        finally:
            process.terminate()
            # Whoever is waiting for a batch in a thread sees the end of the pipe now.
            await asyncio.to_thread(process.join)
            pipe.close()

    def _next(self, pipe: Connection) -> SourceBatch | None:
        try:
            told = _decode(pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise SourceLost(f"the process of {self.name} has died") from error
        if isinstance(told, _Said):
            return _batch(told)
        if told.refused:
            raise SourceRefused(told.problem)
        if told.problem:
            raise SourceLost(told.problem, told.retry_after_s)
        return None


def tell(source: Source, cursor: str, pipe: Connection) -> None:
    """Send all that `source` says after `cursor`; run as a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for whoever started us
    # What is made here lives as long as a batch; to look for circles in it takes a tenth.
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 20, 50)
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        pipe.send_bytes(_encode(asyncio.run(_tell(source, cursor, pipe))))


async def _tell(source: Source, cursor: str, pipe: Connection) -> _Ended:
    try:
        async with aclosing(source.batches(cursor)) as batches:
            sending: asyncio.Task[None] | None = None
            async for batch in batches:
                # One batch is on its way while the next is made.
                if sending is not None:
                    await sending
                sending = asyncio.create_task(asyncio.to_thread(_send, pipe, batch))
            if sending is not None:
                await sending
    except SourceError as error:
        refused = isinstance(error, SourceRefused)
        return _Ended(refused, str(error), getattr(error, "retry_after_s", 0.0))
    except Exception as error:
        return _Ended(problem=f"{source.name}: {type(error).__name__}: {error}")
    return _Ended()


def _send(pipe: Connection, batch: SourceBatch) -> None:
    told = records.storable(batch.events)
    count = len(told.events)
    dropped = batch.dropped + len(batch.events) - count
    said = _Said(msgspec.Raw(told.encoded), count, batch.cursor, batch.gaps, dropped)
    pipe.send_bytes(_encode(said))


def _batch(said: _Said) -> SourceBatch:
    events = Encoded(bytes(said.events), said.count)
    return SourceBatch(events, said.cursor, said.gaps, said.dropped)


def _end_with(pipe: Connection) -> None:
    """End this process when the other end of the pipe is closed: nothing is ever sent to us."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv_bytes()
    os._exit(0)
