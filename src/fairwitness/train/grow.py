"""Growing trees that weigh signs: gradient boosting on the log loss (Friedman 2001), in numpy.

Each tree is shallow and complete, and mends a little of what those before it got wrong; its leaves
are Newton's steps (Chen and Guestrin 2016, arXiv:1603.02754). Signs are cut into a few bins once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.trees import Trees

Floats = NDArray[np.float32]
_BINS = 32
_NEVER = np.finfo(np.float32).max
"""The edge of a node that parts nothing."""


@dataclass(frozen=True)
class Growth:
    """How many trees, how deep, and how much each may say."""

    trees: int = 500
    depth: int = 3
    rate: float = 0.02
    signs_share: float = 0.5
    """Of the signs, those that a tree may look at."""
    rows_share: float = 0.6
    ridge: float = 5.0
    seed: int = 0


def grow(signs_nf: Floats, holds_n: NDArray[np.bool_], growth: Growth) -> Trees:
    """Return trees that tell which rows hold."""
    rng = np.random.default_rng(growth.seed)
    rows, count = signs_nf.shape
    edges_fb = np.quantile(signs_nf, np.arange(1, _BINS) / _BINS, axis=0).T.astype(np.float32)
    bins_nf = np.stack(
        [np.searchsorted(edges_fb[f], signs_nf[:, f], side="left") for f in range(count)], axis=1
    )
    first = float(np.log((holds_n.sum() + 1) / ((~holds_n).sum() + 1)))
    logit_n = np.full(rows, first)
    nodes, leaves = 2**growth.depth - 1, 2**growth.depth
    sign_kn = np.zeros((growth.trees, nodes), np.int32)
    edge_kn = np.full((growth.trees, nodes), _NEVER, np.float32)
    leaf_kl = np.zeros((growth.trees, leaves), np.float32)
    for k in range(growth.trees):
        said_n = 1 / (1 + np.exp(-logit_n))
        slope_n, bend_n = said_n - holds_n, said_n * (1 - said_n)
        used_n = rng.random(rows) < growth.rows_share
        seen = rng.choice(count, max(1, int(count * growth.signs_share)), replace=False)
        at_n = np.zeros(rows, np.int64)
        for node in range(nodes):
            here = (at_n == node) & used_n
            found = _best(bins_nf[here], slope_n[here], bend_n[here], seen, growth.ridge)
            if found is not None:
                sign_kn[k, node], bin_at = found
                edge_kn[k, node] = edges_fb[found[0], bin_at]
            below = signs_nf[:, sign_kn[k, node]] > edge_kn[k, node]
            at_n = np.where(at_n == node, 2 * node + 1 + below, at_n)
        for leaf in range(leaves):
            here = (at_n == nodes + leaf) & used_n
            leaf_kl[k, leaf] = (
                -growth.rate * slope_n[here].sum() / (bend_n[here].sum() + growth.ridge)
            )
        logit_n = logit_n + leaf_kl[k, at_n - nodes]
    return Trees(first, sign_kn, edge_kn, leaf_kl)


def crossed(
    signs_nf: Floats, holds_n: NDArray[np.bool_], fold_n: NDArray[np.int64], growth: Growth
) -> NDArray[np.float64]:
    """Return the logit of each row by trees that were grown without its fold."""
    logit_n = np.zeros(len(holds_n))
    for fold in np.unique(fold_n):
        out = fold_n == fold
        trees = grow(signs_nf[~out], holds_n[~out], growth)
        logit_n[out] = [trees.logit(row) for row in signs_nf[out]]
    return logit_n


def _best(
    bins_nf: NDArray[np.int64],
    slope_n: NDArray[np.float64],
    bend_n: NDArray[np.float64],
    seen: NDArray[np.int64],
    ridge: float,
) -> tuple[int, int] | None:
    """Return the sign and the edge that part these rows best; None when nothing is gained."""
    slope, bend = slope_n.sum(), bend_n.sum()
    most, found = slope**2 / (bend + ridge) + 1e-6, None
    for sign in seen:
        left_slope = np.bincount(bins_nf[:, sign], slope_n, _BINS).cumsum()[:-1]
        left_bend = np.bincount(bins_nf[:, sign], bend_n, _BINS).cumsum()[:-1]
        gain = left_slope**2 / (left_bend + ridge)
        gain += (slope - left_slope) ** 2 / (bend - left_bend + ridge)
        at = int(gain.argmax())
        if gain[at] > most:
            most, found = gain[at], (int(sign), at)
    return found
