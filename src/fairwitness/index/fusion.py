"""What words say and what meaning says about how well a post answers, in one number.

Neither is a probability, so each is made comparable first: words by the best post that words found
for this question, meaning as the cosines that it is. A question that no post answers word for word
(a long one, one in another language) then loses nothing to one that many repeat.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WORDS, COSINE, COVER = 2 / 9, 3 / 9, 4 / 9
"""What the best post by words gets, and one that means exactly what was asked: 1 together.
Chosen on half of the questions of three sets (`evals/judged.py`), the other half gained as much;
every mix of cosine 0.5 to 2 and cover 1 to 3, to 1 of words, came within a point of the best."""
UNRELATED = 0.4
"""A post that shares no word with the question has to have a cosine above it. Of translations of
one text 95 in 100 have; so has one of thousands of others, so it only keeps out the absurd."""


class Fused(NamedTuple):
    """The two parts of each candidate's relevance; `total`, 0 to 1, ranks."""

    words: NDArray[np.float64]
    meaning: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """Both together."""
        return self.words + self.meaning


def fuse(
    words: NDArray[np.float64], cosine: NDArray[np.floating], cover: NDArray[np.floating]
) -> Fused:
    """Return the parts of the relevance of a question's candidates, from all slices together.

    Args:
        words: BM25 in any unit that all candidates share, 0 for those that words did not find.
        cosine: Of question and post, -1 to 1 (`meaning.Alike`).
        cover: How well the post says each piece of the question, -1 to 1.
    """
    best = words.max(initial=0.0)
    return Fused(
        words=WORDS * (words / best if best > 0 else np.zeros(len(words))),
        meaning=(COSINE * np.maximum(cosine, 0.0) + COVER * np.maximum(cover, 0.0)).astype(float),
    )


def related(words: NDArray[np.float64], cosine: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which candidates have anything to do with the question."""
    return np.asarray((words > 0) | (cosine > UNRELATED))
