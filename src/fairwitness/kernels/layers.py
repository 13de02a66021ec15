"""Layers of an encoder over one text, in one native call where the machine has AMX.

Matrices, and what meets them, are bfloat16; sums and all else are float32. Elsewhere there is no
such thing: whoever asks goes on in numpy.

Shapes: t tokens, d width, f inner width.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.native import at, count, library

Floats = NDArray[np.float32]
_TILE, _DEEP = 16, 32  # a tile of a matrix: given by taken
_HEAD = 32
_ORDER = ("heads", "output", "seen_norm", "up", "down", "thought_norm")


@dataclass(frozen=True)
class Stack:
    """Layers as the kernel takes them; `held` keeps what `table` points to."""

    width: int
    inner: int
    heads: int
    epsilon: float
    table: NDArray[np.int64]
    held: tuple[NDArray[Any], ...]

    def through(self, x_td: Floats, first: int = 0, last: int | None = None) -> Floats | None:
        """Return states after layers `first` to `last`; None on a machine without AMX."""
        native = library()
        if native is None:
            return None
        out_td = np.array(x_td, np.float32, order="C")
        some = self.table[first:last]
        native.fw_encode.restype = ctypes.c_bool
        sizes = [count(n) for n in (len(some), len(x_td), self.width, self.inner, self.heads)]
        epsilon = ctypes.c_float(self.epsilon)
        done = native.fw_encode(at(some), *sizes, epsilon, at(out_td))
        return out_td if done else None


def stack(layers: Sequence[dict[str, Any]], heads: int, epsilon: float) -> Stack:
    """Return layers as the kernel takes them.

    Each has `heads`, of query, key and value below each other, `output`, `up` and `down` with a
    weight of [given, taken] and a bias, and two norms with a scale and a bias. Heads are 32 wide,
    all sizes whole 32s.
    """
    held: list[NDArray[Any]] = []
    for layer in layers:
        for name in _ORDER:
            part = layer[name]
            first = _tiles(part["weight"]) if "weight" in part else _floats(part["scale"])
            held += [first, _floats(part["bias"])]
    width, inner = layers[0]["down"]["weight"].shape
    assert width == heads * _HEAD
    table = np.array([each.ctypes.data for each in held], np.int64).reshape(len(layers), -1)
    return Stack(width, inner, heads, epsilon, table, tuple(held))


def _tiles(weight_gt: Floats) -> NDArray[np.uint16]:
    given, taken = weight_gt.shape
    assert given % (2 * _TILE) == taken % _DEEP == 0
    bits = np.ascontiguousarray(weight_gt, np.float32).view(np.uint32) + np.uint32(0x8000)
    halves = (bits >> np.uint32(16)).astype(np.uint16)
    tiles = halves.reshape(given // _TILE, _TILE, taken // _DEEP, _DEEP // 2, 2)
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 1, 4))


def _floats(numbers: Floats) -> Floats:
    return np.ascontiguousarray(numbers, np.float32)
