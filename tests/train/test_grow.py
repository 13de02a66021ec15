"""Trees learn what no single number tells, say it again by the same seed, and know their limits."""

import numpy as np
import pytest

from fairwitness.train.grow import Growth, crossed, grow

QUICK = Growth(trees=60, depth=3, rate=0.2, signs_share=1.0)


def task(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A row holds when exactly one of its first two numbers is high; the third tells nothing."""
    rows = np.random.default_rng(seed).random((count, 3)).astype(np.float32)
    return rows, (rows[:, 0] > 0.5) ^ (rows[:, 1] > 0.5)


def right(logits: np.ndarray, holds: np.ndarray) -> float:
    return float(np.mean((logits > 0) == holds))


def test_trees_learn_what_no_single_number_tells() -> None:
    trees = grow(*task(2_000), QUICK)
    rows, holds = task(500, 1)
    assert right(np.array([trees.logit(row) for row in rows]), holds) > 0.93


def test_the_same_seed_grows_the_same_trees() -> None:
    one, other = (grow(*task(300), QUICK) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_chance_is_not_learned_across_folds() -> None:
    rows, holds = task(1_000)
    fold = np.arange(1_000) % 5
    assert right(crossed(rows, holds, fold, QUICK), holds) > 0.9
    shuffled = np.random.default_rng(3).permutation(holds)
    assert right(crossed(rows, shuffled, fold, QUICK), shuffled) < 0.58


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_rows_of_one_kind_give_one_answer(share: float) -> None:
    rows, _ = task(50)
    trees = grow(rows, np.full(50, bool(share)), QUICK)
    said = np.array([trees.logit(row) for row in rows])
    assert np.all((said > 0) == bool(share))
