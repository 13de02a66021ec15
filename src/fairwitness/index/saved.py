"""What is kept in memory and saved now and then: arrays in one file, which is whole or void.

    magic, length of the head, head, arrays one after another, xxh3-64 of all before

It is not synced: a kill leaves what the kernel has, and after a power cut the checksum says that
it is void. The posts that came since are seen again, so nothing is missed where it is old.
"""

from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import xxhash
import zstandard
from numpy.typing import NDArray

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing

_MAGIC = b"fwsaved1"
_LEVEL = 1
_LENGTH_BYTES, _DIGEST_BYTES = 4, 8

Arrays = dict[str, NDArray[Any]]


class Kept(Protocol):
    """What can be saved, and go on where another was."""

    @property
    def layout(self) -> tuple[int, ...]:
        """What the numbers in its arrays mean."""

    def arrays(self) -> Arrays:
        """Return all that it knows; they are in use."""

    def restore(self, told: Arrays) -> None:
        """Go on where `told` were taken; raises KeyError or ValueError where they do not fit."""


class _Array(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    """Compressed."""


class _Head(msgspec.Struct, frozen=True):
    layout: tuple[int, ...]
    next_ordinal: int
    arrays: tuple[_Array, ...]


def save(path: Path, layout: tuple[int, ...], arrays: Arrays, next_ordinal: int) -> None:
    """Write what is known after all posts before `next_ordinal`; raises IndexDiskFull.

    `layout` tells what the numbers mean: what is saved under another one is void.
    """
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    packed = [compress(np.ascontiguousarray(array).data) for array in arrays.values()]
    described = tuple(
        _Array(name, array.dtype.str, array.shape, len(data))
        for (name, array), data in zip(arrays.items(), packed, strict=True)
    )
    head = msgspec.msgpack.encode(_Head(layout, next_ordinal, described))
    told = xxhash.xxh3_64()
    with replacing(path, sync=False) as file:
        for data in (_MAGIC, len(head).to_bytes(_LENGTH_BYTES, "little"), head, *packed):
            told.update(data)
            file.write(data)
        file.write(told.digest())


def load(path: Path, fresh: Kept) -> int:
    """Let `fresh` go on where another was saved; return the first ordinal not yet seen.

    Raises IndexCorrupt when the file is not what was written, or is of something else or of other
    bounds; then `fresh` is no more to be used.
    """
    data = memoryview(path.read_bytes())
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if bytes(body[: len(_MAGIC)]) != _MAGIC or xxhash.xxh3_64_digest(body) != bytes(digest):
        raise IndexCorrupt(path, "its checksum does not match")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(body[len(_MAGIC) : begin], "little")
    decompress = zstandard.ZstdDecompressor().decompress
    try:
        head = msgspec.msgpack.decode(body[begin:end], type=_Head)
        if head.layout != fresh.layout:
            raise IndexCorrupt(path, f"its layout is {head.layout}, not {fresh.layout}")
        ends = accumulate((each.size_bytes for each in head.arrays), initial=end)
        fresh.restore(
            {
                each.name: np.frombuffer(
                    decompress(body[at : at + each.size_bytes]), each.dtype
                ).reshape(each.shape)
                for each, at in zip(head.arrays, ends, strict=False)
            }
        )
    except (msgspec.MsgspecError, zstandard.ZstdError, KeyError, ValueError) as error:
        raise IndexCorrupt(path, f"it does not fit: {error}") from error
    return head.next_ordinal
