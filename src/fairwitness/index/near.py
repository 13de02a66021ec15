"""The posts of all slices whose codes are nearest to what is asked.

The lists of all slices compete: those that are nearest to the question are looked into, wherever
they are, so that a question costs little more when there are more slices. What a newer slice had
is a limit for the older ones.
"""

from collections.abc import Callable, Sequence
from heapq import nsmallest
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.codes import Growing, Inverted
from fairwitness.kernels.hamming import BITS

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
    far = [place.lists.far(query) for place in places]
    probes = round(PROBES * max(len(far), 1) ** 0.5)
    while True:
        chosen = _nearest_lists(far, probes)
        found = _look(places, chosen, query, k)
        if len(found) >= k or probes >= sum(map(len, far)):
            break
        probes *= _WIDER
    rows: list[list[int]] = [[] for _ in places]
    for _, row, at in found:
        rows[at].append(row)
    return [np.array(each, np.int64) for each in rows]


def _nearest_lists(far: Sequence[NDArray[np.int32]], probes: int) -> list[NDArray[np.intp]]:
    """Return of each place the lists that are among the nearest `probes` of all, nearest first."""
    everywhere = np.concatenate([*far, np.zeros(0, np.int32)]).astype(np.int16)
    order = np.argsort(everywhere, kind="stable")[:probes]
    firsts = np.cumsum([0, *map(len, far)])
    at = np.searchsorted(firsts, order, side="right") - 1
    return [order[at == place] - firsts[place] for place in range(len(far))]


def _look(
    places: Sequence[Place], chosen: Sequence[NDArray[np.intp]], query: NDArray[np.uint8], k: int
) -> list[tuple[int, int, int]]:
    """Return distance, row and place of the k nearest in the chosen lists, nearest first."""
    best: list[tuple[int, int, int]] = []
    for at in range(len(places))[::-1]:
        if not len(chosen[at]):
            continue
        lists, allowed, shows = places[at]
        limit = best[-1][0] if len(best) == k else BITS
        # Twice as many where some may turn out to be old versions.
        near = lists.nearest(query, k if allowed is not None else 2 * k, chosen[at], allowed, limit)
        rows, distances = near
        if allowed is None:
            shown = shows(rows)
            rows, distances = rows[shown], distances[shown]
        best = nsmallest(k, [*best, *zip(distances.tolist(), rows.tolist(), repeat(at))])
    return best
