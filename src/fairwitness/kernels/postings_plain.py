"""The plain twin of `csrc/postings.cpp`: asks runs, and finds the same to the bit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import runs
from fairwitness.kernels.bm25 import Ask
from fairwitness.kernels.runs_plain import Listed, Numbers, Opened

_HALF = 1 << 31


def counts(opened: Opened, keys: NDArray[np.uint64], end: int) -> Numbers:
    """Return in how many of the first `end` rows each key occurs."""
    lists = map(opened.find, keys.tolist())
    found = [0 if each is None else int(np.searchsorted(each.rows, end)) for each in lists]
    return np.array(found, np.int64)


def tokens(opened: Opened, end: int) -> int:
    """Return the sum of the lengths of the first `end` rows."""
    return int(runs.sizes()[opened.lengths(end)].sum(dtype=np.int64))


def rows_with(opened: Opened, key: int) -> Numbers:
    """Return the rows of a key, counted from the run's first."""
    listed = opened.find(key)
    return np.empty(0, np.int64) if listed is None else listed.rows


def rows_saying(opened: Opened, keys: NDArray[np.uint64], offsets: Numbers) -> Numbers:
    """Return the rows of a phrase, counted from the run's first."""
    return _said(opened, keys, offsets)[0]


def rank(
    opened: Sequence[Opened],
    ask: Ask,
    norms: NDArray[np.float64],
    depth: int,
    ends: Sequence[int],
    masks: Sequence[NDArray[np.bool_] | None],
) -> tuple[Numbers, Numbers]:
    """Return the best rows, numbered through all runs, and their scores in units."""
    scores = np.concatenate(
        [_scores(*each, ask, norms) for each in zip(opened, ends, masks, strict=True)]
    )
    rows = np.flatnonzero(scores)
    best = rows[np.lexsort((-rows, -scores[rows]))[:depth]]
    return best, scores[best]


def _scores(
    opened: Opened,
    end: int,
    allowed: NDArray[np.bool_] | None,
    ask: Ask,
    norms: NDArray[np.float64],
) -> Numbers:
    """Return the scores of the first `end` rows, 0 for those that are not found."""
    scores, held = np.zeros(end, np.int64), np.zeros(end, np.int64)
    beside = norms[opened.lengths(end)]
    for term in range(len(ask.weights)):
        rows, parts = _parts(opened, ask, term, beside)
        scores[rows] += parts
        held[rows] += ask.must[term]
    scores[held != np.count_nonzero(ask.must)] = 0
    if allowed is not None:
        scores[~allowed] = 0
    return scores


def _parts(
    opened: Opened, ask: Ask, term: int, norms: NDArray[np.float64]
) -> tuple[Numbers, Numbers]:
    """Return the rows that hold a term, and what it gives each."""
    members = slice(int(ask.starts[term]), int(ask.starts[term + 1]))
    keys = ask.keys[ask.members[members]]
    if len(keys) == 1:
        listed = opened.find(int(keys[0])) or _NOTHING
        rows, times = listed.rows, listed.times
    else:
        listed = _NOTHING
        rows, times = _said(opened, keys, ask.offsets[members])
    until = int(np.searchsorted(rows, len(norms)))
    rows, times = rows[:until], times[:until]
    if listed.is_aside:
        return rows, np.full(until, ask.flats[term], np.int64)
    parts = ask.tops[term] * times / (times + norms[rows])
    return rows, np.maximum(np.floor(parts + 0.5), 1).astype(np.int64)


def _said(opened: Opened, keys: NDArray[np.uint64], offsets: Numbers) -> tuple[Numbers, Numbers]:
    """Return the rows of a phrase, and how often each says it."""
    common: NDArray[np.uint64] | None = None
    for key, offset in zip(keys.tolist(), offsets.tolist(), strict=True):
        listed = opened.find(key) or _NOTHING
        if listed.is_aside or not len(listed.rows):
            return _NOTHING.rows, _NOTHING.times
        begins = np.repeat(listed.rows << 32, listed.times) + listed.positions() - offset + _HALF
        spots = begins.view(np.uint64)
        common = spots if common is None else np.intersect1d(common, spots, assume_unique=True)
    assert common is not None
    rows, times = np.unique(common >> np.uint64(32), return_counts=True)
    return rows.astype(np.int64), times.astype(np.int64)


_NONE = np.empty(0, np.int64)
_NOTHING = Listed(False, _NONE, _NONE, _NONE)
