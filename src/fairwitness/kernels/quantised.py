"""Quantised matrices times few vectors or many: blocks of GGUF files, turned once into tiles.

Both are whole numbers with one scale for each segment of 640 columns, vectors of 15 bits, weights
of 16: what a file multiplies a block by becomes a whole factor. So products are sums of whole
numbers, exact on every machine; only what joins the segments is rounded. A vector's product has the
same bits in whatever company it goes.

Formats: `formats.py`. Tiles: `csrc/tiles.h`.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import formats
from fairwitness.kernels.formats import COLUMNS, FORMATS, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K, Q8_0
from fairwitness.kernels.native import at, count, library

ROWS = 16  # of a tile
ANY, PLAIN, AVX2, AVX512, AMX = 0, 1, 2, 3, 4
"""What the machine instructions are: the best that there are, or these."""

Floats = NDArray[np.float32]

_ALIGNMENT = 64
_CENTRES = {Q4_0: 8, Q4_1: 8, Q8_0: 128, Q4_K: 8, Q5_K: 16, Q6_K: 32}  # of numbers in tiles
_SEGMENT = 20  # tiles
_LARGEST, _LARGEST_WEIGHT = 127 * 128, 26_350


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
    told = FORMATS[kind]
    columns = row_bytes // told.size_bytes * told.tiles * COLUMNS
    assert row_bytes % told.size_bytes == 0
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
    """Return the matrix as vectors meet it, shape (rows, columns): that of the file, each weight
    off by at most 1/5,000 of the largest that its row may have in the segment where numbers have
    four bits, 1/3,000, 1/1,500 and 1/400 where they have five, six and eight."""
    numbers, factors, scales = _parts(tiles)
    panels, amount = numbers.shape[:2]
    if FORMATS[tiles.kind].bytes:
        whole = numbers.reshape(panels, amount, 8, ROWS, 4).astype(np.int32)
    else:
        both = numbers.reshape(panels, amount, 4, ROWS, 4)
        whole = np.concatenate([both & 15, both >> 4], axis=2).astype(np.int32)
    whole -= _CENTRES[tiles.kind]
    first, second = factors[:, :, None, :, :1], factors[:, :, None, :, -1:]
    if tiles.kind == Q6_K:
        whole = np.concatenate([whole[:, :, :4] * first, whole[:, :, 4:] * second], axis=2)
    else:
        whole = whole * first + (second if FORMATS[tiles.kind].halves == 2 else 0)
    weights = whole.astype(np.float32) * scales[:, :, None, :, None]
    matrix = weights.transpose(0, 3, 1, 2, 4).reshape(panels * ROWS, tiles.columns)
    return matrix[: tiles.rows]


def quantised(x_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors as a matrix meets them: whole numbers of 15 bits times a scale."""
    meant = np.empty_like(x_nc)
    for start in range(0, x_nc.shape[1], _SEGMENT * COLUMNS):
        x_ns = x_nc[:, start : start + _SEGMENT * COLUMNS]
        step_n1 = np.abs(x_ns).max(axis=1, keepdims=True) / np.float32(_LARGEST)
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where(step_n1 > 0, np.rint(x_ns / step_n1), 0)
        meant[:, start : start + _SEGMENT * COLUMNS] = whole * step_n1
    return meant


def _multiplied_plainly(tiles: Tiles, x_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    return quantised(x_nc) @ unpack(tiles).T


def _packed_plainly(kind: int, blocks_rb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    told, rows = FORMATS[kind], len(blocks_rb)
    panels = -(-rows // ROWS)
    read = formats.read(kind, blocks_rb.reshape(-1, told.size_bytes))

    def by_panel(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Panel, row, block, and what a block has of it; zeros for rows that are not there."""
        by_row = numbers.reshape(rows, len(numbers) // rows, *numbers.shape[1:])
        padded = np.zeros((panels * ROWS, *by_row.shape[1:]), np.uint8)
        padded[:rows] = by_row
        return padded.reshape(panels, ROWS, *by_row.shape[1:])

    numbers = by_panel(read.numbers)
    if not told.bytes:
        numbers = numbers[..., :16] | numbers[..., 16:] << np.uint8(4)
    fours = numbers.reshape(panels, ROWS, -1, numbers.shape[-1] // 4, 4).transpose(0, 2, 3, 1, 4)
    factors, scales = _factors(kind, read, rows)
    told_by_row = by_panel(factors.reshape(-1, *factors.shape[2:]).view(np.uint8))
    scales_prs = np.zeros((panels * ROWS, scales.shape[1]), np.float32)
    scales_prs[:rows] = scales
    scales_psr = scales_prs.reshape(panels, ROWS, -1).transpose(0, 2, 1)
    out = _aligned(panels * _panel_bytes(kind, fours.shape[1])).reshape(panels, -1)
    in_order = told_by_row.transpose(0, 2, 1, 3).reshape(panels, -1)
    ends = fours[0].size
    out[:, :ends] = fours.reshape(panels, -1)
    out[:, ends : ends + in_order.shape[1]] = in_order
    out[:, -scales_psr[0].size * 4 :] = np.ascontiguousarray(scales_psr.reshape(panels, -1)).view(
        np.uint8
    )
    return out.reshape(-1)


def _factors(kind: int, read: formats.Told, rows: int) -> tuple[NDArray[np.int16], Floats]:
    """What each row's tiles have as factors (rows, tiles, factors), and scales (rows, segments)."""
    told, centre = FORMATS[kind], _CENTRES[kind]
    halves = read.halves.copy().view(np.float16).astype(np.float64)  # (n, halves, 1)
    means = np.broadcast_to(halves.transpose(0, 2, 1), (len(halves), told.tiles, told.halves))
    if told.smalls:
        smalls = read.smalls.view(np.int8).astype(np.float64)
        means = means * smalls * ([1, 1] if kind == Q6_K else [1, -1])
    means = means.reshape(rows, -1, means.shape[2])
    first, last = means[..., 0], means[..., -1]
    with np.errstate(invalid="ignore"):
        if told.halves == 2:
            most = np.maximum(np.abs(last), np.abs(first * (2 * centre - 1) + last))
        else:
            most = centre * np.abs(means).max(axis=2)
        out = np.zeros(means.shape, np.int16)
        scales = []
        for start in range(0, means.shape[1], _SEGMENT):
            here = slice(start, start + _SEGMENT)
            peak = most[:, here].max(axis=1)
            scale = np.where(np.isfinite(peak), peak / _LARGEST_WEIGHT, np.nan).astype(np.float32)
            scales.append(scale)
            wide = np.where(scale > 0, scale, np.inf).astype(np.float64)[:, None, None]
            wholes = np.rint(means[:, here] / wide)
            if told.halves == 2:
                halfway = first[:, here] * (centre - 0.5) + last[:, here]
                wholes[..., 1] = np.rint(halfway / wide[..., 0] + 0.5 * wholes[..., 0])
            out[:, here] = np.where(np.isfinite(scale[:, None, None]), wholes, 0)
    return out, np.stack(scales, axis=1)


def _parts(tiles: Tiles) -> tuple[NDArray[np.uint8], NDArray[np.int32], Floats]:
    """The whole numbers (panels, tiles, bytes), their factors (panels, tiles, rows, factors), and
    scales (panels, tiles, rows)."""
    amount = tiles.columns // COLUMNS
    panels = tiles.data.reshape(-(-tiles.rows // ROWS), -1)
    number_bytes, factor_bytes = _tile_bytes(tiles.kind)
    ends = amount * number_bytes
    numbers = panels[:, :ends].reshape(len(panels), amount, number_bytes)
    factors = np.ascontiguousarray(panels[:, ends : ends + amount * factor_bytes]).view(np.int16)
    segments = -(-amount // _SEGMENT)
    scales = np.ascontiguousarray(panels[:, -segments * ROWS * 4 :]).view(np.float32)
    scales = scales.reshape(len(panels), segments, ROWS).repeat(_SEGMENT, axis=1)[:, :amount]
    return numbers, factors.reshape(len(panels), amount, ROWS, -1).astype(np.int32), scales


def _tile_bytes(kind: int) -> tuple[int, int]:
    """Bytes of a tile's numbers and of its factors."""
    told = FORMATS[kind]
    numbers = ROWS * COLUMNS // (1 if told.bytes else 2)
    return numbers, ROWS * 2 * (2 if told.halves == 2 or kind == Q6_K else 1)


def _panel_bytes(kind: int, tiles: int) -> int:
    numbers = -(-tiles * sum(_tile_bytes(kind)) // _ALIGNMENT) * _ALIGNMENT
    return numbers + -(-tiles // _SEGMENT) * ROWS * 4


def _aligned(size_bytes: int) -> NDArray[np.uint8]:
    held = np.zeros(size_bytes + _ALIGNMENT, np.uint8)
    start = -held.ctypes.data % _ALIGNMENT
    return held[start : start + size_bytes]
