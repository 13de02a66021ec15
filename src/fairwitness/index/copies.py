"""Which posts say the same: clusters of copies, kept while posts come in.

A cluster is named by the ordinal of its first post, for ever: also when that post is deleted, and
when the tables have forgotten its text. Joining one is a repost (as the network says it), the same
words, or a text alike that of the first; `kernels/copies.py` says when two are.

Clusters follow from the order of posts alone, never from a clock, so the log gives the same ones
again. What a deletion leaves in the tables are hashes, of all words and of 15 bits for each word,
until newer posts push them out; no text comes back from them, and copies of what was deleted still
join its cluster.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import copies, means, rates
from fairwitness.kernels.copies import Seen, Tables
from fairwitness.kernels.texts import Texts

POSTS_MAX = 1 << 21
"""Different texts that are remembered, 128 bytes each: six minutes of all of X, days of most
networks; what is still copied is remembered longer."""
KEYS_MAX = 1 << 19
"""Authors, and clusters, whose rates are remembered, 24 bytes each, and what authors were worth,
16 bytes each."""

SOURCES_MAX = 1 << 8
"""Networks whose worth is remembered."""

_LAYOUT = (3,)

ClusterOf = Callable[[NDArray[np.int64]], NDArray[np.int64]]


class Copies:
    """The clusters that new posts may join, how fast authors and clusters speak, and what authors
    and networks were worth."""

    def __init__(self, posts_max: int = POSTS_MAX, keys_max: int = KEYS_MAX) -> None:
        """Begin with nothing seen; both sizes are powers of two."""
        self.next_ordinal = 0
        """The first post that has not been seen."""
        self._sizes = (posts_max, keys_max)
        self.tables: Tables = copies.empty_tables(posts_max)
        self.authors = rates.empty_rates(keys_max)
        self.clusters = rates.empty_rates(keys_max)
        self.authors_worth = means.empty_means(keys_max)
        self.sources_worth = means.empty_means(SOURCES_MAX)

    @property
    def size_bytes(self) -> int:
        """How much memory the tables take; it does not grow."""
        return sum(array.nbytes for array in self.arrays().values())

    def see(
        self,
        texts: Texts,
        first_ordinal: int,
        original: NDArray[np.int64],
        cluster_of: ClusterOf,
    ) -> Seen:
        """Return the cluster of each post of a batch, how it came there, and counts in its text.

        Ordinals are `first_ordinal` and those after it. `original` is the ordinal of what each post
        repeats whole, -1 for none or unknown. `cluster_of` gives the clusters of ordinals before
        the batch, from the column; it is asked at most once.
        """
        given = np.full(len(texts), -1, np.int64)
        is_earlier = (original >= 0) & (original < first_ordinal)
        if is_earlier.any():
            given[is_earlier] = cluster_of(original[is_earlier])
        seen = copies.see(self.tables, texts, first_ordinal, original, given)
        self.next_ordinal = first_ordinal + len(texts)
        return seen

    @property
    def layout(self) -> tuple[int, ...]:
        """What the numbers in `arrays` mean."""
        return (*_LAYOUT, *self._sizes)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state but `next_ordinal`; the arrays are in use."""
        tables = {"exact": self.tables.exact, "keys": self.tables.keys, "ring": self.tables.ring}
        rates_of = {"authors": self.authors, "clusters": self.clusters}
        worth = {"authors_worth": self.authors_worth, "sources_worth": self.sources_worth}
        return {**tables, "head": self.tables.head, **rates_of, **worth}

    def restore(self, told: dict[str, NDArray[Any]]) -> None:
        """Go on where `arrays` were taken, with the same sizes, from `next_ordinal` on."""
        for name, array in self.arrays().items():
            array[:] = told[name]
