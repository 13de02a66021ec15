"""Files of one JSON object a line: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`.

A line that cannot be read is counted, named in the log and left out; the rest goes on. The cursor
is a place in the *uncompressed* bytes plus a fingerprint of how the file begins, so that a file
that was replaced is read from its start instead of from somewhere in its middle.
"""

import asyncio
import io
import itertools
import logging
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fairwitness.kernels import stream
from fairwitness.kernels.fields import head
from fairwitness.kernels.stream import Told
from fairwitness.posts import records
from fairwitness.posts.clock import Clock
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.language import TONGUES
from fairwitness.posts.post import Event
from fairwitness.posts.source import Gap, SourceBatch, SourceRefused
from fairwitness.posts.sources import captures
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.captures_apis import Said, is_stream_line, stream_line
from fairwitness.posts.sources.lines import (
    BROKEN,
    CHUNK_BYTES,
    HEAD_BYTES,
    Line,
    Lines,
    fingerprint,
    open_lines,
    read_chunk,
    row_of,
)

log = logging.getLogger(__name__)

BATCH_LINES = 4_000
"""Posts are put together so many at a time: more gain nothing, and are found later."""

_POLL_S = 0.25
_SAMPLES = 5


class JsonlFile:
    """The posts of one file, in its order, seen now; with `follow`, also those appended later.

    A file that was rotated, truncated or rewritten while being followed is read anew from its
    start. A compressed file cannot be followed.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        name: str | None = None,
        network: str = "",
        batch: int = BATCH_LINES,
        follow: bool = False,
    ) -> None:
        if follow and path.suffix in {".gz", ".zst"}:
            raise ValueError(f"cannot follow a compressed file: {path}")
        self.path = path
        self.name = name or capture_name(path)
        self._clock = clock
        self._capture = Capture(self.name, network)
        self._batch = batch
        self._follow = follow

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield the rows after `cursor`; ends with the file unless it is followed.

        Raises SourceRefused when the file cannot be opened or is not what its name says.
        """
        place = _Place.of(cursor, self.name)
        while True:
            file = await asyncio.to_thread(_open_at, self.path, place)
            try:
                async for batch in self._read(file):
                    yield batch
            finally:
                file.raw.close()
            if not self._follow:
                return
            place = _Place()

    async def _read(self, file: "_OpenFile") -> AsyncGenerator[SourceBatch, None]:
        """Yield batches until the file ends, or was replaced by another of its name."""
        lines, ends = file.lines, not self._follow
        while True:
            if self._follow and _was_rewritten(file):
                log.info("%s: was rewritten, reading it from its start", self.name)
                return
            try:
                chunk = await asyncio.to_thread(read_chunk, file.raw)
            except BROKEN as error:
                if lines.read_bytes == 0:
                    raise SourceRefused(f"cannot read {self.path}: {error}") from error
                yield self._broken_off(lines, error)
                return
            if chunk or ends:
                found = lines.feed(chunk) if chunk else lines.finish()
                for first in range(0, len(found), self._batch):
                    yield await self._batch_of(found[first : first + self._batch], lines)
                if not chunk:
                    return
            elif _was_moved(self.path, file):
                log.info("%s: another file took its place, reading it from its start", self.name)
                ends = True  # once what was written to the old one meanwhile is read
            else:
                await asyncio.sleep(_POLL_S)

    async def _batch_of(self, some: list[Line], lines: Lines) -> SourceBatch:
        events, dropped = await read_now(some, self._capture, self._clock)
        return SourceBatch(
            events, _cursor(some[-1].end_bytes, some[-1].number, lines), dropped=dropped
        )

    def _broken_off(self, lines: Lines, error: Exception) -> SourceBatch:
        reason = f"{self.path} breaks off after line {lines.number}: {error}"
        log.error("%s: %s", self.name, reason)
        now_ms = self._clock.now_ms()
        cursor = _cursor(lines.end_bytes, lines.number, lines)
        gap = Gap(now_ms, now_ms, reason)
        return SourceBatch((), cursor, gaps=(gap,), dropped=1)


async def read_now(
    lines: Sequence[Line], capture: Capture, clock: Clock
) -> tuple[Sequence[Event], int]:
    """Read `lines` as seen now, in a thread: many of them would hold up everybody else."""
    return await asyncio.to_thread(read_lines, lines, capture, itertools.repeat(clock.now_ms()))


def read_lines(
    lines: Sequence[Line], capture: Capture, seen_ms: Iterable[int]
) -> tuple[Sequence[Event], int]:
    """Return the events of `lines` and how many lines were left out; blank lines are neither.

    `seen_ms` has one moment for each line, and may have more. Plain lines of X's stream, of which
    firehoses are made, are read to bytes all at once; all others one by one.
    """
    moments_ms = list(itertools.islice(seen_ms, len(lines)))
    plain = stream.read([line.data or b"" for line in lines], moments_ms, TONGUES)
    left = plain.left if plain else range(len(lines))
    told, left_out = _read_each(
        [lines[at] for at in left], capture, [moments_ms[at] for at in left]
    )
    found = {at: event for at, event in zip(left, told, strict=True) if event is not None}
    if plain is None or not plain.encoded:
        return tuple(found.values()), left_out
    events = _together(plain, found)
    return events, left_out + len(plain) + len(found) - len(events)


def _read_each(
    lines: Sequence[Line], capture: Capture, seen_ms: Sequence[int]
) -> tuple[list[Event | None], int]:
    """Return what each line says, None for nothing, and how many lines were left out."""
    numbers: dict[int, int] = {}
    said: list[Said] = [None] * len(lines)
    left_out: list[tuple[int, str]] = []
    is_stream = False
    for at, (line, moment_ms) in enumerate(zip(lines, seen_ms, strict=True)):
        each: Said = stream_line(line.data, moment_ms) if is_stream and line.data else None
        try:
            if each is None:
                row = row_of(line)
                if row is None:
                    continue
                is_stream = is_stream_line(row)
                each = captures.read(row, capture, moment_ms)
        except ValueError as error:
            left_out.append((line.number, str(error)[:80]))
            continue
        numbers[at] = line.number
        said[at] = each
    told = captures.events_in(said)
    left_out += [(number, "no statement") for at, number in numbers.items() if told[at] is None]
    warn_of(sorted(left_out), capture.name)
    return told, len(left_out)


def _together(plain: Told, others: Mapping[int, Event]) -> Encoded:
    """Return the events of plain lines and of others, in their order, that the log can hold."""
    encoded, pieces, done, count = memoryview(plain.encoded), list[memoryview](), 0, len(plain)
    for at, event in others.items():
        told = records.storable([event])
        end = int(plain.ends[at])
        pieces += [encoded[done:end], memoryview(told.encoded)[len(head(1)) :]]
        done, count = end, count + len(told.events)
    return Encoded(b"".join([head(count), *pieces, encoded[done:]]), count)


def warn_of(left_out: Sequence[tuple[int, str]], name: str) -> None:
    """Log how many lines of `name` were left out, and the first of them with their reasons."""
    if left_out:
        first = [f"{number} ({reason})" for number, reason in left_out[:_SAMPLES]]
        shown = ", ".join(first) + (", …" if len(left_out) > _SAMPLES else "")
        log.warning("%s: left out %d lines: %s", name, len(left_out), shown)


# --- places ------------------------------------------------------------------------------------


class _Place(msgspec.Struct, frozen=True):
    """What a cursor says: how much was read of a file that begins so."""

    end_bytes: int = 0
    number: int = 0
    head: str = ""

    @staticmethod
    def of(cursor: str, name: str) -> "_Place":
        try:
            return msgspec.json.decode(cursor, type=_Place) if cursor else _Place()
        except msgspec.DecodeError as error:
            raise SourceRefused(f"{name}: not a cursor of a file: {cursor[:60]!r}") from error


@dataclass(frozen=True, slots=True)
class _OpenFile:
    raw: io.BufferedIOBase
    lines: Lines


def _cursor(end_bytes: int, number: int, lines: Lines) -> str:
    place = _Place(end_bytes, number, lines.fingerprint(end_bytes))
    return msgspec.json.encode(place).decode()


def capture_name(path: Path) -> str:
    """Return folder and name of `path` without its endings: `telegram-ru-news/posts`."""
    return f"{path.resolve().parent.name}/{path.name.split('.')[0]}"


def _open_at(path: Path, place: _Place) -> _OpenFile:
    """Open `path` at `place`, or at its start when it is not the file that `place` was in."""
    raw = open_lines(path)
    try:
        head = raw.read(min(HEAD_BYTES, place.end_bytes))
        if fingerprint(head) != place.head and place.end_bytes:
            log.warning("%s is not the file that the cursor was made for: from its start", path)
        elif _skip(raw, place.end_bytes - len(head)):
            lines = Lines(place.number, place.end_bytes, head, read_bytes=place.end_bytes)
            return _OpenFile(raw, lines)
    except BROKEN as error:
        raise SourceRefused(f"cannot read {path}: {error}") from error
    raw.close()
    return _OpenFile(open_lines(path), Lines())


def _skip(raw: io.BufferedIOBase, size_bytes: int) -> bool:
    """Read over `size_bytes`; return whether the file has as many."""
    while size_bytes > 0:
        skipped = len(raw.read(min(size_bytes, CHUNK_BYTES)))
        if not skipped:
            return False
        size_bytes -= skipped
    return True


def _was_moved(path: Path, file: _OpenFile) -> bool:
    """Return whether another file has the name of `file` by now."""
    try:
        found = path.stat()
    except OSError:  # between the two steps of a rotation
        return False
    ours = os.fstat(file.raw.fileno())
    return (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino)


def _was_rewritten(file: _OpenFile) -> bool:
    """Return whether `file` became shorter than what we read of it, or begins otherwise."""
    descriptor = file.raw.fileno()
    if os.fstat(descriptor).st_size < file.lines.read_bytes:
        return True
    return os.pread(descriptor, len(file.lines.head), 0) != file.lines.head
