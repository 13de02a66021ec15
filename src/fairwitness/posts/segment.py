"""One file of the log: checksummed records, one after another, never rewritten.

    header   8 bytes  b"FWLOG1\\0\\0"
    record  16 bytes  magic u32, payload length u32, xxh3-64 of the payload seeded by its position
            n bytes   payload

The seed makes a record valid only where it was written, so leftovers of an older file cannot pass
for new data. A kill can only tear the end of the last segment; damage anywhere else is not ours to
repair and stops the program.
"""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

FILE_HEADER = b"FWLOG1\x00\x00"
_RECORD = struct.Struct("<IIQ")
_MAGIC = 0x52574646  # "FFWR" as little-endian bytes
MAX_PAYLOAD_BYTES = 256 << 20

Take = Callable[[int], bytes]
"""Reads the next so many bytes, fewer at the end."""


class LogError(Exception):
    """The log cannot be read or written; the message names the file."""


class LogCorrupt(LogError):
    """Bytes that were once acknowledged are damaged. Nothing is guessed: restore the file."""


class LogFull(LogError):
    """The disk has no room for the record; the log is as it was before."""


class LogRefused(LogError):
    """What was to be written could not have been read back; the log is as it was before."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A payload, and where it stands."""

    payload: bytes
    position: int
    """Of its first byte, counted over all segments."""
    end: int
    """Of the byte after it: where reading goes on."""


def path_of(folder: Path, base: int) -> Path:
    """Return the file of the segment whose first byte has position `base`."""
    return folder / f"{base:020d}.log"


def bases(folder: Path) -> list[int]:
    """Return the first positions of all segments in `folder`, in order."""
    return sorted(int(path.stem) for path in folder.glob("*.log") if path.stem.isdecimal())


def frame(payload: bytes, position: int) -> bytes:
    """Return the bytes of a record that will stand at `position`."""
    checksum = xxhash.xxh3_64_intdigest(payload, seed=position)
    return _RECORD.pack(_MAGIC, len(payload), checksum) + payload


def read(path: Path, base: int, start: int) -> Iterator[Stored]:
    """Yield the records of a segment from position `start` up to the first that is not whole."""
    with path.open("rb") as file:
        if not FILE_HEADER.startswith(file.read(len(FILE_HEADER))):
            raise LogCorrupt(f"not a log segment: {path}")
        position = max(start, base + len(FILE_HEADER))
        file.seek(position - base)
        while (payload := _read_payload(file.read, position)) is not None:
            end = position + _RECORD.size + len(payload)
            yield Stored(payload, position, end)
            position = end


def check_tail(path: Path, base: int, end: int) -> int:
    """Return how many bytes after position `end` are a torn record.

    Raises LogCorrupt when a whole record follows the damage: then this is no torn end.
    """
    with path.open("rb") as file:
        file.seek(end - base)
        rest = file.read()
    at = rest.find(_RECORD.pack(_MAGIC, 0, 0)[:4], 1)
    while at >= 0:
        chunk = memoryview(rest)[at:]
        if _whole(chunk, end + at):
            raise LogCorrupt(
                f"damaged record at byte {end - base} of {path}, with whole records after it"
            )
        at = rest.find(_RECORD.pack(_MAGIC, 0, 0)[:4], at + 1)
    return len(rest)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of `data`; a short write is written on, an error is raised as it is."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as durable as the files behind them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole(chunk: memoryview, position: int) -> bool:
    taken = 0

    def take(count: int) -> bytes:
        nonlocal taken
        piece = bytes(chunk[taken : taken + count])
        taken += count
        return piece

    return _read_payload(take, position) is not None


def _read_payload(take: Take, position: int) -> bytes | None:
    head = take(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    magic, length, checksum = _RECORD.unpack(head)
    if magic != _MAGIC or length > MAX_PAYLOAD_BYTES:
        return None
    payload = take(length)
    if len(payload) < length or xxhash.xxh3_64_intdigest(payload, seed=position) != checksum:
        return None
    return payload
