"""How fast each key comes: leaky buckets in a table of fixed size.

Each post of a key pours a minute's share into its bucket, and time drains it, so the level says how
many posts came more than the rate allows; below the rate it stays at about one. A key has only its
own time: clocks that jump or disagree cannot close the window of another. A key that is forgotten
(`ways.py`) is calm again, so nobody is ever accused for another.
"""

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native, ways

MINUTE_MS = 60_000
_LEVEL_MAX_MINUTES = 10
"""A bucket holds no more, so the loudest are heard as calm again after so long a silence."""


def empty_rates(keys_max: int) -> NDArray[np.int64]:
    """Return a table for `keys_max` keys, a power of two, 24 bytes each: key, when last, level;
    shape (buckets, 4, 3)."""
    return ways.empty(keys_max, 2)


def count(
    rates: NDArray[np.int64],
    keys: NDArray[np.uint64],
    seen_ms: NDArray[np.int64],
    allowed_per_minute: int,
) -> NDArray[np.uint16]:
    """Return how many posts over the allowed rate each key is, in the order of coming; shape
    (posts,). A key of 0 is none. More than `allowed_per_minute` is more than a minute's worth."""
    cost_ms = MINUTE_MS // allowed_per_minute
    level_max_ms = _LEVEL_MAX_MINUTES * MINUTE_MS
    keys, seen_ms = np.ascontiguousarray(keys), np.ascontiguousarray(seen_ms)
    posts = np.zeros(len(keys), np.uint16)
    library = native.library()
    if library is None:
        _count_plainly(rates, keys, seen_ms, cost_ms, level_max_ms, posts)
        return posts
    library.fw_rates(
        native.at(rates),
        native.count(len(rates)),
        native.at(keys),
        native.at(seen_ms),
        native.count(len(keys)),
        native.count(cost_ms),
        native.count(level_max_ms),
        native.at(posts),
    )
    return posts


def _count_plainly(
    rates: NDArray[np.int64],
    keys: NDArray[np.uint64],
    seen_ms: NDArray[np.int64],
    cost_ms: int,
    level_max_ms: int,
    posts: NDArray[np.uint16],
) -> None:
    signed = keys.view(np.int64).tolist()
    for at, (key, now_ms) in enumerate(zip(signed, seen_ms.tolist(), strict=True)):
        if key == 0:
            continue
        bucket = ways.met(rates, key, [now_ms, 0])
        last_ms, level_ms = bucket.tolist()
        level_ms = max(level_ms - max(now_ms - last_ms, 0), 0) + cost_ms
        level_ms = min(level_ms, level_max_ms)
        bucket[:] = now_ms, level_ms
        posts[at] = level_ms // cost_ms
