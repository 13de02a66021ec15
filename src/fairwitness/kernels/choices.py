"""From logits to a token: the likeliest, how likely all are together, and seeded draws.

Both twins give the same bits. So each says in which order it sums: numbers of a block of 512 in
sixteen lanes, the lanes by halves, then the blocks one after the other; and e to the x is computed
in float32 by the same products and sums.
"""

import ctypes
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native

FEW = 256  # the likeliest tokens, which nearly always have most of the probability
_LANES, _BLOCK = 16, 512
_TERMS = (
    1.3264727313e-3,
    9.6715129912e-3,
    5.5507335812e-2,
    2.4022242427e-1,
    6.9314700365e-1,
    1.0,
)
_COLDEST = 1e-30  # no two logits are so near that this would not part them

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Cuts:
    """What may be drawn, as `fairwitness.engine.Request` has it; 0 is no `top_k`."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float


def summarised(logits_wv: Floats) -> tuple[Places, Doubles]:
    """Return of each row which of its logits is the highest, the first of equals, and the log of
    the sum of all e to the logit: what a logit is above its log-probability. That is NaN, and the
    other means nothing, if a logit is infinity or NaN."""
    rows, count = logits_wv.shape
    likeliest_w, log_total_w = np.empty(rows, np.int64), np.empty(rows, np.float64)
    library = native.library()
    if library is None:
        for row, logits_v in enumerate(logits_wv):
            likeliest_w[row], log_total_w[row] = _summary(logits_v)
        return likeliest_w, log_total_w
    numbers = native.count(rows), native.count(count)
    told = native.at(likeliest_w), native.at(log_total_w)
    library.fw_choices_summarise(native.at(logits_wv), *numbers, *told)
    return likeliest_w, log_total_w


def likeliest(scores_v: Floats, few: int) -> Places:
    """Return the places of the `few` highest scores, highest first, of equals the first; of all
    scores, if they are fewer. No score is NaN."""
    few = min(few, scores_v.size)
    library = native.library()
    if library is None:
        return _likeliest(scores_v, few)
    places = np.empty(few, np.int64)
    numbers = native.count(scores_v.size), native.count(few)
    library.fw_choices_likeliest(native.at(scores_v), *numbers, native.at(places))
    return places


def chosen(
    scores_v: Floats, allowed_v: NDArray[np.bool_] | None, cuts: Cuts, seed: int, place: int
) -> int:
    """Return the token that is chosen by its score, of those that `allowed_v` has, if there is one.

    Temperature 0 takes the likeliest. Else one is drawn of those that the cuts leave: the
    cumulative distribution, in the order of ids, is inverted at the first number of Philox for the
    key (seed, place).
    """
    assert allowed_v is None or (allowed_v.dtype == np.bool_ and allowed_v.shape == scores_v.shape)
    temperature = max(cuts.temperature, _COLDEST) if cuts.temperature else 0.0
    library = native.library()
    if library is None:
        return _chosen(scores_v, allowed_v, cuts, temperature, (seed, place))
    call = library.fw_choices_choose
    call.restype = ctypes.c_int64
    mask = None if allowed_v is None else native.at(allowed_v)
    settings = native.count(cuts.top_k), ctypes.c_double(cuts.top_p), ctypes.c_float(cuts.min_p)
    key = ctypes.c_uint64(seed % 2**64), ctypes.c_uint64(place)
    told = native.at(scores_v), mask, native.count(scores_v.size), ctypes.c_float(temperature)
    token: int = call(*told, *settings, *key)
    return token


# ── the twins ────────────────────────────────────────────────────────────────────────────────────


def _summary(logits_v: Floats) -> tuple[int, float]:
    if not np.isfinite(logits_v).all():
        return 0, math.nan
    highest = int(np.argmax(logits_v))
    sums = _sums(_exponential(logits_v - logits_v[highest]))
    return highest, float(logits_v[highest]) + math.log(float(np.cumsum(sums)[-1]))


def _exponential(x: Floats) -> Floats:
    """e to the x, of x that is 0 at most; 0 below -87. It is 2 to the power of a whole number and
    of f, for which a polynomial of degree 5 stands."""
    shift = np.float32(12582912.0)  # 1.5 * 2^23: what is added to it is rounded to whole
    with np.errstate(invalid="ignore"):
        power = x * np.float32(1.44269504)
        shifted = power + shift
        f = power - (shifted - shift)
        p = f * np.float32(_TERMS[0]) + np.float32(_TERMS[1])
        for term in _TERMS[2:]:
            p = p * f + np.float32(term)
    scaled: Floats = (p.view(np.int32) + (shifted.view(np.int32) << 23)).view(np.float32)
    return np.where(x < -87, np.float32(0), scaled)


def _sums(weight_v: Floats) -> Doubles:
    """The sum of each block."""
    blocks = -(-weight_v.size // _BLOCK)
    wide = np.zeros(blocks * _BLOCK, np.float32)
    wide[: weight_v.size] = weight_v
    lanes_bl = np.zeros((blocks, _LANES), np.float32)
    for part_bl in wide.reshape(blocks, -1, _LANES).swapaxes(0, 1):
        lanes_bl = lanes_bl + part_bl
    while lanes_bl.shape[1] > 1:
        half = lanes_bl.shape[1] // 2
        lanes_bl = lanes_bl[:, :half] + lanes_bl[:, half:]
    return lanes_bl[:, 0].astype(np.float64)


def _chosen(
    scores_v: Floats,
    allowed_v: NDArray[np.bool_] | None,
    cuts: Cuts,
    temperature: float,
    key: tuple[int, int],
) -> int:
    if allowed_v is not None:
        scores_v = np.where(allowed_v, scores_v, np.float32(-np.inf))
    if temperature == 0:
        return int(np.argmax(scores_v))
    with np.errstate(over="ignore"):  # a temperature near 0 leaves only the likeliest
        weight_v = _exponential((scores_v - scores_v.max()) / np.float32(temperature))
    seed, place = key
    philox = np.random.Philox(key=np.array([seed % 2**64, place], np.uint64))
    share = np.random.Generator(philox).random()
    ids = _kept(scores_v, weight_v, cuts)
    if ids is not None:
        return int(ids[_first_past(weight_v[ids], 0.0, share * float(_running(weight_v[ids])[-1]))])
    reached = np.cumsum(_sums(weight_v))
    goal = share * float(reached[-1])
    block = min(int(np.searchsorted(reached, goal, side="right")), len(reached) - 1)
    before = float(reached[block - 1]) if block else 0.0
    start = block * _BLOCK
    return start + _first_past(weight_v[start : start + _BLOCK], before, goal)


def _running(weight_v: Floats) -> Doubles:
    return np.cumsum(weight_v, dtype=np.float64)


def _first_past(weight_v: Floats, before: float, goal: float) -> int:
    """Where the running sum passes the goal; the last that weighs anything, if none does."""
    reached = _running(np.concatenate([[before], weight_v]))[1:]
    place = int(np.searchsorted(reached, goal, side="right"))
    return place if place < len(reached) else int(np.flatnonzero(weight_v)[-1])


def _kept(scores_v: Floats, weight_v: Floats, cuts: Cuts) -> Places | None:
    """The ids that the cuts leave, in their order; None for all. The likeliest token weighs 1, so
    a weight is a probability beside the likeliest one's."""
    most = min(cuts.top_k or weight_v.size, weight_v.size)
    if cuts.min_p > 0:
        most = min(most, int(np.count_nonzero(weight_v >= np.float32(cuts.min_p))))
    if cuts.top_p < 1:
        return np.sort(_nucleus(scores_v, weight_v, most, cuts.top_p))
    return None if most == weight_v.size else np.sort(_likeliest(scores_v, most))


def _nucleus(scores_v: Floats, weight_v: Floats, most: int, top_p: float) -> Places:
    """The fewest of the `most` likeliest tokens that have `top_p` of their weight together.

    Sorting all tokens would take longer than the model: it is tried with few, then with more.
    """
    total = float(np.cumsum(_sums(weight_v))[-1])
    few = min(FEW, most) if most == weight_v.size else most
    while True:
        order_v = _likeliest(scores_v, few)
        reached = _running(weight_v[order_v])
        if few == most:
            total = float(reached[-1])
        if reached[-1] >= top_p * total:
            return order_v[: int(np.searchsorted(reached, top_p * total)) + 1]
        few = min(8 * few, most)


def _likeliest(scores_v: Floats, few: int) -> Places:
    if few >= scores_v.size:
        return np.argsort(-scores_v, kind="stable")
    least = np.partition(scores_v, -few)[-few]
    places = np.flatnonzero(scores_v >= least)
    return places[np.argsort(-scores_v[places], kind="stable")][:few]
