"""Lines of a file that may be packed, huge, cut off or not text at all.

Memory is bounded by `MAX_LINE_BYTES` whatever the file holds, and every line knows where it ends,
so that reading can go on after any of them.
"""

import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from itertools import accumulate, count, islice
from pathlib import Path
from typing import cast

import msgspec
import xxhash
import zstandard

from fairwitness.posts.source import SourceRefused
from fairwitness.posts.sources.captures_apis import Row

MAX_LINE_BYTES = 8 << 20
"""A longer line is left out without being held in memory."""

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1024

BROKEN = (EOFError, OSError, zlib.error, zstandard.ZstdError)
"""What reading a file raises; `gzip.BadGzipFile` is an OSError."""

_BOM = b"\xef\xbb\xbf"

_decode = msgspec.json.Decoder().decode


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a file."""

    number: int
    """From 1."""
    end_bytes: int
    """Where the next line begins, in uncompressed bytes."""
    data: bytes | None
    """Without its line break; None when it is longer than `MAX_LINE_BYTES`."""


def _bounded(piece: bytes) -> bytes | None:
    return piece if len(piece) <= MAX_LINE_BYTES else None


@dataclass
class Lines:
    """Cuts a stream of chunks into lines, and knows where each ends."""

    number: int = 0
    end_bytes: int = 0
    head: bytes = b""
    """The first bytes of the file, up to `HEAD_BYTES`."""
    read_bytes: int = 0
    _rest: list[bytes] = field(default_factory=list)
    _rest_bytes: int = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that `chunk` completes."""
        self.read_bytes += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
        first, *pieces = chunk.split(b"\n")
        if not pieces:
            self._keep(first)
            return []
        rest = pieces.pop()
        lines = [self._first_line(first, 1)]
        sizes_bytes = map((1).__add__, map(len, pieces))
        ends = islice(accumulate(sizes_bytes, initial=self.end_bytes), 1, None)
        lines += map(Line, count(self.number + 1), ends, map(_bounded, pieces))
        self.number, self.end_bytes = lines[-1].number, lines[-1].end_bytes
        self._keep(rest)
        return lines

    def finish(self) -> list[Line]:
        """Return the last line when no line break ends it."""
        return [self._first_line(b"", 0)] if self._rest_bytes else []

    def fingerprint(self, end_bytes: int) -> str:
        """Return what tells this file, read up to `end_bytes`, from one that begins otherwise."""
        return fingerprint(self.head[:end_bytes])

    def _first_line(self, piece: bytes, break_bytes: int) -> Line:
        size_bytes = self._rest_bytes + len(piece)
        if self._rest:
            piece = b"".join([*self._rest, piece])
        self._rest, self._rest_bytes = [], 0
        self.number += 1
        self.end_bytes += size_bytes + break_bytes
        return Line(self.number, self.end_bytes, piece if size_bytes <= MAX_LINE_BYTES else None)

    def _keep(self, rest: bytes) -> None:
        self._rest_bytes += len(rest)
        if self._rest_bytes <= MAX_LINE_BYTES:
            self._rest.append(rest)
        else:
            self._rest = []


def open_lines(path: Path) -> io.BufferedIOBase:
    """Open `path`, unpacking it as its ending says; raises SourceRefused naming it."""
    try:
        if path.suffix == ".gz":
            return cast(io.BufferedIOBase, gzip.open(path))
        raw = path.open("rb")
    except OSError as error:
        raise SourceRefused(f"cannot read {path}: {error.strerror}") from error
    if path.suffix != ".zst":
        return raw
    unpacked = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return cast(io.BufferedIOBase, unpacked)


def read_chunk(raw: io.BufferedIOBase) -> bytes:
    """Return the next bytes, few only where the file ends or breaks off; empty at its end.

    Reads in small steps, because a single large read of a truncated archive raises EOFError and
    loses all that came before the break.
    """
    pieces: list[bytes] = []
    size_bytes = 0
    while size_bytes < CHUNK_BYTES:
        try:
            piece = raw.read1(CHUNK_BYTES - size_bytes)
        except BROKEN:
            if pieces:  # the next call meets the same break
                break
            raise
        if not piece:
            break
        pieces.append(piece)
        size_bytes += len(piece)
    return b"".join(pieces)


def fingerprint(head: bytes) -> str:
    """Return what tells files apart that begin differently."""
    return xxhash.xxh3_64_hexdigest(head)


def row_of(line: Line) -> Row | None:
    """Return the object that `line` holds, None when it is blank; raises ValueError naming why."""
    if line.data is None:
        raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")
    data = (line.data.removeprefix(_BOM) if line.number == 1 else line.data).strip()
    if not data:
        return None
    try:
        row = _decode(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except ValueError:  # which msgspec.DecodeError is
        row = _decode_leniently(data)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def _decode_leniently(data: bytes) -> object:
    """Read JSON with halves of surrogate pairs in it: `json.dumps` of a text cut inside an emoji.

    Only the standard library reads them; each half becomes a question mark.
    """
    try:
        return _decode(json.dumps(json.loads(data), ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
