"""What each key was worth before: running means of 0 to 255 in a table of fixed size.

A key that was never heard of is worth 255, and each worth moves its mean by one part of `window`:
one bad post is no reputation. When a row of the table is full, the key that was silent longest is
forgotten, and is as good as new.
"""

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native

_WAYS = 4
_ONE = 1 << 16
_UNHEARD = 255 * _ONE
_MULTIPLY = 0x9E3779B97F4A7C15


def empty_means(keys_max: int) -> NDArray[np.int64]:
    """Return a table for `keys_max` keys, a power of two, 16 bytes each: key and mean; shape
    (buckets, 4, 2)."""
    assert keys_max >= _WAYS
    assert keys_max & (keys_max - 1) == 0
    return np.zeros((keys_max // _WAYS, _WAYS, 2), np.int64)


def before(
    means: NDArray[np.int64], keys: NDArray[np.uint64], worth: NDArray[np.uint8], window: int
) -> NDArray[np.uint8]:
    """Return the mean of each key before its `worth` is added to it, in the order of coming; shape
    (posts,). No key is 0."""
    keys, worth = np.ascontiguousarray(keys), np.ascontiguousarray(worth)
    found = np.zeros(len(keys), np.uint8)
    library = native.library()
    if library is None:
        _before_plainly(means, keys, worth, window, found)
        return found
    library.fw_means(
        native.at(means),
        native.count(len(means)),
        native.at(keys),
        native.at(worth),
        native.count(len(keys)),
        native.count(window),
        native.at(found),
    )
    return found


def _before_plainly(
    means: NDArray[np.int64],
    keys: NDArray[np.uint64],
    worth: NDArray[np.uint8],
    window: int,
    found: NDArray[np.uint8],
) -> None:
    signed = keys.view(np.int64).tolist()
    for at, (key, each) in enumerate(zip(signed, worth.tolist(), strict=True)):
        bucket = means[((key * _MULTIPLY) >> 32) & (len(means) - 1)]
        held = bucket[:, 0].tolist()
        way = held.index(key) if key in held else _WAYS - 1
        mean = int(bucket[way, 1]) if held[way] == key else _UNHEARD
        found[at] = mean // _ONE
        bucket[1 : way + 1] = bucket[:way].copy()
        bucket[0] = key, (mean * (window - 1) + each * _ONE) // window
