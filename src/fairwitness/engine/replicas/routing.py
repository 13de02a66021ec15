"""Which replica a prompt goes to: the one that has run the longest beginning of it.

A prompt is known by its pages, each by a hash of itself and all before it, as the prefix tree of an
engine knows them. What a replica has seen is kept here for as many pages as its cache may hold.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

import numpy as np
from xxhash import xxh3_64_intdigest

from fairwitness.kernels.pages import PAGE

FAR = 8
"""So many requests more than the least busy one, and a replica's cache is not worth the wait."""

MOST_PAGES = 32
"""Of a prompt, that are looked at: two thousand tokens."""

REMEMBERED = 512
"""Pages of each replica; a cache of 250 MB holds fewer of most models."""

Replica = TypeVar("Replica")


def page_keys(prompt_ids: Sequence[int], adapter: str = "") -> tuple[int, ...]:
    """Return a key for each whole page of the prompt's beginning; equal keys mean that all tokens
    up to there are equal, and the adapter is."""
    pages = min(len(prompt_ids) // PAGE, MOST_PAGES)
    ids = np.array(prompt_ids[: pages * PAGE], np.int32).reshape(pages, PAGE)
    keys, key = [], xxh3_64_intdigest(adapter.encode())
    for page in ids:
        key = xxh3_64_intdigest(page.tobytes(), key)
        keys.append(key)
    return tuple(keys)


class Seen:
    """The pages that one replica has run, those touched last."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._keys: OrderedDict[int, None] = OrderedDict()

    def depth(self, keys: Sequence[int]) -> int:
        """Return how many of a prompt's first pages are here."""
        for place, key in enumerate(keys):
            if key not in self._keys:
                return place
        return len(keys)

    def add(self, keys: Sequence[int]) -> None:
        """The replica runs a prompt of these pages. Its last page is forgotten first, since a page
        without those before it helps nobody."""
        for key in reversed(keys):
            self._keys[key] = None
            self._keys.move_to_end(key)
        while len(self._keys) > self._most:
            self._keys.popitem(last=False)


def choose(
    keys: Sequence[int],
    seen: Mapping[Replica, Seen],
    loads: Mapping[Replica, int],
    random: Random,
) -> Replica:
    """Return one of the replicas that `loads` has, with the requests that each has under way.

    The one that has seen most of the prompt, of equals the least busy; unless it is FAR busier than
    another, or nobody has seen any of it. Then the less busy one of two by chance: many who choose
    at once by old figures do not all go to the same one.
    """
    depths = {each: seen[each].depth(keys) if each in seen else 0 for each in loads}
    deepest = max(depths.values())
    nearest = min((each for each in loads if depths[each] == deepest), key=loads.__getitem__)
    if deepest and loads[nearest] - min(loads.values()) < FAR:
        return nearest
    two = random.sample(list(loads), min(2, len(loads)))
    return min(two, key=loads.__getitem__)
