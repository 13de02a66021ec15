"""The second phase of ranking: candidates' columns in, scores taken apart out."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Weights:
    """What counts how much."""

    words: float = 1.0
    """The unit: a post of average length that holds every asked word once gets 1."""
    recency: float = 0.3
    """A fresh post beats an old one that holds a third more of what was asked."""
    half_life_ms: int = 6 * 3_600_000
    """News halves in interest in about a quarter of a day."""
    engagement: float = 0.1
    """Reach breaks ties and lifts a little; it must not drown a witness with ten followers."""
    engagement_full: int = 100_000
    """Reactions at which the engagement part reaches its weight; it grows with the logarithm."""
    trust: float = 0.1
    """What an ordinary post gets more than one that floods, shouts, says nothing, or is of an
    author or a network that mostly did (`floods.py`)."""
    trust_full: int = 128
    """From this quality on a post is ordinary: better ones are not ranked against each other."""
    views_per_reaction: int = 100
    """So many views count as one reaction."""


class Candidates(NamedTuple):
    """Posts to rank, as arrays of one length."""

    words: NDArray[np.float64]
    made_ms: NDArray[np.int64]
    reactions: NDArray[np.float64]
    """Likes, reposts, replies and views in one number."""
    quality: NDArray[np.uint8]


def score(candidates: Candidates, weights: Weights) -> NDArray[np.float64]:
    """Return the parts of each candidate's score, shape [candidates, 5], in the order of Parts.

    What they mean is left at 0. Age counts from the newest candidate, so that a capture of 2013
    ranks as it did in 2013.
    """
    words, made_ms, reactions, quality = candidates
    newest_ms = made_ms.max(initial=np.iinfo(np.int64).min)
    age_in_half_lives = (newest_ms - made_ms) / weights.half_life_ms
    reach = np.log1p(reactions) / np.log1p(weights.engagement_full)
    return np.stack(
        [
            weights.words * words,
            weights.recency * np.exp2(-age_in_half_lives),
            weights.engagement * np.minimum(reach, 1.0),
            weights.trust * np.minimum(quality / weights.trust_full, 1.0),
            np.zeros(len(words)),
        ],
        axis=1,
    )


def reactions(counts: NDArray[np.int64], weights: Weights) -> NDArray[np.float64]:
    """Return all reactions as one number each; `counts` are likes, reposts, replies and views."""
    worth = np.array([1.0, 1.0, 1.0, 1.0 / weights.views_per_reaction])
    total: NDArray[np.float64] = worth @ counts
    return total


def best_first(total: NDArray[np.float64], made_ms: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the order of descending score; of equals the newer, then the later row, is first."""
    return np.lexsort((np.arange(len(total)), made_ms, total))[::-1]
