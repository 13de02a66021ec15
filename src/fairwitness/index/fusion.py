"""What words say and what meaning says about how well a post answers, in one number.

Neither is a probability, so each is made comparable first: words by the best post that words found
for this question, meaning as the cosines that it is. A question that no post answers word for word
(a long one, one in another language) then loses nothing to one that many repeat. Then the posts
that are best so far say what the others should be like: what three good answers have in common is
a better question than the question (Rocchio, 1971).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.meaning import Alike

WORDS, COSINE, COVER, ECHO = 1 / 9, 4 / 9, 4 / 9, 2 / 9
"""What each can give a post. Of 144 mixes the best on one half of the questions of five judged sets
(`evals/judged.py`); on the other half it is 3.6 points of nDCG@10 better than words alone, and
halving or doubling one weight costs 0.2 to 1.7 points over all."""
FLOOR = 0.5
"""Words count from this share of the best post's on: below it a post holds the lesser words only,
which a post that is meant may well lack."""
EXEMPLARS = 3
"""So many of the best are what the others are held against."""
UNRELATED = 0.3
"""A post that shares no word with the question has to have a cosine above it. Of translations of
one text 97 in 100 have (MGSM in seven languages); so has one in twenty of other texts of its kind,
so it only keeps out the absurd."""


class Fused(NamedTuple):
    """The two parts of each candidate's relevance, neither below 0; `total` ranks."""

    words: NDArray[np.float64]
    meaning: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Both together."""
        return self.words + self.meaning


def fuse(words: NDArray[np.float64], like: Alike, *, best: float = 0.0) -> Fused:
    """Return the parts of the relevance of a question's candidates, from all slices together.

    Args:
        words: BM25 in any unit that all candidates share, 0 for those that words did not find.
        like: How alike the question and each candidate are.
        best: What words were worth in the best post, if that is not among the candidates.
    """
    best = max(words.max(initial=0.0), best)
    said = np.maximum(words / best - FLOOR, 0.0) / (1 - FLOOR) if best > 0 else np.zeros(len(words))
    direct = COSINE * np.maximum(like.cosine, 0.0) + COVER * np.maximum(like.cover, 0.0)
    echo = _echo(WORDS * said + direct, like.directions_nd)
    return Fused(WORDS * said, (direct + ECHO * echo).astype(float))


def related(words: NDArray[np.float64], cosine: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which candidates have anything to do with the question."""
    return np.asarray((words > 0) | (cosine > UNRELATED))


def _echo(total: NDArray[np.float64], directions_nd: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how alike each candidate and the best together are, 0 to 1."""
    best = np.argsort(-total, kind="stable")[:EXEMPLARS]
    common_d = total[best] @ directions_nd[best]
    length = np.linalg.norm(common_d)
    if not length:
        return np.zeros(len(total))
    return np.asarray(np.clip(directions_nd @ (common_d / length), 0.0, 1.0))
