"""Trends from one opening to the next: all their state in one file, which is whole or void.

    magic, length of the head, head, arrays one after another, xxh3-64 of all before

It is not synced: a kill leaves what the kernel has, and after a power cut the checksum says that
it is void. The posts that came since are seen again, so nothing is missed where it is old.
"""

from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
import xxhash
import zstandard

from fairwitness.index.errors import IndexCorrupt, room_on_disk
from fairwitness.index.trends.sketch import TICK_MS, WINDOWS
from fairwitness.index.trends.trends import Trends

_MAGIC = b"fwtrends"
_LAYOUT = (1, TICK_MS, *WINDOWS)
"""What counts mean; those of another layout are void."""
_LEVEL = 1
_LENGTH_BYTES, _DIGEST_BYTES = 4, 8


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


def save(path: Path, trends: Trends, next_ordinal: int) -> None:
    """Write what `trends` know after all posts before `next_ordinal`; raises IndexDiskFull."""
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    arrays = trends.arrays()
    packed = [compress(np.ascontiguousarray(array).data) for array in arrays.values()]
    described = tuple(
        _Array(name, array.dtype.str, array.shape, len(data))
        for (name, array), data in zip(arrays.items(), packed, strict=True)
    )
    head = msgspec.msgpack.encode(_Head(_LAYOUT, next_ordinal, described))
    told = xxhash.xxh3_64()
    beside = path.with_suffix(".new")
    with room_on_disk(path):
        with beside.open("wb") as file:
            for data in (_MAGIC, len(head).to_bytes(_LENGTH_BYTES, "little"), head, *packed):
                told.update(data)
                file.write(data)
            file.write(told.digest())
        beside.replace(path)


def load(path: Path, trends: Trends) -> int:
    """Let fresh `trends` go on where others were saved; return the first ordinal not yet seen.

    Raises IndexCorrupt when the file is not what was written, or is of trends with other bounds;
    then `trends` are no more to be used.
    """
    data = memoryview(path.read_bytes())
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if bytes(body[: len(_MAGIC)]) != _MAGIC or xxhash.xxh3_64_digest(body) != bytes(digest):
        raise IndexCorrupt(path, "its checksum does not match")
    begin = len(_MAGIC) + _LENGTH_BYTES
    end = begin + int.from_bytes(body[len(_MAGIC) : begin], "little")
    try:
        head = msgspec.msgpack.decode(body[begin:end], type=_Head)
        if head.layout != _LAYOUT:
            raise IndexCorrupt(path, f"its layout is {head.layout}, not {_LAYOUT}")
        ends = accumulate((each.size_bytes for each in head.arrays), initial=end)
        decompress = zstandard.ZstdDecompressor().decompress
        trends.restore(
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
