"""Checksums of a file of which parts are destroyed: one for each stretch of it.

What is destroyed was written, so a checksum of the whole would be wrong from then on. Here the sums
are told anew before anything is destroyed, with the places that will be; whoever opens the file
after a kill destroys them again, and then all is as the sums say, or the file is damaged.

The file is read, not mapped: what is only checked takes no memory.
"""

import os
from pathlib import Path

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt, IndexDiskFull
from fairwitness.index.whole import replacing

_STRETCH_BYTES = 1 << 18
_DIGEST_BYTES = 8

Places = NDArray[np.int64]
"""Where in the file something is destroyed, in bytes from its beginning."""


class _Told(msgspec.Struct, frozen=True):
    size_bytes: int
    sums: tuple[int, ...]
    """Of each stretch, xxh3-64."""
    places: tuple[int, ...]
    """Where something was destroyed last."""
    each_bytes: int
    """How much, at each place."""


def told_in(path: Path) -> Path:
    """Return where the sums of a file are."""
    return path.with_name(path.name + ".sums")


class Sums:
    """The sums of one file; one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Hold the file to its sums, or take it for whole when it has none; raise IndexCorrupt."""
        self._path = path
        told = self._read()
        if told is not None:
            self._destroy(told)
        size_bytes = path.stat().st_size
        self._sums = [
            xxhash.xxh3_64_intdigest(self._stretch(at))
            for at in range(-(-size_bytes // _STRETCH_BYTES))
        ]
        if told is None:
            self._tell((), 0)
        elif (size_bytes, tuple(self._sums)) != (told.size_bytes, told.sums):
            raise IndexCorrupt(path, "not what was written")

    def destroying(self, places: Places, each_bytes: int) -> None:
        """Tell the sums as they will be once `each_bytes` at each of `places` are zeros.

        Without room on the disk there are none until the file is opened again.
        """
        first, last = places // _STRETCH_BYTES, (places + each_bytes - 1) // _STRETCH_BYTES
        for at in np.union1d(first, last).tolist():
            stretch = self._stretch(at)
            for place in places[(first <= at) & (at <= last)].tolist():
                start = max(place - at * _STRETCH_BYTES, 0)
                end = min(place + each_bytes - at * _STRETCH_BYTES, len(stretch))
                stretch[start:end] = bytes(end - start)
            self._sums[at] = xxhash.xxh3_64_intdigest(stretch)
        self._tell(tuple(places.tolist()), each_bytes)

    def _read(self) -> _Told | None:
        path = told_in(self._path)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
        if xxhash.xxh3_64_digest(body) != digest:
            raise IndexCorrupt(path, "its checksum does not match")
        return msgspec.msgpack.decode(body, type=_Told)

    def _tell(self, places: tuple[int, ...], each_bytes: int) -> None:
        size_bytes = self._path.stat().st_size
        body = msgspec.msgpack.encode(_Told(size_bytes, tuple(self._sums), places, each_bytes))
        path = told_in(self._path)
        try:
            with replacing(path) as file:
                file.write(body + xxhash.xxh3_64_digest(body))
        except IndexDiskFull:
            path.unlink(missing_ok=True)  # they would be wrong

    def _stretch(self, at: int) -> bytearray:
        with self._path.open("rb", buffering=0) as file:
            return bytearray(os.pread(file.fileno(), _STRETCH_BYTES, at * _STRETCH_BYTES))

    def _destroy(self, told: _Told) -> None:
        with self._path.open("r+b", buffering=0) as file:
            for place in told.places:
                os.pwrite(file.fileno(), bytes(told.each_bytes), place)
            os.fdatasync(file.fileno())
