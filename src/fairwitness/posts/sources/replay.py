"""A capture lived through again: each row is seen at the moment it was made, on a virtual clock.

The whole file is held in memory as lines (300,000 rows of 200 bytes are some 100 MB) because
captures are only mostly in order, and a replay must be wholly so. The sort is stable: rows of one
moment keep the order of the file.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.source import SourceBatch, SourceRefused
from fairwitness.posts.sources import captures
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import BATCH_LINES, capture_name, read_lines, warn_of
from fairwitness.posts.sources.lines import (
    BROKEN,
    Line,
    Lines,
    open_lines,
    read_chunk,
    row_of,
)

EARLIEST_MS, LATEST_MS = 788_918_400_000, 4_102_444_800_000
"""1995 to 2100: a time outside is a mistake of the file, and would move the clock of the home."""

LONGEST_PAUSE_S = 600.0
"""A longer silence, in seconds of ours, is cut to this: one stray row must not stop a replay."""

_TICK_S = 0.25


class Replay:
    """The posts of a file in order of time, `clock` moving with them.

    `speed` is how many seconds of the capture pass in one of ours; None is as fast as can be. A row
    that says no time, or none between 1995 and 2100, is seen with the row before it in the file.
    The cursor is the number of rows played, so an interrupted replay goes on where it was.
    """

    def __init__(
        self,
        path: Path,
        clock: VirtualClock,
        speed: float | None = None,
        name: str | None = None,
        network: str = "",
        batch: int = BATCH_LINES,
    ) -> None:
        if speed is not None and not speed > 0:
            raise ValueError(f"speed must be above 0: {speed}")
        self.path = path
        self.name = name or capture_name(path)
        self._clock = clock
        self._speed = speed
        self._capture = Capture(self.name, network)
        self._batch = batch

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield the rows after `cursor`, each when it is due; ends with the file.

        Raises SourceRefused when the file cannot be read, or is not the one of the cursor.
        """
        tape = await asyncio.to_thread(_load, self.path, self.name, self._clock.now_ms())
        at = _Played.of(cursor, self.name, tape)
        dropped = 0 if at else tape.dropped
        pace = _Pace(self._speed, self._clock)
        while at < len(tape.lines):
            await pace.wait_for(tape.seen_ms[at])
            until = at + 1
            most = min(at + self._batch, len(tape.lines))
            while until < most and pace.is_due(tape.seen_ms[until]):
                until += 1
            events, unread = await asyncio.to_thread(
                read_lines, tape.lines[at:until], self._capture, tape.seen_ms[at:until]
            )
            self._clock.advance_to(tape.seen_ms[until - 1])
            at = until
            yield SourceBatch(events, _Played.cursor(at, tape), dropped=dropped + unread)
            dropped = 0
        if dropped:
            yield SourceBatch((), _Played.cursor(at, tape), dropped=dropped)


class _Pace:
    """Tells when a moment of the capture has come, and moves the clock while waiting for it."""

    def __init__(self, speed: float | None, clock: VirtualClock) -> None:
        self._speed = speed
        self._clock = clock
        self._start_ms = 0
        self._start_s = -1.0

    async def wait_for(self, moment_ms: int) -> None:
        if self._speed is None:
            await asyncio.sleep(0)
            return
        now_s = asyncio.get_running_loop().time
        if self._start_s < 0:
            self._start_ms, self._start_s = moment_ms, now_s()
        pause_s = self._due_s(moment_ms) - now_s()
        if pause_s > LONGEST_PAUSE_S:
            self._start_s -= pause_s - LONGEST_PAUSE_S
        while (pause_s := self._due_s(moment_ms) - now_s()) > 0:
            await asyncio.sleep(min(pause_s, _TICK_S))
            passed_ms = (now_s() - self._start_s) * 1000 * self._speed
            self._clock.advance_to(min(moment_ms, self._start_ms + int(passed_ms)))

    def is_due(self, moment_ms: int) -> bool:
        return self._speed is None or self._due_s(moment_ms) <= asyncio.get_running_loop().time()

    def _due_s(self, moment_ms: int) -> float:
        assert self._speed is not None
        return self._start_s + (moment_ms - self._start_ms) / 1000 / self._speed


@dataclass(frozen=True, slots=True)
class _Tape:
    """The rows of a file in the order in which they are seen."""

    lines: list[Line]
    seen_ms: list[int]
    dropped: int
    head: str


class _Played(msgspec.Struct, frozen=True):
    """What a cursor says: how many rows of which file."""

    rows: int
    head: str

    @staticmethod
    def of(cursor: str, name: str, tape: _Tape) -> int:
        if not cursor:
            return 0
        try:
            played = msgspec.json.decode(cursor, type=_Played)
        except msgspec.DecodeError as error:
            raise SourceRefused(f"{name}: not a cursor of a replay: {cursor[:60]!r}") from error
        if played.head != tape.head or played.rows > len(tape.lines):
            raise SourceRefused(f"{name}: the file changed since the replay was interrupted")
        return played.rows

    @staticmethod
    def cursor(rows: int, tape: _Tape) -> str:
        return msgspec.json.encode(_Played(rows, tape.head)).decode()


def _load(path: Path, name: str, now_ms: int) -> _Tape:
    lines: list[Line] = []
    times: list[int | None] = []
    left_out: list[tuple[int, str]] = []
    reader = Lines()
    for line in _lines_of(path, reader, left_out):
        try:
            row = row_of(line)
            if row is not None:
                times.append(captures.time_of(row))
                lines.append(line)
        except ValueError as error:
            left_out.append((line.number, str(error)[:80]))
    warn_of(left_out, name)
    seen_ms = _each_said(times, now_ms)
    order = sorted(range(len(lines)), key=seen_ms.__getitem__)
    return _Tape(
        [lines[row] for row in order],
        [seen_ms[row] for row in order],
        len(left_out),
        reader.fingerprint(reader.end_bytes),
    )


def _lines_of(path: Path, reader: Lines, left_out: list[tuple[int, str]]) -> Iterator[Line]:
    """Yield all lines of the file, or those before the place where it breaks off."""
    with open_lines(path) as raw:
        try:
            while chunk := read_chunk(raw):
                yield from reader.feed(chunk)
        except BROKEN as error:
            if reader.read_bytes == 0:
                raise SourceRefused(f"cannot read {path}: {error}") from error
            left_out.append((reader.number + 1, f"and all beyond: the file breaks off: {error}"))
            return
        yield from reader.finish()


def _each_said(times: list[int | None], now_ms: int) -> list[int]:
    """Return the times with those that are missing or impossible replaced by the one before."""
    possible = (time for time in times if time is not None and EARLIEST_MS <= time < LATEST_MS)
    last_ms = next(possible, max(now_ms, EARLIEST_MS))
    seen_ms = []
    for time in times:
        if time is not None and EARLIEST_MS <= time < LATEST_MS:
            last_ms = time
        seen_ms.append(last_ms)
    return seen_ms
