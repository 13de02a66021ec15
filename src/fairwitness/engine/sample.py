"""From logits to one token: pure, on the host, and the same whoever else is served.

The random number of a token is drawn from (seed, place in the answer) alone, so an answer can be
repeated, resumed, or moved to another machine. What each setting means stands with `Request`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import NonFiniteLogitsError, Request

FEW = 256  # the likeliest tokens, among which nearly every draw falls
_NO_COUNTS: Mapping[int, int] = MappingProxyType({})


def sample(
    logits_v: NDArray[np.float32],
    request: Request,
    place: int,
    counts: Mapping[int, int] = _NO_COUNTS,
    allowed_v: NDArray[np.bool_] | None = None,
) -> tuple[int, float]:
    """Choose the token at `place` (0 for the first generated one); return its id and logprob.

    `counts` tells how often each token was written, 0 for one that was only read; penalties need
    it. `allowed_v` is a constraint's mask, with at least one token.

    Raises:
        NonFiniteLogitsError: the logits are not numbers to choose by.
    """
    total = log_total(logits_v)
    scored_v = adjusted(logits_v, request, counts)
    if allowed_v is None:
        token = _choose(scored_v, request, place)
    else:
        ids = np.flatnonzero(allowed_v)
        token = int(ids[_choose(scored_v[ids], request, place)])
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


def top_logprobs(logits_v: NDArray[np.float32], most: int) -> tuple[tuple[int, float], ...]:
    """The `most` likeliest tokens with their logprobs, likeliest first, of equals the lower id."""
    total = log_total(logits_v)
    return tuple(
        (int(token), float(logits_v[token]) - total) for token in _likeliest(logits_v, most)
    )


def adjusted(
    logits_v: NDArray[np.float32], request: Request, counts: Mapping[int, int]
) -> NDArray[np.float32]:
    """The logits with bias and penalties; the same array where there is none of both."""
    is_penalised = bool(counts) and request.has_penalties
    if not (is_penalised or request.logit_bias):
        return logits_v
    scored_v = logits_v.copy()
    for token, bias in request.logit_bias:
        scored_v[token] += bias
    if is_penalised:
        ids = np.fromiter(counts, np.intp, len(counts))
        times = np.fromiter(counts.values(), np.float32, len(counts))
        scored = scored_v[ids]
        repetition = np.float32(request.repetition_penalty)
        scored = np.where(scored > 0, scored / repetition, scored * repetition)
        scored -= np.float32(request.frequency_penalty) * times
        scored -= np.float32(request.presence_penalty) * (times > 0)
        scored_v[ids] = scored
    return scored_v


def _choose(scored_v: NDArray[np.float32], request: Request, place: int) -> int:
    if request.temperature == 0:
        return int(np.argmax(scored_v))
    return _draw(scored_v, request, place)


def _draw(scored_v: NDArray[np.float32], request: Request, place: int) -> int:
    """Cut to min_p, top_k and top_p, then invert the cumulative distribution at one random number.

    Sorting all tokens would take longer than the model: the likeliest few are sorted, and all only
    if the draw may fall behind them. Both give the same token.
    """
    key = np.array([request.seed % 2**64, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    wide_v = scored_v.astype(np.float64)
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the likeliest
        weight_v = np.exp((wide_v - wide_v.max()) / request.temperature)
    most = _kept(weight_v, request)
    order_v = _likeliest(wide_v, most or FEW)
    reached_v = np.cumsum(weight_v[order_v])
    total = reached_v[-1] if most else weight_v.sum()
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


def _kept(weight_v: NDArray[np.float64], request: Request) -> int:
    """How many of the likeliest tokens `min_p` and `top_k` leave; 0 for all. The likeliest weighs
    1, so a weight is a probability beside the likeliest one's."""
    if request.min_p == 0:
        return request.top_k
    likely = int(np.count_nonzero(weight_v >= request.min_p))
    return min(request.top_k or likely, likely)


def _likeliest(score_v: NDArray[np.float32] | NDArray[np.float64], few: int) -> NDArray[np.intp]:
    """The places of the `few` largest numbers, largest first, of equals the first."""
    if few >= score_v.size:
        return np.argsort(-score_v, kind="stable")
    least = np.partition(score_v, -few)[-few]
    places = np.flatnonzero(score_v >= least)
    return places[np.argsort(-score_v[places], kind="stable")][:few]
