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

FEW = 256  # the likeliest tokens, which nearly always have most of the probability
_BLOCK = 512
_COLDEST = 1e-30  # no two logits are so near that this would not part them
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
    return peak + math.log(float(np.exp(logits_v - np.float32(peak)).sum()))


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
    """Cut to min_p, top_k and top_p, then invert the cumulative distribution of what is left, in
    the order of ids, at one random number. Nothing is sorted that the cuts do not ask for."""
    key = np.array([request.seed % 2**64, place], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random()
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the likeliest
        weight_v = np.exp((scored_v - scored_v.max()) / max(request.temperature, _COLDEST))
    ids = _kept(scored_v, weight_v, request)
    if ids is None:
        return _place_at(weight_v, uniform)
    return int(ids[_place_at(weight_v[ids], uniform)])


def _place_at(weight_v: NDArray[np.float32], share: float) -> int:
    """Where the running sum of weights passes `share` of all: by sums of blocks, then within one,
    since one running sum over a vocabulary takes longer than everything else here."""
    starts = np.arange(0, weight_v.size, _BLOCK)
    reached = np.cumsum(np.add.reduceat(weight_v, starts, dtype=np.float64))
    goal = share * reached[-1]
    block = min(int(np.searchsorted(reached, goal, side="right")), len(reached) - 1)
    start = block * _BLOCK
    within = np.cumsum(weight_v[start : start + _BLOCK], dtype=np.float64)
    if block:
        within += reached[block - 1]
    return start + min(int(np.searchsorted(within, goal, side="right")), len(within) - 1)


def _kept(
    scored_v: NDArray[np.float32], weight_v: NDArray[np.float32], request: Request
) -> NDArray[np.intp] | None:
    """The ids that the cuts leave, in their order; None for all. The likeliest token weighs 1, so a
    weight is a probability beside the likeliest one's."""
    most = request.top_k or weight_v.size
    if request.min_p > 0:
        most = min(most, int(np.count_nonzero(weight_v >= request.min_p)))
    if request.top_p < 1:
        return np.sort(_nucleus(scored_v, weight_v, most, request.top_p))
    if most >= weight_v.size:
        return None
    return np.sort(_likeliest(scored_v, most))


def _nucleus(
    scored_v: NDArray[np.float32], weight_v: NDArray[np.float32], most: int, top_p: float
) -> NDArray[np.intp]:
    """The fewest of the `most` likeliest tokens that have `top_p` of their weight together.

    Sorting all tokens would take longer than the model: it is tried with few, then with more.
    """
    total = float(weight_v.sum(dtype=np.float64))
    few = min(FEW, most) if most == weight_v.size else most
    while True:
        order_v = _likeliest(scored_v, few)
        reached = np.cumsum(weight_v[order_v], dtype=np.float64)
        if few == most:
            total = float(reached[-1])
        if reached[-1] >= top_p * total:
            return order_v[: int(np.searchsorted(reached, top_p * total)) + 1]
        few = min(8 * few, most)


def _likeliest(score_v: NDArray[np.float32], few: int) -> NDArray[np.intp]:
    """The places of the `few` largest numbers, largest first, of equals the first."""
    if few >= score_v.size:
        return np.argsort(-score_v, kind="stable")
    least = np.partition(score_v, -few)[-few]
    places = np.flatnonzero(score_v >= least)
    return places[np.argsort(-score_v[places], kind="stable")][:few]
