"""What the trees learn from, and the row of numbers that they read of each pair.

Pairs that people judged, and statements made false that the head did not learn from. Of those it
did learn from it is too sure: of the claims of WiCE, what it says is dealt out anew among them.
"""

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.encoder import Parameters
from fairwitness.models.entailment import Reader
from fairwitness.models.trees import Trees
from fairwitness.models.verifier import row_of
from fairwitness.train.calibrate import calibrated
from fairwitness.train.grow import Growth, crossed, grow
from fairwitness.train.pairs import WICE_KINDS, Pair, WiceRow, fold_of, wice_pairs

Rows = NDArray[np.float32]
_TURNS = 3
"""How often evidence is drawn for a claim of WiCE."""


def drawn_again(rows: Sequence[WiceRow], first: Sequence[Pair], rng: Random) -> list[Pair]:
    """Return the claims of WiCE with evidence drawn several times, each pair once; `first` is what
    was drawn before."""
    more = [pair for _ in range(_TURNS - 1) for pair in wice_pairs(rows, rng)]
    return list(dict.fromkeys([*first, *more]))


def rows_of(
    reader: Reader, head: Parameters, pairs: Sequence[Pair], tell: Callable[[int, int], None]
) -> Rows:
    """Return what the trees read of each pair; what the head says is the last of a row."""
    found = []
    for at, pair in enumerate(pairs):
        if at % 500 == 0:
            tell(at, len(pairs))
        found.append(row_of(reader, head, pair.claim, pair.evidence))
    return np.stack(found)


def grown(
    rows: Rows, pairs: Sequence[Pair], growth: Growth
) -> tuple[Trees, tuple[float, float, float]]:
    """Return trees, and their scale, shift and threshold, set by rows of folds left out in turn.

    Claims of WiCE, which are few, count twice.
    """
    few = np.array([pair.kind in WICE_KINDS for pair in pairs])
    at = np.concatenate([np.arange(len(pairs)), np.flatnonzero(few)])
    rows, few = rows[at], few[at]
    rows[few, -1] = np.random.default_rng(growth.seed).permutation(rows[few, -1])
    holds = np.array([pair.holds for pair in pairs])[at]
    fold = np.array([fold_of(pair.claim) for pair in pairs])[at]
    trees = grow(rows, holds, growth)
    return trees, calibrated(crossed(rows, holds, fold, growth), holds.tolist())
