"""What each key was worth before: running means of 0 to 255 in a table of fixed size.

A key that was never heard of is worth 255, and each worth moves its mean by one part of `window`:
one bad post is no reputation. A key that is forgotten (`ways.py`) is as good as new.
"""

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native, ways

_ONE = 1 << 16
_UNHEARD = 255 * _ONE


def empty_means(keys_max: int) -> NDArray[np.int64]:
    """Return a table for `keys_max` keys, a power of two, 16 bytes each: key and mean; shape
    (buckets, 4, 2)."""
    return ways.empty(keys_max, 1)


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
        mean = ways.met(means, key, [_UNHEARD])
        found[at] = mean[0] // _ONE
        mean[0] = (mean[0] * (window - 1) + each * _ONE) // window
