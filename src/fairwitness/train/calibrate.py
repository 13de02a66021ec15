"""How sure a logit is: brought into line with how often claims held that it was given to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
_STEPS = 50


def calibrated(logits: Scores, holds: Sequence[bool]) -> tuple[float, float, float]:
    """Return scale and shift of logits (Platt 1999, by Newton's method), and the probability from
    which on to say yes for the best balanced accuracy."""
    y = np.array(holds, np.float64)
    x = np.stack([logits, np.ones(len(logits))], axis=1)
    weights = np.zeros(2)  # from further out Newton's first steps may leap too far
    for _ in range(_STEPS):
        said = 1 / (1 + np.exp(-(x @ weights)))
        # a touch of ridge keeps it finite where all is told apart
        slope = x.T @ (said - y) + 1e-3 * weights
        bend = (x * (said * (1 - said))[:, None]).T @ x + 1e-3 * np.eye(2)
        weights = weights - np.linalg.solve(bend, slope)
    said = 1 / (1 + np.exp(-(x @ weights)))
    return float(weights[0]), float(weights[1]), best_threshold(said, y > 0.5)


def best_threshold(scores: Scores, holds: NDArray[np.bool_]) -> float:
    """Return the score from which on to say yes, for the best balanced accuracy."""
    order = np.argsort(scores, kind="stable")
    below_yes = np.cumsum(holds[order]) / max(1, holds.sum())
    below_no = np.cumsum(~holds[order]) / max(1, (~holds).sum())
    ends = np.append(np.diff(scores[order]) > 0, True)
    at = int(np.argmax(np.where(ends, below_no - below_yes, -np.inf)))
    here = scores[order][at]
    return float((here + scores[order][min(at + 1, len(order) - 1)]) / 2)
