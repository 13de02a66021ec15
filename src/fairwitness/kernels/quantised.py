"""Quantised matrices times few vectors or many: blocks of GGUF files, turned once into tiles.

A vector meets a matrix as whole numbers of 15 bits with one scale for each 32 of them, so that the
products are sums of whole numbers, exact on every machine; only what joins the blocks is rounded.
A vector's product has the same bits in whatever company it goes.

Formats: `block_q4_0`, `block_q4_1`, `block_q8_0` in ggml/src/ggml-common.h of
github.com/ggml-org/llama.cpp. Tiles: `csrc/tiles.h`.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.native import at, count, library

ROWS, COLUMNS = 16, 32  # of a tile
Q4_0, Q4_1, Q8_0 = 2, 3, 8  # as `enum ggml_type` numbers them
BLOCK_BYTES = {Q4_0: 18, Q4_1: 20, Q8_0: 34}
ANY, PLAIN, AVX2, AVX512, AMX = 0, 1, 2, 3, 4
"""What the machine instructions are: the best that there are, or these."""

_ALIGNMENT = 64
_LARGEST = 127 * 128


@dataclass(frozen=True)
class Tiles:
    """A matrix of `rows` times `columns`; `data` holds its panels, 64-byte aligned."""

    kind: int
    rows: int
    columns: int
    data: NDArray[np.uint8]


class Room:
    """Memory for many matrices in one piece, which the system can give in large pages: a step reads
    all of it, and would look up tens of thousands of small ones."""

    def __init__(self, size_bytes: int) -> None:
        self._left = _aligned(size_bytes)

    def take(self, size_bytes: int) -> NDArray[np.uint8]:
        """The next bytes of it."""
        assert size_bytes <= len(self._left)
        taken, self._left = self._left[:size_bytes], self._left[size_bytes:]
        return taken


def tiles_bytes(kind: int, rows: int, columns: int) -> int:
    """What a matrix takes as tiles."""
    return -(-rows // ROWS) * _panel_bytes(kind, columns // COLUMNS)


def pack(kind: int, blocks_rb: NDArray[np.uint8], room: Room | None = None) -> Tiles:
    """Turn the blocks of a matrix, a row of them for each row of it, into tiles; in a room of many
    or in one of their own."""
    rows, row_bytes = blocks_rb.shape
    columns = row_bytes // BLOCK_BYTES[kind] * COLUMNS
    assert row_bytes == columns // COLUMNS * BLOCK_BYTES[kind]
    blocks_rb = np.ascontiguousarray(blocks_rb)
    native = library()
    if native is None:
        return Tiles(kind, rows, columns, _packed_plainly(kind, blocks_rb))
    size_bytes = tiles_bytes(kind, rows, columns)
    out = room.take(size_bytes) if room else _aligned(size_bytes)
    native.fw_tiles_pack(count(kind), count(rows), count(columns), at(blocks_rb), at(out))
    return Tiles(kind, rows, columns, out)


def multiply(
    tiles: Tiles, x_nc: NDArray[np.float32], instructions: int = ANY
) -> NDArray[np.float32] | None:
    """Return x times the matrix's transpose, shape (n, rows); None without such instructions."""
    native = library()
    x_nc = np.ascontiguousarray(x_nc, np.float32)
    if native is None:
        return _multiplied_plainly(tiles, x_nc) if instructions in (ANY, PLAIN) else None
    out = np.empty((len(x_nc), tiles.rows), np.float32)
    native.fw_matmul.restype = ctypes.c_bool
    shape = (count(tiles.kind), count(tiles.rows), count(tiles.columns))
    vectors = (at(x_nc), count(len(x_nc)), at(out))
    return out if native.fw_matmul(count(instructions), *shape, at(tiles.data), *vectors) else None


def unpack(tiles: Tiles) -> NDArray[np.float32]:
    """Return the matrix as it was meant, shape (rows, columns)."""
    numbers, scales = _parts(tiles)
    panels, blocks = numbers.shape[:2]
    if tiles.kind == Q8_0:
        whole = numbers.reshape(panels, blocks, 8, ROWS, 4).astype(np.float32) - 128
    else:
        both = numbers.reshape(panels, blocks, 4, ROWS, 4)
        whole = np.concatenate([both & 15, both >> 4], axis=2).astype(np.float32)
    if tiles.kind == Q4_0:
        whole -= 8
    weights = whole * scales[:, :, 0, None, :, None]
    if tiles.kind == Q4_1:
        weights += scales[:, :, 1, None, :, None]
    matrix = weights.transpose(0, 3, 1, 2, 4).reshape(panels * ROWS, tiles.columns)
    return matrix[: tiles.rows]


def quantised(x_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors as a matrix meets them: whole numbers of 15 bits times a scale."""
    x_nbc = x_nc.reshape(len(x_nc), -1, COLUMNS)
    step_nb1 = np.abs(x_nbc).max(axis=2, keepdims=True) / np.float32(_LARGEST)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(step_nb1 > 0, np.rint(x_nbc / step_nb1), 0)
    meant: NDArray[np.float32] = (whole * step_nb1).reshape(x_nc.shape).astype(np.float32)
    return meant


def _multiplied_plainly(tiles: Tiles, x_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    return quantised(x_nc) @ unpack(tiles).T


def _packed_plainly(kind: int, blocks_rb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, block_bytes = len(blocks_rb), BLOCK_BYTES[kind]
    panels = -(-rows // ROWS)
    padded = np.zeros((panels * ROWS, blocks_rb.shape[1]), np.uint8)
    padded[:rows] = blocks_rb
    blocks = padded.reshape(panels, ROWS, -1, block_bytes)
    first = 4 if kind == Q4_1 else 2
    half_bytes, numbers = blocks[..., :first], blocks[..., first:]
    if kind == Q8_0:
        numbers = numbers ^ np.uint8(128)
        numbers[rows // ROWS :].reshape(-1, *numbers.shape[2:])[rows % ROWS :] = 0
    amount = blocks.shape[2]
    out = _aligned(panels * _panel_bytes(kind, amount)).reshape(panels, -1)
    turned = numbers.reshape(panels, ROWS, amount, -1, 4).transpose(0, 2, 3, 1, 4)
    ends = turned.reshape(panels, -1).shape[1]
    out[:, :ends] = turned.reshape(panels, -1)
    scales = half_bytes.reshape(panels, ROWS, amount, -1, 2).transpose(0, 2, 3, 1, 4)
    out[:, ends : ends + scales[0].size] = scales.reshape(panels, -1)
    return out.reshape(-1)


def _parts(tiles: Tiles) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The whole numbers (panels, blocks, bytes) and scales (panels, blocks, 1 or 2, 16)."""
    blocks = tiles.columns // COLUMNS
    panels = tiles.data.reshape(-(-tiles.rows // ROWS), -1)
    number_bytes, scale_bytes = _tile_bytes(tiles.kind)
    ends = blocks * number_bytes
    numbers = panels[:, :ends].reshape(len(panels), blocks, number_bytes)
    halves = np.ascontiguousarray(panels[:, ends : ends + blocks * scale_bytes]).view(np.float16)
    return numbers, halves.astype(np.float32).reshape(len(panels), blocks, -1, ROWS)


def _tile_bytes(kind: int) -> tuple[int, int]:
    """Bytes of a tile's numbers and of its scales."""
    number_bytes = ROWS * COLUMNS // (1 if kind == Q8_0 else 2)
    return number_bytes, ROWS * 2 * (2 if kind == Q4_1 else 1)


def _panel_bytes(kind: int, blocks: int) -> int:
    return -(-blocks * sum(_tile_bytes(kind)) // _ALIGNMENT) * _ALIGNMENT


def _aligned(size_bytes: int) -> NDArray[np.uint8]:
    held = np.zeros(size_bytes + _ALIGNMENT, np.uint8)
    start = -held.ctypes.data % _ALIGNMENT
    return held[start : start + size_bytes]
