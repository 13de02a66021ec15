"""RoPE's frequencies, and the ways to stretch them over a longer context than was trained.

A pair of a head's numbers is turned by its position times a frequency. Every rule below changes the
frequencies alone; YaRN also makes the turned vectors a little longer.

Facts: the `_compute_*` functions of transformers' modeling_rope_utils.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Linear:
    """Every wave is slowed alike."""

    factor: float


@dataclass(frozen=True)
class Llama3:
    """Slow waves are stretched, fast ones kept, those between are blended."""

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_context: int


@dataclass(frozen=True)
class Yarn:
    """As Llama 3's rule with its borders told in turns, and longer vectors (arXiv 2309.00071)."""

    factor: float
    original_context: int
    amplitude: float  # what queries and keys are multiplied by
    fast_turns: float = 32.0
    slow_turns: float = 1.0
    whole_pairs: bool = True  # the borders are rounded outwards to whole pairs


@dataclass(frozen=True)
class Dynamic:
    """NTK: past the trained context the base grows with the position.

    A position is turned by the base of a sequence that ends with it. That is what feeding one
    token after another gives in transformers, and the pieces that a prompt is cut into do not
    matter.
    """

    factor: float
    original_context: int


RopeScaling = Linear | Llama3 | Yarn | Dynamic


def frequencies(
    head_size: int, base: float, scaling: RopeScaling | None = None
) -> NDArray[np.float64]:
    """Radians per position of each pair, [head_size / 2]. `Dynamic` is left to each position."""
    exponent_k = np.arange(0, head_size, 2, dtype=np.float64) / head_size
    return scaled(base**-exponent_k, base, scaling)


def scaled(
    frequency_k: NDArray[np.float64], base: float, scaling: RopeScaling | None
) -> NDArray[np.float64]:
    """The frequencies after the rule."""
    match scaling:
        case Linear(factor):
            return frequency_k / factor
        case Llama3():
            turns_k = scaling.original_context * frequency_k / (2 * np.pi)
            low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
            keep_k = np.clip((turns_k - low) / (high - low), 0.0, 1.0)
            return frequency_k * (keep_k + (1 - keep_k) / scaling.factor)
        case Yarn():
            keep_k = _kept_by_yarn(len(frequency_k), base, scaling)
            return frequency_k * (keep_k + (1 - keep_k) / scaling.factor)
    return frequency_k


def amplitude(scaling: RopeScaling | None) -> float:
    """What turned queries and keys are multiplied by."""
    return scaling.amplitude if isinstance(scaling, Yarn) else 1.0


def yarn_amplitude(factor: float, weight: float = 1.0) -> float:
    """The length that the paper advises for a stretch by `factor`."""
    return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0


def _kept_by_yarn(pairs: int, base: float, scaling: Yarn) -> NDArray[np.float64]:
    """1 where a pair turns often within the trained context, 0 where seldom, a ramp between."""
    head_size = 2 * pairs

    def pair_that_turns(times: float) -> float:
        length = scaling.original_context / (times * 2 * math.pi)
        return head_size * math.log(length) / (2 * math.log(base))

    first, last = pair_that_turns(scaling.fast_turns), pair_that_turns(scaling.slow_turns)
    if scaling.whole_pairs:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, head_size - 1)
    if first == last:
        last += 0.001
    ramp_k = (np.arange(pairs, dtype=np.float64) - first) / (last - first)
    return 1 - ramp_k.clip(0.0, 1.0)
