"""The log: every event that we were told, in order, on disk before anything else.

It is the only source of truth. A record holds the events of a batch *and* the cursor to resume its
source from, under one checksum: so a kill at any byte leaves either both or neither, and the source
repeats exactly what was lost. Each segment begins with the cursors of all sources as they stood, so
opening a log reads its last segment only.
"""

import errno
import logging
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import zstandard

from fairwitness.posts import records, segment
from fairwitness.posts.records import Batch, Snapshot, SourceState
from fairwitness.posts.segment import LogCorrupt, LogError, LogFull, LogRefused

__all__ = ["Batch", "Log", "LogCorrupt", "LogError", "LogFull", "LogRefused", "read"]

SEGMENT_BYTES = 64 << 20

_log = logging.getLogger(__name__)


class Log:
    """An append-only folder of segments with one writer and any number of readers."""

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open the log in `folder`, made when missing; a torn end is cut off.

        Raises LogCorrupt when damage is not at the very end.
        """
        self.sources: dict[str, SourceState] = {}
        self.clock_ms = 0
        self.virtual = False
        self.torn_bytes = 0
        """How much a kill had left half-written, cut off when the log was opened."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._failed = ""
        self._descriptor = -1
        self._compress = zstandard.ZstdCompressor(level=1).compress
        folder.mkdir(parents=True, exist_ok=True)
        known = segment.bases(folder)
        while known and not self._open_last(known[-1]):
            known.pop()
        if not known:
            self._start_segment(0)

    @property
    def position(self) -> int:
        """The position after the last record."""
        return self._base + self._size

    def append(self, batch: Batch, encoded_events: bytes | None = None) -> int:
        """Write `batch` and return the position after it; durable only after `sync`.

        `encoded_events` are the bytes of its events, where `records.storable` has made them. Raises
        LogFull when the disk is full and LogRefused when the batch cannot be written, with the log
        as it was. What is foreign in it must be storable.
        """
        if self._failed:
            raise LogError(self._failed)
        payload = self._packed(batch, encoded_events)
        if self._size >= self._segment_bytes:
            self.sync()
            full = self._descriptor
            self._start_segment(self.position)
            os.close(full)
        self._write(payload)
        self._note(batch)
        return self.position

    def sync(self) -> None:
        """Make all that was appended survive a power cut.

        After a failed sync the kernel may have dropped the bytes, so the log takes no more.
        """
        if self._failed:
            raise LogError(self._failed)
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failed = f"cannot sync log {self._path}: {error.strerror}"
            raise LogError(self._failed) from error

    @staticmethod
    def peek(folder: Path) -> "Snapshot":
        """Return how the sources stand in the log in `folder`, without touching it."""
        sources: dict[str, SourceState] = {}
        clock_ms, virtual = 0, False
        for base in reversed(segment.bases(folder)):
            for record in _records(folder, base):
                if isinstance(record, Snapshot):
                    sources = dict(record.sources)
                    clock_ms, virtual = record.clock_ms, record.virtual
                else:
                    sources[record.source] = records.after(sources.get(record.source), record)
                    clock_ms, virtual = max(clock_ms, record.clock_ms), record.virtual
            if clock_ms or sources:
                break
        return Snapshot(sources, clock_ms, virtual)

    def close(self) -> None:
        """Sync and close; a closed log stays closed."""
        if self._descriptor < 0:
            return
        try:
            self.sync()
        finally:
            os.close(self._descriptor)
            self._descriptor, self._failed = -1, f"log {self._folder} is closed"

    def read(self, start: int = 0) -> Iterator[tuple[int, Batch]]:
        """See `read`."""
        return read(self._folder, start)

    def drop_before(self, moment_ms: int, position: int) -> int:
        """Remove the oldest segments that end by `position` and before a moment; return how many.

        Only whole segments go, oldest first and never the last, so what is left can be read from
        its beginning on. How the sources stand is not lost: each segment begins with it.
        """
        known = segment.bases(self._folder)
        dropped = 0
        for base, following in pairwise(known):
            first = next(_records(self._folder, following), None)
            began_ms = first.clock_ms if isinstance(first, Snapshot) else moment_ms
            if following > position or began_ms >= moment_ms:
                break
            segment.path_of(self._folder, base).unlink()
            dropped += 1
        if dropped:
            segment.sync_folder(self._folder)
        return dropped

    def _open_last(self, base: int) -> bool:
        """Go on with the segment at `base`; False when a kill left it without its first record."""
        path = segment.path_of(self._folder, base)
        end = 0
        for stored in segment.read(path, base, base):
            record = _unpack(stored.payload, path)
            if isinstance(record, Snapshot):
                self.sources = dict(record.sources)
                self.clock_ms, self.virtual = record.clock_ms, record.virtual
            else:
                self._note(record)
            end = stored.end
        self.torn_bytes += segment.check_tail(path, base, max(end, base))
        if not end:
            # Never acknowledged, so not missed; set aside all the same, for we delete no evidence.
            path.rename(path.with_suffix(".torn"))
            _log.warning("set aside %s, which a kill left without its first record", path)
            return False
        self._descriptor = os.open(path, os.O_RDWR)
        self._base, self._path, self._size = base, path, end - base
        if self.torn_bytes:
            _log.warning("cut off %d torn bytes at the end of %s", self.torn_bytes, path)
        os.ftruncate(self._descriptor, self._size)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self.sync()
        return True

    def _start_segment(self, base: int) -> None:
        path = segment.path_of(self._folder, base)
        snapshot = Snapshot(dict(self.sources), self.clock_ms, self.virtual)
        payload = self._compress(records.encode(snapshot))
        framed = segment.frame(payload, base + len(segment.FILE_HEADER))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            segment.write_all(descriptor, segment.FILE_HEADER + framed)
            os.fdatasync(descriptor)
            segment.sync_folder(self._folder)
        except OSError as error:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise _as_log_error(error, path) from error
        self._descriptor, self._base, self._path = descriptor, base, path
        self._size = len(segment.FILE_HEADER) + len(framed)

    def _packed(self, batch: Batch, encoded_events: bytes | None) -> bytes:
        try:
            payload = self._compress(records.packed(batch, encoded_events))
        except records.UNWRITABLE as error:
            raise LogRefused(f"cannot write down what {batch.source!a} said: {error}") from error
        if len(payload) > segment.MAX_PAYLOAD_BYTES:
            raise LogRefused(f"{len(payload)} bytes of {batch.source} are too many for one record")
        return payload

    def _write(self, payload: bytes) -> None:
        framed = segment.frame(payload, self.position)
        try:
            segment.write_all(self._descriptor, framed)
        except OSError as error:
            self._cut_back()
            raise _as_log_error(error, self._path) from error
        self._size += len(framed)

    def _cut_back(self) -> None:
        """Take away what was written of a record; a log that cannot do so takes no more."""
        try:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            self._failed = f"cannot cut a half-written record off {self._path}: {error.strerror}"

    def _note(self, batch: Batch) -> None:
        self.sources[batch.source] = records.after(self.sources.get(batch.source), batch)
        self.clock_ms = max(self.clock_ms, batch.clock_ms)
        self.virtual = batch.virtual


def read(folder: Path, start: int = 0) -> Iterator[tuple[int, Batch]]:
    """Yield (position after it, batch) of every batch of the log in `folder` from `start` on.

    Reads what is there now, also while a writer appends. Raises LogCorrupt when a segment before
    the last one is damaged, or when `start` is not a position of this log: then whoever asks
    followed another log, or this one lost its end.
    """
    known = segment.bases(folder)
    found = start == 0
    for base, following in zip(known, [*known[1:], None], strict=True):
        if following is not None and following <= start:
            continue
        path = segment.path_of(folder, base)
        found = found or start == base
        end = base + len(segment.FILE_HEADER)
        # From the first record, so that a start within a record is noticed.
        for stored in segment.read(path, base, base):
            end = stored.end
            found = found or end == start
            if stored.position < start:
                continue
            if not found:
                break
            record = _unpack(stored.payload, path)
            if isinstance(record, Batch):
                yield stored.end, record
        if not found:
            raise LogCorrupt(f"the log in {folder} has no record at its byte {start}")
        if following is not None and end != following:
            raise LogCorrupt(f"damaged record at byte {end - base} of {path}")
    if not found:
        raise LogCorrupt(f"the log in {folder} has no record at its byte {start}")


def _records(folder: Path, base: int) -> Iterator[Batch | Snapshot]:
    path = segment.path_of(folder, base)
    for stored in segment.read(path, base, base):
        yield _unpack(stored.payload, path)


def _unpack(payload: bytes, path: Path) -> Batch | Snapshot:
    try:
        record: Batch | Snapshot = records.decode(zstandard.decompress(payload))
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise LogCorrupt(f"a record of {path} is whole but unreadable: {error}") from error
    return record


def _as_log_error(error: OSError, path: Path) -> LogError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return LogFull(f"no room left on the disk of {path}")
    return LogError(f"cannot write {path}: {error.strerror}")
