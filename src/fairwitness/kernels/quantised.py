"""Quantised matrices times few vectors or many: blocks of GGUF files, turned once into tiles.

A vector meets a matrix as whole numbers of 16 bits with one step for each segment of 320 columns.
Of matrices whose blocks are 32 numbers of four bits, weights are such whole numbers too; others
keep the scales of their blocks. So products are sums of whole numbers, exact on every machine, and
only what joins segments or blocks is rounded. A vector's product has the same bits in whatever
company it goes.

Formats: `formats.py`. Tiles: `csrc/tiles.h`.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import formats
from fairwitness.kernels.formats import COLUMNS, FORMATS, Q4_0, Q4_1, Q6_K, Q8_0
from fairwitness.kernels.native import at, count, library

ROWS = 16  # of a tile
ANY, PLAIN, AVX2, AVX512, AMX = 0, 1, 2, 3, 4
"""What the machine instructions are: the best that there are, or these."""

Floats = NDArray[np.float32]

_ALIGNMENT = 64
_EXCESS = {Q4_0: 8, Q4_1: 8, Q8_0: 128, Q6_K: 32}  # of numbers in tiles
_WHOLE = (Q4_0, Q4_1)  # kinds of whole weights
_SEGMENT = 10  # tiles
_LARGEST, _LARGEST_WEIGHT = 127 * 256, 32_760


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
    """Return the matrix as it was meant, shape (rows, columns)."""
    numbers, first, second = _parts(tiles)
    panels, blocks_there = numbers.shape[:2]
    if FORMATS[tiles.kind].bytes:
        whole = numbers.reshape(panels, blocks_there, 8, ROWS, 4).astype(np.float32)
    else:
        both = numbers.reshape(panels, blocks_there, 4, ROWS, 4)
        whole = np.concatenate([both & 15, both >> 4], axis=2).astype(np.float32)
    whole -= _EXCESS.get(tiles.kind, 0)
    weights = whole * first[:, :, None, :, None]
    if tiles.kind == Q6_K:
        weights[:, :, 4:] = whole[:, :, 4:] * second[:, :, None, :, None]
    elif FORMATS[tiles.kind].halves == 2:
        weights += second[:, :, None, :, None]
    matrix = weights.transpose(0, 3, 1, 2, 4).reshape(panels * ROWS, tiles.columns)
    return matrix[: tiles.rows]


def quantised(x_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors as a matrix meets them: whole numbers of 16 bits times a step."""
    meant_nc = np.empty_like(x_nc)
    for start in range(0, x_nc.shape[1], _SEGMENT * COLUMNS):
        x_ns = x_nc[:, start : start + _SEGMENT * COLUMNS]
        step_n1 = np.abs(x_ns).max(axis=1, keepdims=True) / np.float32(_LARGEST)
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where(step_n1 > 0, np.rint(x_ns / step_n1), 0)
        whole += whole % 256 == 128  # neither part goes below -127
        meant_nc[:, start : start + _SEGMENT * COLUMNS] = whole * step_n1
    return meant_nc


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
    if kind in _WHOLE:
        factors, exponents = _factors(read, rows)
        in_panel = [by_panel(each).swapaxes(1, 2) for each in (factors, exponents)]
        scales = np.concatenate([each.reshape(panels, -1) for each in in_panel], axis=1)
    else:
        halves = by_panel(read.halves).transpose(0, 2, 3, 1, 4)
        smalls = by_panel(read.smalls).transpose(0, 2, 3, 4, 1)
        in_block = [each.reshape(*each.shape[:2], -1) for each in (halves, smalls)]
        scales = np.concatenate(in_block, axis=2).reshape(panels, -1)
    ends = fours[0].size
    out = _aligned(panels * _panel_bytes(kind, fours.shape[1])).reshape(panels, -1)
    out[:, :ends] = fours.reshape(panels, -1)
    out[:, ends : ends + scales.shape[1]] = scales
    return out.reshape(-1)


def _factors(read: formats.Told, rows: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What whole weights of blocks, one row behind the other, are made of: the bytes of factors and
    middles, one for each block, and the exponents of units, one for each segment."""
    halves = read.halves.copy().view(np.float16)[..., 0].astype(np.float64)
    factor = halves[:, 0].reshape(rows, -1)
    has_least = halves.shape[1] == 2
    with np.errstate(invalid="ignore", over="ignore"):
        least = halves[:, 1].reshape(rows, -1) if has_least else -8 * factor
        most = np.abs(least)
        if has_least:
            most = np.maximum(most, np.abs(15 * factor + least))
        starts = range(0, factor.shape[1], _SEGMENT)
        peak = np.stack([most[:, s : s + _SEGMENT].max(axis=1) for s in starts], axis=1)
        fraction, exponent = np.frexp(peak / _LARGEST_WEIGHT)
        exponent -= fraction == 0.5
        wide = np.repeat(exponent, _SEGMENT, axis=1)[:, : factor.shape[1]]
        whole = np.rint(np.ldexp(factor, -wide))
        middle = np.rint(np.ldexp(7.5 * factor + least, -wide) + 0.5 * whole)
    both = np.stack([whole, middle] if has_least else [whole], axis=2)
    is_finite = np.isfinite(peak)
    both[~np.repeat(is_finite, _SEGMENT, axis=1)[:, : factor.shape[1]]] = 0
    told = np.where(is_finite, np.where(peak > 0, exponent + 127 + 8, 0), 255).astype(np.uint8)
    return both.astype(np.int16).view(np.uint8).reshape(len(halves), -1), told.reshape(-1, 1)


def _parts(tiles: Tiles) -> tuple[NDArray[np.uint8], Floats, Floats]:
    """The whole numbers (panels, tiles, bytes), and what they are worth (panels, tiles, rows): a
    factor and what is added, or the factor of a tile's second half."""
    told, amount = FORMATS[tiles.kind], tiles.columns // COLUMNS
    panels = tiles.data.reshape(-(-tiles.rows // ROWS), -1)
    number_bytes, scale_bytes = _tile_bytes(tiles.kind)
    ends = amount * number_bytes
    numbers = panels[:, :ends].reshape(len(panels), amount, number_bytes)
    scales = np.ascontiguousarray(panels[:, ends : ends + amount * scale_bytes])
    if tiles.kind in _WHOLE:
        units = panels[:, ends + amount * scale_bytes :][:, : -(-amount // _SEGMENT) * ROWS]
        return numbers, *_whole_worth(scales.view(np.int16), units, amount)
    scales = scales.reshape(len(panels), amount // told.tiles, -1)
    half_bytes = 2 * ROWS * told.halves
    halves = np.ascontiguousarray(scales[..., :half_bytes]).view(np.float16).astype(np.float32)
    first, second = halves[..., None, :ROWS], halves[..., None, -ROWS:]
    if told.smalls:
        smalls = scales[..., half_bytes:].view(np.int8).astype(np.float32)
        smalls = smalls.reshape(*scales.shape[:2], told.tiles, 2, ROWS)
        sign = 1 if tiles.kind == Q6_K else -1
        first, second = first * smalls[..., 0, :], sign * second * smalls[..., 1, :]
    shape = (len(panels), amount, ROWS)
    return numbers, first.reshape(shape), second.reshape(shape)


def _whole_worth(
    factors: NDArray[np.int16], exponents: NDArray[np.uint8], amount: int
) -> tuple[Floats, Floats]:
    """What the numbers of whole weights are worth, and what is added (panels, tiles, rows)."""
    panels = len(factors)
    told = exponents.reshape(panels, -1, ROWS).repeat(_SEGMENT, axis=1)[:, :amount]
    unit = np.ldexp(np.float32(1), told.astype(np.int32) - 127 - 8)
    unit[told == 255] = np.nan
    both = factors.reshape(panels, amount, ROWS, -1).astype(np.float32)
    return both[..., 0] * unit, both[..., -1] * unit


def _tile_bytes(kind: int) -> tuple[int, int]:
    """Bytes of a tile's numbers and of its scales."""
    told = FORMATS[kind]
    numbers = ROWS * COLUMNS // (1 if told.bytes else 2)
    return numbers, ROWS * 2 * told.halves // told.tiles + ROWS * told.smalls


def _panel_bytes(kind: int, tiles: int) -> int:
    units = -(-tiles // _SEGMENT) * ROWS if kind in _WHOLE else 0
    return -(-(tiles * sum(_tile_bytes(kind)) + units) // _ALIGNMENT) * _ALIGNMENT


def _aligned(size_bytes: int) -> NDArray[np.uint8]:
    held = np.zeros(size_bytes + _ALIGNMENT, np.uint8)
    start = -held.ctypes.data % _ALIGNMENT
    return held[start : start + size_bytes]
