"""From logits to one token: pure, on the host, and the same whoever else is served.

The random number of a token is drawn from (seed, place in the answer) alone, so an answer can be
repeated, resumed, or moved to another machine.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import NonFiniteLogitsError, Request

FEW = 256  # the likeliest tokens, among which nearly every draw falls


def sample(logits_v: NDArray[np.float32], request: Request, place: int) -> tuple[int, float]:
    """Choose the token at `place` (0 for the first generated one); return its id and logprob.

    Raises:
        NonFiniteLogitsError: the logits are not numbers to choose by.
    """
    total = log_total(logits_v)
    if request.temperature == 0:
        token = int(np.argmax(logits_v))
    else:
        token = _draw(logits_v, request, place)
    return token, float(logits_v[token]) - total


def log_total(logits_v: NDArray[np.float32]) -> float:
    """The log of the sum of all e to the logit: what a logit is above its log-probability.

    Raises:
        NonFiniteLogitsError: the logits hold infinity or NaN.
    """
    peak, least = float(logits_v.max()), float(logits_v.min())
    if not (math.isfinite(peak) and math.isfinite(least)):
        raise NonFiniteLogitsError("the model computed logits that are not finite")
    return peak + math.log(float(np.exp(logits_v - np.float32(peak)).sum(dtype=np.float64)))


def _draw(logits_v: NDArray[np.float32], request: Request, place: int) -> int:
    """Cut to top_k and top_p, then invert the cumulative distribution at one random number.

    Sorting all tokens would take longer than the model: the likeliest few are sorted, and all only
    if the draw may fall behind them. Both give the same token.
    """
    key = np.array([request.seed % 2**64, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    wide_v = logits_v.astype(np.float64)
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the likeliest
        weight_v = np.exp((wide_v - wide_v.max()) / request.temperature)
    order_v = _likeliest(wide_v, request.top_k or FEW)
    reached_v = np.cumsum(weight_v[order_v])
    total = reached_v[-1] if request.top_k else weight_v.sum()
    ends_here = reached_v[-1] >= request.top_p * total
    falls_here = request.top_p == 1 and uniform * total < reached_v[-1]
    if not (ends_here or falls_here):
        order_v = _likeliest(wide_v, wide_v.size)
        reached_v = np.cumsum(weight_v[order_v])
        total = reached_v[-1]
    kept = int(np.searchsorted(reached_v, request.top_p * total)) + 1
    end = reached_v[kept - 1] if kept <= len(reached_v) else total
    chosen = int(np.searchsorted(reached_v, uniform * end, side="right"))
    return int(order_v[min(chosen, kept - 1, len(order_v) - 1)])


def _likeliest(wide_v: NDArray[np.float64], few: int) -> NDArray[np.intp]:
    """The places of the `few` largest numbers, largest first, of equals the first."""
    if few >= wide_v.size:
        return np.argsort(-wide_v, kind="stable")
    least = np.partition(wide_v, -few)[-few]
    places = np.flatnonzero(wide_v >= least)
    return places[np.argsort(-wide_v[places], kind="stable")][:few]
