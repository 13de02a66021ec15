"""The codes of 256 bits that differ from a query in the fewest bits.

A code that is all zeros belongs to nobody: a text without words has it, and so has one that was
forgotten. It is never found.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.native import library

CODE_BYTES = 32
BITS = 8 * CODE_BYTES
_PLAIN_ROWS = 65_536  # the twins work on so many codes at a time, 2 MB


class Near(NamedTuple):
    """Rows and how many bits each differs in: nearest first, of equals the lowest row."""

    rows: NDArray[np.int64]
    distances: NDArray[np.int32]


def nearest(
    codes_nb: NDArray[np.uint8],
    stretches_s2: NDArray[np.int64],
    query_b: NDArray[np.uint8],
    k: int,
    *,
    allowed: NDArray[np.bool_] | None = None,
    limit: int = BITS,
) -> Near:
    """Return the k codes nearest to a query within some stretches, about 1 ns a code.

    Args:
        codes_nb: Codes, shape (n, 32), in memory or mapped.
        stretches_s2: Where to look: begins and ends of places, shape (s, 2).
        query_b: What to look for, 32 bytes.
        k: How many, if there are so many.
        allowed: Which places may be found, one a row; all if left out.
        limit: In how many bits one may differ.
    """
    if k <= 0 or not len(codes_nb):
        return Near(np.empty(0, np.int64), np.empty(0, np.int32))
    native = library()
    if native is None:
        return _nearest_plainly(codes_nb, stretches_s2, query_b, k, allowed, limit)
    k = min(k, len(codes_nb))
    rows, distances = np.empty(k, np.int64), np.empty(k, np.int32)
    begins, ends = (np.ascontiguousarray(stretches_s2[:, side], np.int64) for side in (0, 1))
    look = native.fw_hamming_nearest
    look.restype = ctypes.c_int64
    count = look(
        _at(codes_nb),
        _at(begins),
        _at(ends),
        ctypes.c_int64(len(begins)),
        None if allowed is None else _at(allowed),
        _at(query_b),
        ctypes.c_int64(k),
        ctypes.c_int64(limit),
        _at(rows),
        _at(distances),
    )
    return Near(rows[:count], distances[:count])


def assign(codes_nb: NDArray[np.uint8], centres_cb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return which centre each code is nearest to, of equals the first, shape (n,)."""
    native = library()
    if native is None:
        return _assign_plainly(codes_nb, centres_cb)
    out = np.empty(len(codes_nb), np.int32)
    native.fw_hamming_assign(
        _at(codes_nb),
        ctypes.c_int64(len(codes_nb)),
        _at(centres_cb),
        ctypes.c_int64(len(centres_cb)),
        _at(out),
    )
    return out


def distances(
    arrays: Sequence[NDArray[np.uint8]], query_b: NDArray[np.uint8]
) -> list[NDArray[np.int32]]:
    """Return of each array of codes, shape (n, 32), in how many bits each differs from a query."""
    native = library()
    if native is None:
        return [_distances_plainly(codes_nb, query_b) for codes_nb in arrays]
    counts = np.array([len(codes_nb) for codes_nb in arrays], np.int64)
    out = np.empty(int(counts.sum()), np.int32)
    places = (ctypes.c_void_p * len(arrays))(*map(_at, arrays))
    native.fw_hamming_distances(
        places, _at(counts), ctypes.c_int64(len(arrays)), _at(query_b), _at(out)
    )
    return np.split(out, np.cumsum(counts)[:-1])


def _distances_plainly(
    codes_nb: NDArray[np.uint8], query_b: NDArray[np.uint8]
) -> NDArray[np.int32]:
    differ = np.bitwise_count(codes_nb.view(np.uint64) ^ query_b.view(np.uint64))
    return np.asarray(differ.sum(axis=1, dtype=np.int32))


def _nearest_plainly(
    codes_nb: NDArray[np.uint8],
    stretches_s2: NDArray[np.int64],
    query_b: NDArray[np.uint8],
    k: int,
    allowed: NDArray[np.bool_] | None,
    limit: int,
) -> Near:
    rows, far = np.empty(0, np.int64), np.empty(0, np.int32)
    for begin, end in stretches_s2.tolist():
        for first in range(begin, end, _PLAIN_ROWS):
            part = codes_nb[first : min(first + _PLAIN_ROWS, end)]
            here = np.arange(first, first + len(part))
            distant = _distances_plainly(part, query_b)
            kept = part.any(axis=1) & (distant <= limit)
            if allowed is not None:
                kept &= allowed[here]
            rows = np.concatenate([rows, here[kept]])
            far = np.concatenate([far, distant[kept]])
            best = np.lexsort((rows, far))[:k]
            rows, far = rows[best], far[best]
    return Near(rows, far)


def _assign_plainly(
    codes_nb: NDArray[np.uint8], centres_cb: NDArray[np.uint8]
) -> NDArray[np.int32]:
    least = np.full(len(codes_nb), 2**30, np.int32)
    out = np.zeros(len(codes_nb), np.int32)
    for number, centre in enumerate(centres_cb):
        far = _distances_plainly(codes_nb, centre)
        closer = far < least
        least[closer], out[closer] = far[closer], number
    return out


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
