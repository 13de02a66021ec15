"""Spreads: what we believe of a number, as quantiles; and draws of many spreads at once.

A `Spread` is a point or a distribution that is given by two of its quantiles. Draws are stratified
(Latin hypercube: one draw in each of `count` strata of equal probability, in random order), so
10,000 draws pin a median to a fraction of a percent. Each input draws from a stream of its own,
seeded by its name: one more input changes no other input's draws.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = float | Array
Kind = Literal["point", "uniform", "triangular", "normal", "lognormal", "logitnormal"]

COUNT = 10_000
# Results are told as the median and the interval that holds 80 % of the draws.
LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True)
class Spread:
    """A point, or a distribution given by its quantiles.

    `low` and `high` are the quantiles `below` and `1 - below`; for uniform and triangular ones they
    are the ends. `mode` is the peak of a triangular one. No draw leaves `floor` .. `ceiling`: a
    lognormal one starts at its floor, a logit-normal one lies between both, a normal one is cut.
    """

    kind: Kind
    low: float
    high: float
    mode: float = math.nan
    below: float = 0.05
    floor: float = 0.0
    ceiling: float = math.inf

    def at(self, p: Array) -> Array:
        """Return the quantiles at probabilities `p`, each within (0, 1)."""
        match self.kind:
            case "point":
                return np.full_like(p, self.low)
            case "uniform":
                return self.low + p * (self.high - self.low)
            case "triangular":
                return self._triangular(p)
            case "normal":
                return np.clip(self._between(self.low, self.high, p), self.floor, self.ceiling)
            case "lognormal":
                ends = math.log(self.low - self.floor), math.log(self.high - self.floor)
                return np.minimum(self.floor + np.exp(self._between(*ends, p)), self.ceiling)
        z = self._between(self._logit(self.low), self._logit(self.high), p)
        return self.floor + (self.ceiling - self.floor) / (1 + np.exp(-z))

    def quantile(self, p: float) -> float:
        """Return the quantile at one probability."""
        return self.low if self.kind == "point" else float(self.at(np.array([p]))[0])

    @property
    def median(self) -> float:
        """The value that half of the draws stay under."""
        return self.quantile(0.5)

    @property
    def certain(self) -> bool:
        """Whether it is a single number."""
        return self.kind == "point"

    def _between(self, low: float, high: float, p: Array) -> Array:
        reach = float(standard_normal(np.array([1 - self.below]))[0])
        return (low + high) / 2 + (high - low) / 2 * standard_normal(p) / reach

    def _logit(self, x: float) -> float:
        part = (x - self.floor) / (self.ceiling - self.floor)
        return math.log(part / (1 - part))

    def _triangular(self, p: Array) -> Array:
        width, rise = self.high - self.low, self.mode - self.low
        left = self.low + np.sqrt(p * width * rise)
        right = self.high - np.sqrt((1 - p) * width * (width - rise))
        return np.where(p * width < rise, left, right)


def point(value: float) -> Spread:
    """Return a spread that is one number."""
    return Spread("point", value, value)


def draws(
    spreads: Mapping[str, Spread], count: int = COUNT, seed: int = 0, *, stratified: bool = True
) -> dict[str, Number]:
    """Return for each name `count` draws, or one float where the spread is a point."""
    return {
        name: spread.low
        if spread.certain
        else spread.at(probabilities(name, count, seed, stratified=stratified))
        for name, spread in spreads.items()
    }


def probabilities(name: str, count: int, seed: int, *, stratified: bool = True) -> Array:
    """Return `count` probabilities within (0, 1), a function of name, count and seed alone."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    within = random.random(count)
    if stratified:
        within = (random.permutation(count) + within) / count
    # A quantile at 0 would be minus infinity.
    return np.clip(within, 1e-12, 1 - 1e-12)


def summary(result: Number) -> tuple[float, float, float]:
    """Return (median, 10 % quantile, 90 % quantile); each is one of the draws.

    Quantiles are draws themselves, not means of two, so that "never" (infinity) stays one.
    """
    if not isinstance(result, np.ndarray) or result.ndim == 0:
        return (float(result),) * 3
    low, median, high = np.quantile(result, [LOW, 0.5, HIGH], method="inverted_cdf")
    return float(median), float(low), float(high)


# Rational approximations of the normal quantile on three stretches, numerators then denominators,
# highest power first: algorithm AS 241 (PPND16), M. J. Wichura, Applied Statistics 37 (1988), whose
# relative error is about 1e-16.
_MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0),
)  # fmt: skip


def standard_normal(p: Array) -> Array:
    """Return the quantiles of the standard normal distribution at probabilities `p`."""
    q = p - 0.5
    tail = np.sqrt(-np.log(np.minimum(p, 1 - p)))
    middle = q * _ratio(_MIDDLE, 0.180625 - q * q)
    outside = np.where(tail <= 5, _ratio(_NEAR, tail - 1.6), _ratio(_FAR, tail - 5))
    return np.where(np.abs(q) <= 0.425, middle, np.copysign(outside, q))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    over, under = coefficients
    ratio: Array = np.polyval(over, x) / np.polyval(under, x)
    return ratio
