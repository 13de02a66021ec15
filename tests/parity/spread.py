"""Weights that follow from a tensor's name alone, so that a golden need not carry them.

Plain integer arithmetic, the same in every version of every library; numpy and nothing else, since
the scripts that make goldens run in environments of their own.
"""

import zlib

import numpy as np


def spread(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 weights: norms about one, biases and sinks small, matrices that keep a size."""
    even = _unit(zlib.crc32(name.encode()), int(np.prod(shape))).reshape(shape)
    if "norm" in name:
        return (1 + 0.5 * even).astype(np.float32)
    if len(shape) == 1 or "bias" in name:
        return (0.5 * even).astype(np.float32)
    return (2.0 * shape[-1] ** -0.5 * even).astype(np.float32)


def _unit(seed: int, count: int) -> np.ndarray:
    """Numbers evenly spread over -1..1, by splitmix64 (prng.di.unimi.it/splitmix64.c)."""
    state = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)
    with np.errstate(over="ignore"):
        z = state * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) / 2.0**52 - 1.0
