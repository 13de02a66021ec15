"""Count what is said, each author and each copied text once, in two rows of slots.

A pair of item and author is a bit; a pair that was met before does not count again. What counts
adds one to its item's slot in each of two rows, over all posts and again within the post's scope,
as in a count-min sketch (Cormode and Muthukrishnan, J. Algorithms 2005). Items that are not yet
common are handed back with their post, for a slot does not know who filled it.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native

Items = NDArray[np.uint64]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Tally:
    """What counted for the first time, and may be remembered."""

    items: Items
    posts: NDArray[np.uint32]
    """The place in the batch of the post of each of `items`, ascending."""
    added: int
    """How many bits of `pairs` were set."""


def mixed(numbers: Items) -> Items:
    """Return numbers whose every bit depends on all of a number's; the same as in the kernel."""
    x: Items = numbers ^ (numbers >> _HALF)
    x *= _MIX
    x ^= x >> _HALF
    x *= _MIX
    return x ^ (x >> _HALF)


def keys_of(items: Items, scopes: NDArray[np.uint16]) -> Items:
    """Return what each item is called in its scope; scope 0 is all posts."""
    spread: Items = scopes.astype(np.uint64) * _SPREAD
    spread += items
    return mixed(spread)


def slots_of(keys: Items, slots: int) -> NDArray[np.int64]:
    """Return where each key is counted, shape (2, keys)."""
    mask = np.uint64(slots - 1)
    return np.stack([keys & mask, (keys >> _HALF) & mask]).astype(np.int64)


def tally(
    items: Items,
    starts: NDArray[np.int64],
    voices: Items,
    copies: Items,
    scopes: NDArray[np.uint16],
    pairs: NDArray[np.uint64],
    counts: NDArray[np.uint32],
    kept_most: int,
) -> Tally:
    """Count the items of some posts into `counts`; `pairs` and `counts` change.

    items: (n,), those of post p from starts[p] to starts[p + 1]; starts: (posts + 1,).
    voices: (posts,), who says it. copies: (posts,), the text that it copies, 0 when none.
    scopes: (posts,), 0 for posts that belong to none.
    pairs: (words, 2), words a power of two: bits that are set and looked at, bits only looked at.
    counts: (2, slots), slots a power of two. An item is handed back when any of its slots stood
    below `kept_most`. About 20 ns an item.
    """
    library = native.library()
    arrays = (items, starts, voices, copies, scopes)
    assert len(starts) == len(voices) + 1 == len(copies) + 1 == len(scopes) + 1
    assert starts[-1] <= len(items)
    if library is None:
        return _tally_plainly(*arrays, pairs, counts, kept_most)
    kept_items = np.empty(len(items), np.uint64)
    kept_posts = np.empty(len(items), np.uint32)
    added = ctypes.c_int64()
    # Held until the call is over: a kernel knows nothing of owners.
    whole = [np.ascontiguousarray(array) for array in arrays]
    library.fw_tally.restype = ctypes.c_int64
    kept = library.fw_tally(
        *map(native.at, whole[:2]),
        native.count(len(voices)),
        *map(native.at, whole[2:]),
        native.at(pairs),
        native.count(_log2(len(pairs)) + 6),
        native.at(counts),
        native.count(_log2(counts.shape[1])),
        native.count(kept_most),
        native.at(kept_items),
        native.at(kept_posts),
        ctypes.byref(added),
    )
    return Tally(kept_items[:kept], kept_posts[:kept], added.value)


def hot(
    items: Items, scopes: NDArray[np.uint16], slots: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which items are hot in both rows, and whether in their scope rather than over all.

    items, scopes: (n,). slots: (2, slots), what is hot. Returns places in `items`, ascending, one
    that is hot both over all and in its scope twice.
    """
    library = native.library()
    if library is None:
        return _hot_plainly(items, scopes, slots)
    at = np.empty(2 * len(items) + 1, np.int64)
    own = np.empty(2 * len(items) + 1, bool)
    items, scopes = np.ascontiguousarray(items), np.ascontiguousarray(scopes)
    library.fw_hot.restype = ctypes.c_int64
    found = library.fw_hot(
        native.at(items),
        native.at(scopes),
        native.count(len(items)),
        native.at(slots),
        native.count(_log2(slots.shape[1])),
        native.at(at),
        native.at(own),
    )
    return at[:found], own[:found]


def _hot_plainly(
    items: Items, scopes: NDArray[np.uint16], slots: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    told = []
    for some in (np.zeros_like(scopes), scopes):
        first, second = slots_of(keys_of(items, some), slots.shape[1])
        told.append(slots[0][first] & slots[1][second])
    told[1] &= scopes > 0
    at, own = np.nonzero(np.stack(told, axis=1))
    return at, own > 0


def _tally_plainly(
    items: Items,
    starts: NDArray[np.int64],
    voices: Items,
    copies: Items,
    scopes: NDArray[np.uint16],
    pairs: NDArray[np.uint64],
    counts: NDArray[np.uint32],
    kept_most: int,
) -> Tally:
    """Do the same, all items at once in numpy."""
    items = items[starts[0] : starts[-1]]
    posts = np.repeat(np.arange(len(voices), dtype=np.uint32), np.diff(starts))
    copied = copies[posts]
    # A copied item sets two bits, one after the other; the order decides who came first.
    places = np.repeat(np.arange(len(items)), 1 + (copied != 0))
    second = np.zeros(len(places), bool)
    second[1:] = places[1:] == places[:-1]
    who = np.where(second, copied[places], voices[posts[places]])
    keys: Items = who * _SPREAD
    keys += items[places]
    fresh, added = _fresh(keys, pairs)
    counted = np.ones(len(items), bool)
    counted[places[~fresh]] = False
    items, posts = items[counted], posts[counted]
    low = _counted(items, scopes[posts], counts) < kept_most
    return Tally(items[low], posts[low], added)


def _fresh(keys: Items, pairs: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], int]:
    """Set the bit of each key; return which were first to meet theirs, and how many were set."""
    bits = mixed(keys) >> np.uint64(64 - 6 - _log2(len(pairs)))
    words = (bits >> np.uint64(6)).astype(np.int64)
    masks = np.uint64(1) << (bits & np.uint64(63))
    known_now = (pairs[words, 0] & masks) != 0
    known = known_now | ((pairs[words, 1] & masks) != 0)
    first = np.zeros(len(keys), bool)
    first[np.unique(bits, return_index=True)[1]] = True
    np.bitwise_or.at(pairs[:, 0], words, masks)
    return first & ~known, int(np.count_nonzero(first & ~known_now))


def _counted(
    items: Items, scopes: NDArray[np.uint16], counts: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Add one to each slot; return what the lowest of an item's slots held before."""
    slots = counts.shape[1]
    places = np.repeat(np.arange(len(items)), 1 + (scopes != 0))
    second = np.zeros(len(places), bool)
    second[1:] = places[1:] == places[:-1]
    own = np.where(second, scopes[places], 0).astype(np.uint16)
    at = slots_of(keys_of(items[places], own), slots)
    held = np.minimum(*(_raised(row, own) for row, own in zip(counts, at, strict=True)))
    lowest = np.full(len(items), np.iinfo(np.int64).max)
    np.minimum.at(lowest, places, held)
    return lowest


def _raised(row: NDArray[np.uint32], slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add one to `row` at each of `slots`, in order; return what stood there each time."""
    order = np.argsort(slots, kind="stable")
    ordered = slots[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(slots)) - np.repeat(begins, np.diff(begins, append=len(slots)))
    held = np.empty(len(slots), np.int64)
    held[order] = row[ordered] + rank
    np.add.at(row, slots, np.uint32(1))
    return held


def _log2(number: int) -> int:
    assert number > 0, number
    assert number & (number - 1) == 0, number
    return number.bit_length() - 1
