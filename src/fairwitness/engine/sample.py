"""From logits to one token: pure, on the host, and the same whoever else is served.

The random number of a token is drawn from (seed, place in the answer) alone, so an answer can be
repeated, resumed, or moved to another machine. What each setting means stands with `Request`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.request import NonFiniteLogitsError, Request
from fairwitness.kernels import choices

_NO_COUNTS: Mapping[int, int] = MappingProxyType({})


class Logits(NamedTuple):
    """One row of logits, with what `choices.summarised` says of it."""

    row_v: NDArray[np.float32]
    likeliest: int
    log_total: float

    def logprob(self, token: int) -> float:
        """The natural log of a token's probability.

        Raises:
            NonFiniteLogitsError: the logits hold infinity or NaN.
        """
        if math.isnan(self.log_total):
            raise NonFiniteLogitsError("the model computed logits that are not finite")
        return float(self.row_v[token]) - self.log_total


def rows_of(logits_wv: NDArray[np.float32]) -> list[Logits]:
    """The rows one by one."""
    likeliest_w, log_total_w = choices.summarised(logits_wv)
    return list(map(Logits, logits_wv, likeliest_w.tolist(), log_total_w.tolist()))


def sample(
    logits: Logits,
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
    likely = logits.logprob(logits.likeliest)
    scored_v = adjusted(logits.row_v, request, counts)
    if request.temperature == 0 and allowed_v is None and scored_v is logits.row_v:
        return logits.likeliest, likely
    cuts = choices.Cuts(request.temperature, request.top_k, request.top_p, request.min_p)
    token = choices.chosen(scored_v, allowed_v, cuts, request.seed, place)
    return token, logits.logprob(token)


def top_logprobs(logits: Logits, most: int) -> tuple[tuple[int, float], ...]:
    """The `most` likeliest tokens with their logprobs, likeliest first, of equals the lower id."""
    tokens = choices.likeliest(logits.row_v, most).tolist()
    return tuple((token, logits.logprob(token)) for token in tokens)


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
