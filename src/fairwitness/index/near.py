"""The posts of all slices whose codes are nearest to what is asked.

The lists of all slices compete: those that are nearest to the question are looked into, wherever
they are, so that a question costs little more when there are more slices. What a newer slice had
is a limit for the older ones.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.codes import Growing, Inverted
from fairwitness.kernels import hamming, lists
from fairwitness.kernels.hamming import Near

PROBES = 32
"""Lists that are looked into where there is one slice, and more with the root of their number. Of
a million posts in 512 lists, 96 of 100 of the nearest twenty are in 32 of them (40 questions); of
four such slices, 97 of 100 of the nearest fifty are in the nearest 64 lists of all. Twice as many
lists and turns, which take three times as long to make, gave 95 for one."""
_WIDER = 4
"""So many times more are looked into when they did not hold enough."""

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Place(NamedTuple):
    """Where to look: the codes of a slice."""

    lists: Growing | Inverted
    allowed: Mask | None
    """Which of its rows may be found; None for all that `shows`."""
    shows: Callable[[Rows], Mask]


def nearest(places: Sequence[Place], query: NDArray[np.uint8], k: int) -> list[Rows]:
    """Return of each place, oldest first, its rows that are among the k nearest of all.

    A few of the nearest may be missing, but never are there fewer than k while there are more.
    """
    if not places:
        return []
    far = hamming.distances([place.lists.centres for place in places], query)
    # A slice whose lists nobody knows yet has one, which is always looked into.
    far = [each if len(each) > 1 else np.zeros(1, np.int32) for each in far]
    probes = round(PROBES * len(far) ** 0.5)
    while True:
        found = _look(places, *_nearest_lists(far, probes), query, k)
        if sum(map(len, found)) >= k or probes >= sum(map(len, far)):
            return found
        probes *= _WIDER


def _nearest_lists(far: Sequence[NDArray[np.int32]], probes: int) -> tuple[Rows, Rows]:
    """Return the lists that are among the nearest `probes` of all, those of one place after those
    of another, and how many are of each."""
    order = np.argsort(np.concatenate(far).astype(np.int16), kind="stable")[:probes]
    order.sort()
    firsts = np.cumsum([0, *map(len, far)])
    counts = np.diff(np.searchsorted(order, firsts))
    return order - np.repeat(firsts[:-1], counts), counts


def _look(
    places: Sequence[Place], chosen: Rows, counts: Rows, query: NDArray[np.uint8], k: int
) -> list[Rows]:
    """Return of each place its rows that are among the k nearest in the chosen lists."""
    near = lists.nearest(
        [place.lists.listed for place in places],
        chosen,
        counts,
        query,
        2 * k,  # some may turn out to be old versions
        allowed=[place.allowed for place in places],
    )
    shown = [_shown(*each) for each in zip(places, near, strict=True)]
    places_of = np.repeat(np.arange(len(places)), [len(each.rows) for each in shown])
    rows = np.concatenate([each.rows for each in shown])
    distances = np.concatenate([each.distances for each in shown])
    order = np.lexsort((places_of, rows, distances))[:k]
    places_of, rows = places_of[order], rows[order]
    return [rows[places_of == place] for place in range(len(places))]


def _shown(place: Place, near: Near) -> Near:
    """Leave out what does not show, or not any more since a mask was made."""
    if not len(near.rows):
        return near
    shown = place.shows(near.rows)
    return near if shown.all() else Near(near.rows[shown], near.distances[shown])
