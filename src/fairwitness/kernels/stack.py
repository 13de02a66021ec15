"""A Llama-shaped decoder's step in one native call: many tokens, of many sequences.

There is no plain twin here: it is `fairwitness.models.decoder`, in JAX, and tests hold both equal.
What a row computes depends on what stands before it in its sequence alone, to the last bit: not on
the other rows, nor on how a prompt is cut, nor on threads.
"""

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import quantised
from fairwitness.kernels.native import at, count, library
from fairwitness.kernels.quantised import COLUMNS, ROWS, Tiles

Floats = NDArray[np.float32]
KEYS_TOGETHER = 16  # positions whose keys stand together in a cache


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder, as in `models.DecoderConfig`."""

    vocabulary: int
    width: int
    layers: int
    query_heads: int
    kv_heads: int
    head_size: int
    hidden: int

    @property
    def fits(self) -> bool:
        """Whether whole tiles and lanes make it up: what the native step asks for."""
        sizes = (self.width, self.head_size, self.hidden)
        return all(size % COLUMNS == 0 for size in sizes) and self.head_size <= 256


@dataclass(frozen=True)
class LayerWeights:
    """One layer: `qkv` is query, key and value heads below each other; `gate_up` has sixteen rows
    of gate, then sixteen of up, and so on."""

    attention_norm: Floats
    mlp_norm: Floats
    qkv: Tiles
    out: Tiles
    gate_up: Tiles
    down: Tiles


@dataclass(frozen=True)
class Weights:
    """All of a decoder; `head` is the embedding itself where both are tied."""

    embedding: Tiles
    head: Tiles
    norm: Floats
    frequencies: Floats  # radians a position of each pair in a head
    layers: list[LayerWeights]


@dataclass(frozen=True)
class Row:
    """A token at its position, and the cache of its sequence with room for `capacity` of them."""

    token: int
    position: int
    cache: Floats
    capacity: int


class Stack:
    """A decoder with its threads. Not for several callers at once."""

    def __init__(
        self,
        shape: Shape,
        epsilon: float,
        weights: Weights,
        threads: int,
        instructions: int = quantised.ANY,
    ) -> None:
        native = library()
        assert native is not None
        assert shape.fits
        self.shape = shape
        self._native, self._weights = native, weights  # held, for the native side points to them
        matrices = [weights.embedding, weights.head]
        norms = [weights.norm]
        for layer in weights.layers:
            matrices += [layer.qkv, layer.out, layer.gate_up, layer.down]
            norms += [layer.attention_norm, layer.mlp_norm]
        sizes = _whole(astuple(shape))
        told = _whole([_told(matrix) for matrix in matrices])
        places = _whole([norm.ctypes.data for norm in norms])
        native.fw_decoder_new.restype = ctypes.c_void_p
        self._decoder = ctypes.c_void_p(
            native.fw_decoder_new(
                count(instructions),
                at(sizes),
                ctypes.c_float(epsilon),
                at(weights.frequencies),
                at(told),
                at(places),
                count(threads),
            )
        )
        if not self._decoder:
            raise OSError(f"this machine has no instructions {instructions}")
        weakref.finalize(self, native.fw_decoder_free, self._decoder)

    def new_cache(self, capacity: int) -> Floats:
        """Room for keys and values of `capacity` positions, a multiple of 16."""
        assert capacity % KEYS_TOGETHER == 0
        shape = self.shape
        return np.zeros((shape.layers, shape.kv_heads, 2, capacity, shape.head_size), np.float32)

    def resized(self, cache: Floats, capacity: int) -> Floats:
        """The same positions in a larger cache, or the first of them in a smaller one."""
        resized = self.new_cache(capacity)
        kept = min(capacity, cache.shape[3])
        # sixteen positions of keys are as many numbers as sixteen of values
        resized[:, :, :, :kept] = cache[:, :, :, :kept]
        return resized

    def sweep(self) -> int:
        """Read every weight once, as a step of one token has to, and do nothing else; return the
        sum of their 64-bit words. How long it takes is what bounds such a step."""
        self._native.fw_decoder_sweep.restype = ctypes.c_uint64
        return int(self._native.fw_decoder_sweep(self._decoder))

    def step(self, rows: Sequence[Row], wants: Sequence[int]) -> Floats:
        """Run the rows; return logits of those that `wants` names, shape (wants, vocabulary).

        Rows of one sequence stand together, in order of position, and what stands before them in
        their sequence has been run. Positions are within the cache's capacity.
        """
        assert all(0 <= row.position < row.capacity for row in rows)
        logits_wv = np.empty((len(wants), self.shape.vocabulary), np.float32)
        told = _whole([(r.token, r.position, r.cache.ctypes.data, r.capacity) for r in rows])
        wanted = _whole(wants)
        self._native.fw_decoder_step(
            self._decoder,
            at(told),
            count(len(rows)),
            at(wanted),
            count(len(wants)),
            at(logits_wv),
        )
        return logits_wv


def interleaved(gate: NDArray[np.uint8], up: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Rows of gate and up as `LayerWeights.gate_up` has them."""
    both = np.stack([gate.reshape(-1, ROWS, gate.shape[1]), up.reshape(-1, ROWS, up.shape[1])], 1)
    return both.reshape(-1, gate.shape[1])


def _told(matrix: Tiles) -> tuple[int, int, int, int]:
    return matrix.kind, matrix.rows, matrix.columns, matrix.data.ctypes.data


def _whole(numbers: object) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)
