"""The newest posts, and what in them was not yet common: where a burst's first posts are found.

Two rings of arrays. Once they are full, each new entry takes the place of the oldest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.trends import Items

_FILTER = 1 << 16


class Recent:
    """Posts by a number that only grows (`post`), and items with the post that said them."""

    def __init__(self, items: int, posts: int) -> None:
        self.ordinals = np.zeros(posts, np.int64)
        self.scopes = np.zeros(posts, np.uint16)
        self.ticks = np.zeros(posts, np.uint32)
        self.voices = np.zeros(posts, np.uint32)
        self.copies = np.zeros(posts, np.uint64)
        self._items = np.zeros(items, np.uint64)
        self._posts = np.zeros(items, np.uint32)
        self.posts_seen = 0
        self.items_seen = 0
        self._tick_began = 0

    def add_posts(
        self,
        ordinals: NDArray[np.int64],
        scopes: NDArray[np.uint16],
        tick: int,
        voices: Items,
        copies: Items,
    ) -> int:
        """Remember posts, all of one tick; return the number of the first."""
        first = self.posts_seen
        self._put(self.ordinals, first, ordinals)
        self._put(self.scopes, first, scopes)
        self._put(self.ticks, first, np.full(len(ordinals), tick & 0xFFFFFFFF, np.uint32))
        self._put(self.voices, first, voices.astype(np.uint32))
        self._put(self.copies, first, copies)
        self.posts_seen += len(ordinals)
        return first

    def add_items(self, items: Items, posts: NDArray[np.uint32], first: int) -> None:
        """Remember items with their posts, counted from post `first`."""
        self._put(self._items, self.items_seen, items)
        self._put(self._posts, self.items_seen, posts + np.uint32(first & 0xFFFFFFFF))
        self.items_seen += len(items)

    def begin_tick(self) -> None:
        """Let `of_tick` begin here."""
        self._tick_began = self.items_seen

    def of_tick(self) -> tuple[Items, NDArray[np.int64]]:
        """Return the items of the open tick and the places of their posts in the ring."""
        size = len(self._items)
        oldest = max(self._tick_began, self.items_seen - size)
        at = np.arange(oldest, self.items_seen) & (size - 1)
        return self._still_here(self._items[at], self._posts[at])

    def find(self, wanted: Items) -> tuple[Items, NDArray[np.int64]]:
        """Return all that is remembered of the wanted items, and the places of their posts."""
        known = min(self.items_seen, len(self._items))
        perhaps = np.flatnonzero(passing(self._items[:known], wanted))
        exactly = perhaps[np.isin(self._items[perhaps], wanted)]
        return self._still_here(self._items[exactly], self._posts[exactly])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that is remembered, for `restore`."""
        known_items = min(self.items_seen, len(self._items))
        known_posts = min(self.posts_seen, len(self.ordinals))
        told: dict[str, NDArray[Any]] = {
            name: getattr(self, name)[:known_posts]
            for name in ("ordinals", "scopes", "ticks", "voices", "copies")
        }
        told["items"], told["posts"] = self._items[:known_items], self._posts[:known_items]
        told["seen"] = np.array([self.posts_seen, self.items_seen, self._tick_began])
        return told

    def restore(self, told: dict[str, NDArray[Any]]) -> None:
        """Take up where `arrays` were taken."""
        for name in ("ordinals", "scopes", "ticks", "voices", "copies"):
            getattr(self, name)[: len(told[name])] = told[name]
        self._items[: len(told["items"])] = told["items"]
        self._posts[: len(told["posts"])] = told["posts"]
        self.posts_seen, self.items_seen, self._tick_began = map(int, told["seen"])

    def _still_here(
        self, items: Items, posts: NDArray[np.uint32]
    ) -> tuple[Items, NDArray[np.int64]]:
        """Leave out items whose post's place was taken by a newer post."""
        age = np.uint32(self.posts_seen & 0xFFFFFFFF) - posts
        here = age <= len(self.ordinals)
        return items[here], (posts[here] & np.uint32(len(self.ordinals) - 1)).astype(np.int64)

    def age(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many posts came since the one at each place, itself included."""
        return (self.posts_seen - 1 - places) % len(self.ordinals) + 1

    @staticmethod
    def _put(ring: NDArray[Any], seen: int, new: NDArray[Any]) -> None:
        size = len(ring)
        if len(new) > size:
            seen += len(new) - size
            new = new[-size:]
        at = seen & (size - 1)
        until_end = min(len(new), size - at)
        ring[at : at + until_end] = new[:until_end]
        ring[: len(new) - until_end] = new[until_end:]


def passing(items: Items, wanted: Items) -> NDArray[np.bool_]:
    """Return which items are perhaps wanted: all that are, and few others."""
    table = np.zeros(_FILTER, bool)
    table[(wanted >> np.uint64(8)) & np.uint64(_FILTER - 1)] = True
    passed: NDArray[np.bool_] = table[(items >> np.uint64(8)) & np.uint64(_FILTER - 1)]
    return passed
