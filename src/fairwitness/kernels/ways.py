"""Tables of fixed size in which a key is found in four places; the key met last stands first.

A new key takes the place of the one that was silent longest in its bucket, so nothing is kept of
more keys than there is room for, and nobody is ever taken for another.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WAYS = 4
_MULTIPLY = 0x9E3779B97F4A7C15


def empty(keys_max: int, numbers: int) -> NDArray[np.int64]:
    """Return a table for `keys_max` keys, a power of two, each with some `numbers` of its own;
    shape (buckets, 4, 1 + numbers)."""
    assert keys_max >= _WAYS
    assert keys_max & (keys_max - 1) == 0
    return np.zeros((keys_max // _WAYS, _WAYS, 1 + numbers), np.int64)


def met(table: NDArray[np.int64], key: int, unheard: Sequence[int]) -> NDArray[np.int64]:
    """Move a key to the front of its bucket and return its numbers, `unheard` when it is new."""
    bucket = table[((key * _MULTIPLY) >> 32) & (len(table) - 1)]
    held = bucket[:, 0].tolist()
    way = held.index(key) if key in held else _WAYS - 1
    numbers = bucket[way, 1:].tolist() if held[way] == key else unheard
    bucket[1 : way + 1] = bucket[:way].copy()
    bucket[0] = key, *numbers
    slot: NDArray[np.int64] = bucket[0, 1:]
    return slot
