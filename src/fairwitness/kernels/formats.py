"""What the blocks of a GGUF file say, as tiles take it: whole numbers, and what they are worth.

Formats: the structs of ggml/src/ggml-common.h, and their meaning in ggml/src/ggml-quants.c, of
github.com/ggml-org/llama.cpp.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

COLUMNS = 32  # of a tile
Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K = 2, 3, 8, 12, 13, 14  # as `enum ggml_type` numbers them


@dataclass(frozen=True)
class Format:
    """`halves` are scales of a block in half precision, `smalls` what each of its tiles multiplies
    them by; `bytes` says that a tile has a byte a number, else half of one."""

    size_bytes: int
    tiles: int
    halves: int
    smalls: int
    bytes: bool


FORMATS = {
    Q4_0: Format(18, 1, 1, 0, False),
    Q4_1: Format(20, 1, 2, 0, False),
    Q8_0: Format(34, 1, 1, 0, True),
    Q4_K: Format(144, 8, 2, 2, False),
    Q5_K: Format(176, 8, 2, 2, True),
    Q6_K: Format(210, 8, 1, 2, True),
}


@dataclass(frozen=True)
class Told:
    """Blocks in any order n: whole numbers (n, tiles, 32), those of Q8_0 with 128 more; halves
    (n, halves, 2 bytes); smalls (n, tiles, smalls), those of Q6_K with a sign."""

    numbers: Bytes
    halves: Bytes
    smalls: Bytes


def read(kind: int, told_nb: Bytes) -> Told:
    """Take blocks apart, each a row of bytes."""
    if kind in (Q4_0, Q4_1, Q8_0):
        return _small(kind, told_nb)
    if kind == Q6_K:
        return _sixteen_columns(told_nb)
    return _eight_tiles(kind, told_nb)


def _small(kind: int, told_nb: Bytes) -> Told:
    halves, count = FORMATS[kind].halves, len(told_nb)
    packed = told_nb[:, 2 * halves :]
    numbers = packed ^ np.uint8(128) if kind == Q8_0 else _nibbles(packed)
    return Told(
        numbers.reshape(count, 1, COLUMNS),
        told_nb[:, : 2 * halves].reshape(count, halves, 2),
        np.empty((count, 1, 0), np.uint8),
    )


def _eight_tiles(kind: int, told_nb: Bytes) -> Told:
    """Q4_K, and Q5_K with a plane of fifth bits."""
    count = len(told_nb)
    packed = told_nb[:, 48 if kind == Q5_K else 16 :].reshape(count, 4, COLUMNS)
    numbers = _nibbles(packed).reshape(count, 8, COLUMNS)
    if kind == Q5_K:
        shift_t1 = np.arange(8, dtype=np.uint8)[:, None]
        numbers |= (told_nb[:, None, 16:48] >> shift_t1 & 1) << 4
    first, second, last = told_nb[:, 4:16].reshape(count, 3, 4).transpose(1, 0, 2)
    scales = np.concatenate([first & 63, (last & 15) | (first >> 6 << 4)], axis=1)
    mins = np.concatenate([second & 63, (last >> 4) | (second >> 6 << 4)], axis=1)
    return Told(numbers, told_nb[:, :4].reshape(count, 2, 2), np.stack([scales, mins], axis=2))


def _sixteen_columns(told_nb: Bytes) -> Told:
    """Q6_K: four bits in 64 bytes for each half of the block, two more in 32."""
    count = len(told_nb)
    low = _nibbles(told_nb[:, :128].reshape(count, 2, 64)).reshape(count, 2, 4, COLUMNS)
    shift_t1 = np.array([[0], [2], [4], [6]], np.uint8)
    high: Bytes = told_nb[:, 128:192].reshape(count, 2, 1, COLUMNS) >> shift_t1 & np.uint8(3)
    numbers = (low | high << np.uint8(4)).reshape(count, 8, COLUMNS)
    smalls = told_nb[:, 192:208].reshape(count, 8, 2)
    return Told(numbers, told_nb[:, 208:].reshape(count, 1, 2), smalls)


def _nibbles(packed: Bytes) -> Bytes:
    return np.concatenate([packed & 15, packed >> 4], axis=-1)
