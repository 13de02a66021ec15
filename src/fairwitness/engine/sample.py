"""From logits to one token: pure, on the host, and the same whoever else is served.

The random number of a token is drawn from (seed, place in the answer) alone, so an answer can be
repeated, resumed, or moved to another machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import NonFiniteLogitsError, Request


def sample(logits_v: NDArray[np.float32], request: Request, place: int) -> tuple[int, float]:
    """Choose the token at `place` (0 for the first generated one); return its id and logprob.

    Raises:
        NonFiniteLogitsError: the logits are not numbers to choose by.
    """
    logprobs_v = log_softmax(logits_v)
    if request.temperature == 0:
        token = int(np.argmax(logprobs_v))
    else:
        token = _draw(logprobs_v, request, place)
    return token, float(logprobs_v[token])


def log_softmax(logits_v: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-probabilities in float64.

    Raises:
        NonFiniteLogitsError: the logits hold infinity or NaN.
    """
    wide_v = logits_v.astype(np.float64)
    peak = wide_v.max()
    if not np.isfinite(wide_v).all():
        raise NonFiniteLogitsError("the model computed logits that are not finite")
    wide_v -= peak
    wide_v -= np.log(np.exp(wide_v).sum())
    return wide_v


def _draw(logprobs_v: NDArray[np.float64], request: Request, place: int) -> int:
    """Cut to top_k and top_p, then invert the cumulative distribution at one random number."""
    order_v = np.argsort(-logprobs_v, kind="stable")
    if request.top_k:
        order_v = order_v[: request.top_k]
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the likeliest
        weight_v = np.exp((logprobs_v[order_v] - logprobs_v[order_v[0]]) / request.temperature)
    cumulative_v = np.cumsum(weight_v / weight_v.sum())
    kept = int(np.searchsorted(cumulative_v, request.top_p)) + 1
    cumulative_v = cumulative_v[:kept]
    key = np.array([request.seed % 2**64, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    chosen = int(np.searchsorted(cumulative_v, uniform * cumulative_v[-1], side="right"))
    return int(order_v[min(chosen, len(cumulative_v) - 1)])
