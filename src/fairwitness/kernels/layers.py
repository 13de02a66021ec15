"""Layers of an encoder over texts, all of them in one native call.

With AMX, matrices and what meets them are bfloat16. Elsewhere they are whole numbers of eight bits:
of a matrix 64 neighbours of a row have a scale of their own, and of what meets it a step and a
middle. Such sums are exact, so machines differ by what floats round. All else is float32.

Shapes: t tokens, d width, f inner width.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.native import at, count, library
from fairwitness.kernels.quantised import ANY, Room

Floats = NDArray[np.float32]
_TILE, _DEEP = 16, 32  # a tile of a matrix: given by taken
_BLOCK = 64  # neighbours that are worth alike
_HEAD = 32
_HALVES = 16  # bits
_ORDER = ("heads", "output", "seen_norm", "up", "down", "thought_norm")


@dataclass(frozen=True)
class Stack:
    """Layers as the kernel takes them; `held` keeps what `table` points to."""

    instructions: int
    width: int
    inner: int
    heads: int
    epsilon: float
    table: NDArray[np.int64]
    held: tuple[NDArray[Any], ...]

    def through(
        self, texts: Sequence[Floats], first: int = 0, last: int | None = None
    ) -> list[Floats]:
        """Return states of texts, each of [t, d], after layers `first` to `last`.

        No text sees another, and it has the same bits in whatever company it goes.
        """
        native = library()
        assert native is not None, "there was one when they were stacked"
        ends = np.cumsum([len(x_td) for x_td in texts], dtype=np.int64)
        out_td = np.concatenate(texts, dtype=np.float32)
        some = self.table[first:last]
        sizes = [count(n) for n in (len(ends), self.width, self.inner, self.heads)]
        layers = (count(self.instructions), at(some), count(len(some)), at(ends), *sizes)
        native.fw_encode(*layers, ctypes.c_float(self.epsilon), at(out_td))
        return np.split(out_td, ends[:-1])


def stack(
    layers: Sequence[dict[str, Any]], heads: int, epsilon: float, instructions: int = ANY
) -> Stack | None:
    """Return layers as the kernel takes them; None where there is none, or no such instructions.

    Each has `heads`, of query, key and value below each other, `output`, `up` and `down` with a
    weight of [given, taken] and a bias, and two norms with a scale and a bias. Heads are 32 wide,
    all sizes whole 64s.
    """
    width, inner = layers[0]["down"]["weight"].shape
    assert width == heads * _HEAD
    assert width % _BLOCK == inner % _BLOCK == 0
    native = library()
    native_bits = native.fw_encoder_bits(count(instructions)) if native else 0
    if not native_bits:
        return None
    pack = _halves if native_bits == _HALVES else _bytes
    held: list[NDArray[Any]] = []
    for layer in layers:
        for name in _ORDER:
            part = layer[name]
            first = pack(part["weight"]) if "weight" in part else _floats(part["scale"])
            held += [first, _floats(part["bias"])]
    table = np.array([each.ctypes.data for each in held], np.int64).reshape(len(layers), -1)
    return Stack(instructions, width, inner, heads, epsilon, table, tuple(held))


def _halves(weight_gt: Floats) -> NDArray[np.uint16]:
    given, taken = weight_gt.shape
    bits = np.ascontiguousarray(weight_gt, np.float32).view(np.uint32) + np.uint32(0x8000)
    halves = (bits >> np.uint32(16)).astype(np.uint16)
    tiles = halves.reshape(given // _TILE, _TILE, taken // _DEEP, _DEEP // 2, 2)
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 1, 4))


def _bytes(weight_gt: Floats) -> NDArray[np.uint8]:
    """Return panels of 16 given, as `csrc/encoder_bytes.h` has them."""
    given, taken = weight_gt.shape
    blocks_gbk = weight_gt.astype(np.float32).reshape(given, -1, _BLOCK)
    scale_gb1 = np.abs(blocks_gbk).max(-1, keepdims=True) / np.float32(127)
    whole_gbk = np.rint(blocks_gbk / np.where(scale_gb1 > 0, scale_gb1, 1))
    fours = (whole_gbk + 128).astype(np.uint8).reshape(given // _TILE, _TILE, taken // 4, 4)
    come_to_gb1 = whole_gbk.sum(-1, keepdims=True) * scale_gb1
    worth_gb2 = np.concatenate([scale_gb1, come_to_gb1], axis=-1).astype(np.float32)
    worth = worth_gb2.reshape(given // _TILE, _TILE, -1, 2).transpose(0, 2, 3, 1)
    panels = given // _TILE
    numbers = fours.transpose(0, 2, 1, 3).reshape(panels, -1)
    told = np.ascontiguousarray(worth).view(np.uint8).reshape(panels, -1)
    size_bytes = numbers.shape[1] + told.shape[1]
    out = Room(panels * size_bytes).take(panels * size_bytes).reshape(panels, size_bytes)
    out[:, : numbers.shape[1]] = numbers
    out[:, numbers.shape[1] :] = told
    return out


def _floats(numbers: Floats) -> Floats:
    return np.ascontiguousarray(numbers, np.float32)
