"""Trees that weigh signs: each asks a few questions of the numbers and adds what its leaf says.

All are complete and of one depth: node n asks whether a sign is above an edge, and goes on to
2n + 1 or 2n + 2. They are grown by `train/grow.py`.

Shapes: k trees, n nodes that ask, l leaves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Trees(NamedTuple):
    """What was grown."""

    first: float
    sign_kn: NDArray[np.int32]
    edge_kn: Floats
    leaf_kl: Floats

    def logit(self, signs_f: NDArray[Any]) -> float:
        """Return what all trees say of one row of signs."""
        trees, nodes = self.sign_kn.shape
        k, at_k = np.arange(trees), np.zeros(trees, np.int64)
        while at_k[0] < nodes:
            above_k = signs_f[self.sign_kn[k, at_k]] > self.edge_kn[k, at_k]
            at_k = 2 * at_k + 1 + above_k
        return self.first + float(self.leaf_kl[k, at_k - nodes].sum())


def trees_of(first: Floats, sign: Floats, edge: Floats, leaf: Floats) -> Trees:
    """Return trees from flat arrays, as a file holds them; a tree has one leaf more than nodes."""
    trees = len(leaf) - len(edge)
    return Trees(
        float(first[0]),
        sign.astype(np.int32).reshape(trees, -1),
        edge.reshape(trees, -1),
        leaf.reshape(trees, -1),
    )
