"""The nearest of all slices, wherever they are."""

from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from fairwitness.index.codes import Growing, Inverted, centres_of, lists_of
from fairwitness.index.near import Place, nearest
from fairwitness.kernels import hamming

ROWS = 6_000
K = 40


def alike(count: int, seed: int) -> NDArray[np.uint8]:
    """Return codes around some topics, 40 bits from the middle on average."""
    middles = np.random.default_rng(7).random((60, 256)) < 0.5
    rng = np.random.default_rng(seed)
    bits = middles[rng.integers(0, 60, count)] ^ (rng.random((count, 256)) < 0.16)
    return np.packbits(bits, axis=1)


SLICES = [alike(ROWS, seed) for seed in range(5)]
QUERIES = np.concatenate([held[::2_000] for held in SLICES])
Shows = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


def growing(held: NDArray[np.uint8]) -> Growing:
    centres = centres_of(SLICES[0])
    return Growing(centres, held, lists_of(held, centres))


def all_show(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.ones(len(rows), bool)


def places(allowed: NDArray[np.bool_] | None = None, shows: Shows = all_show) -> list[Place]:
    """Return four sealed slices and one that grows."""
    slices = [growing(held) for held in SLICES]
    kinds = [*(Inverted.build(*astuple(each)) for each in slices[:-1]), slices[-1]]
    return [Place(kind, allowed, shows) for kind in kinds]


def truth(query: NDArray[np.uint8], of: NDArray[np.bool_], k: int = K) -> list[tuple[int, int]]:
    """Return distance and slice of the nearest, by a look at all."""
    far = [hamming.distances([held], query)[0] for held in SLICES]
    found = [(int(far[at][row]), at) for at in range(5) for row in np.flatnonzero(of)]
    return sorted(found)[:k]


def test_nearly_all_of_the_nearest_are_found_wherever_they_are() -> None:
    where, shares = places(), []
    for query in QUERIES:
        found = nearest(where, query, K)
        assert sum(map(len, found)) == K
        furthest = truth(query, np.ones(ROWS, bool))[-1][0]
        distances = [
            hamming.distances([SLICES[at][rows]], query)[0] for at, rows in enumerate(found)
        ]
        shares.append((np.concatenate(distances) <= furthest).mean())
    assert np.mean(shares) > 0.95


@pytest.mark.parametrize("how", ["mask", "history"])
def test_what_is_not_allowed_is_not_found_and_the_rest_is_searched_for_in_all_lists(
    how: str,
) -> None:
    some = np.zeros(ROWS, bool)
    some[::400] = True
    where = places(some) if how == "mask" else places(None, lambda rows: some[rows])
    k = 5 * int(some.sum())
    found = nearest(where, QUERIES[0], k)
    assert all(some[rows].all() for rows in found)
    if how == "mask":
        assert [sorted(rows.tolist()) for rows in found] == 5 * [np.flatnonzero(some).tolist()]


def test_of_equals_the_first_ones_and_nothing_twice() -> None:
    held = np.repeat(SLICES[0][:3], 20, axis=0)
    found = nearest([Place(growing(held), None, all_show)] * 2, held[0], 30)
    assert [rows.tolist() for rows in found] == [[*range(15)], [*range(15)]]


def test_nowhere_to_look_and_nothing_to_find() -> None:
    assert nearest([], QUERIES[0], K) == []
    (found,) = nearest([Place(growing(np.zeros((9, 32), np.uint8)), None, all_show)], QUERIES[0], K)
    assert not len(found)
