"""How made posts reach the road: from a process of their own at a rate, or as fast as can be.

`feed` is that process: it says posts on a schedule and owes what it is late with, as a network
does. `Piped` is the source at the other end: a thread of its own takes bytes off the pipe into
memory as they come, so that what was handed over is with us, however far the road is behind.
"""

import asyncio
import fcntl
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, Protocol

from fairwitness.evals.firehose import Firehose
from fairwitness.posts.clock import Clock, VirtualClock
from fairwitness.posts.source import Source, SourceBatch
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import read_lines
from fairwitness.posts.sources.lines import Lines

NAME = "firehose"

DAY_POSTS = 5_000_000
"""Posts a day of a home that grows: 20 M posts are four days, so that a day is a part of all."""

FIRST_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP_MS = 86_400_000 / DAY_POSTS

_TICK_S = 0.02
_TOGETHER = 1_000
_CHUNK_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_WAITING_BYTES = 512 << 20
"""What a source takes into memory before it lets the sender wait: a million posts."""


class Say(NamedTuple):
    """An order to the feeder."""

    posts: int
    rate_hz: float
    within_s: float
    """What is not said by then is not said."""
    probe_every: int
    """So many posts apart, and at the end, a post that is a word of its own."""


class Said(NamedTuple):
    """What the feeder did; moments are of the monotonic clock that all processes share."""

    first: int
    posts: int
    began_s: float
    ended_s: float


class Probe(NamedTuple):
    """A word that one post holds, and when that post was due."""

    word: str
    due_s: float


def feed(tails: Path, pipe: Connection, orders: Connection, probes: Connection) -> None:
    """Say what is ordered until there are no more orders; run as a process."""
    feeder = _Feeder(Firehose(tails), pipe, probes)
    try:
        while True:
            orders.send(feeder.obey(orders.recv()))
    except (EOFError, OSError):
        pipe.close()


class _Feeder:
    def __init__(self, firehose: Firehose, pipe: Connection, probes: Connection) -> None:
        self._firehose = firehose
        self._pipe, self._probes = pipe.fileno(), probes
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._next = 0

    def obey(self, order: Say) -> Said:
        first = self._next
        began_s = now_s = time.monotonic()
        while self._next - first < order.posts and now_s - began_s < order.within_s:
            due = min(int((now_s - began_s) * order.rate_hz), order.posts)
            while self._next - first < due:
                count = min(_TOGETHER, due - (self._next - first))
                self._write(b"".join(self._lines(order, first, count, began_s)))
            pause_s = _TICK_S if due < order.posts else 0.0
            time.sleep(pause_s)
            now_s = time.monotonic()
        return Said(first, self._next - first, began_s, now_s)

    def _lines(self, order: Say, first: int, count: int, began_s: float) -> Iterator[bytes]:
        """Yield the next `count` posts, probes among them."""
        moment_ms = time.time_ns() // 1_000_000
        until = self._next + count
        last = first + order.posts - 1
        while self._next < until:
            said = self._next - first
            probe = min(first + said - said % order.probe_every + order.probe_every - 1, last)
            plain = min(probe, until) - self._next
            yield self._firehose.say(self._next, plain, moment_ms)
            self._next += plain
            if self._next == probe < until:
                word = f"zqprobe{probe}"
                yield self._firehose.probe(probe, word, moment_ms)
                self._probes.send(Probe(word, began_s + (probe - first) / order.rate_hz))
                self._next += 1

    def _write(self, said: bytes) -> None:
        rest = memoryview(said)
        while rest:
            rest = rest[os.write(self._pipe, rest) :]


class Counted(Protocol):
    """A number that processes share."""

    value: int


class Piped:
    """The posts that come through a pipe, as they come, until it ends. It cannot resume."""

    name = NAME

    def __init__(self, pipe: Connection, clock: Clock, received: Counted) -> None:
        """`received` counts posts that were handed over, read by the road or not."""
        self._pipe, self._clock, self._received = pipe, clock, received
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._ended = False

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield what was handed over."""
        lines, self._changed = Lines(), threading.Condition()
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        while (batch := await asyncio.to_thread(self._next, lines)) is not None:
            yield batch

    def _receive(self) -> None:
        while chunk := os.read(self._pipe.fileno(), _CHUNK_BYTES):
            with self._changed:
                self._changed.wait_for(lambda: self._waiting_bytes < _WAITING_BYTES)
                self._waiting.append(chunk)
                self._waiting_bytes += len(chunk)
                self._received.value += chunk.count(b"\n")
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next(self, lines: Lines) -> SourceBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                return None
            chunk = self._waiting.popleft()
            self._waiting_bytes -= len(chunk)
            self._changed.notify_all()
        return decoded(lines, chunk, itertools.repeat(self._clock.now_ms()), "")


class Stored:
    """Posts `cursor` to `until` of a firehose, each seen when it was made, as fast as can be."""

    name = NAME

    def __init__(self, tails: Path, until: int) -> None:
        self._tails, self._until = tails, until

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield posts in their order; the cursor counts them."""
        firehose = Firehose(self._tails)
        for first in range(int(cursor or 0), self._until, _TOGETHER):
            count = min(_TOGETHER, self._until - first)
            yield await asyncio.to_thread(_stored, firehose, first, count)


class Lived:
    """What a source of stored posts says, and a clock that goes along."""

    name = NAME

    def __init__(self, source: Source, clock: VirtualClock) -> None:
        self._source, self._clock = source, clock

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield its batches, each when its last post was made."""
        async with aclosing(self._source.batches(cursor)) as batches:
            async for batch in batches:
                yield batch
                self._clock.advance_to(moment_ms(int(batch.cursor)))


def _stored(firehose: Firehose, first: int, count: int) -> SourceBatch:
    said = firehose.say(first, count, moment_ms(first), STEP_MS)
    seen_ms = map(moment_ms, itertools.count(first))
    return decoded(Lines(), said, seen_ms, str(first + count))


def moment_ms(number: int) -> int:
    """Return when post `number` of a stored firehose is made."""
    return FIRST_MS + int(number * STEP_MS)


def decoded(lines: Lines, chunk: bytes, seen_ms: Iterator[int], cursor: str) -> SourceBatch:
    """Return what the lines that `chunk` completes say: the first stage of the measured road."""
    events, dropped = read_lines(list(lines.feed(chunk)), Capture(NAME), seen_ms)
    return SourceBatch(events, cursor, dropped=dropped)
