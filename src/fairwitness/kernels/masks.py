"""Narrow a mask by what a column says of each row: one pass over both, 0.1 ms a million rows.

Each function leaves in `mask_n`, shape (rows,), the rows that were there and pass, and returns how
many they are. Columns have one number a row.
"""

import ctypes
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import native

Mask = NDArray[np.bool_]


def keep_bits(mask_n: Mask, column_n: NDArray[np.uint16], bits: int, want: int) -> int:
    """Keep rows of whose number these `bits` are as in `want`."""
    library = native.library()
    if library is None:
        mask_n &= column_n & np.uint16(bits) == want
        return int(np.count_nonzero(mask_n))
    call = library.fw_mask_bits
    call.restype = ctypes.c_int64
    column, count = native.at(_whole(column_n, mask_n)), native.count(len(mask_n))
    kept: int = call(column, count, native.count(bits), native.count(want), native.at(mask_n))
    return kept


def keep_among(
    mask_n: Mask, column_n: NDArray[np.uint16], values: Collection[int], *, negated: bool = False
) -> int:
    """Keep rows whose number is one of `values`; or, negated, none of them."""
    wanted = np.array(sorted(set(values)), np.uint16)
    library = native.library()
    if library is None:
        mask_n &= np.isin(column_n, wanted) != negated
        return int(np.count_nonzero(mask_n))
    call = library.fw_mask_among
    call.restype = ctypes.c_int64
    column, count = native.at(_whole(column_n, mask_n)), native.count(len(mask_n))
    asked = native.at(wanted), native.count(len(wanted)), native.count(negated)
    kept: int = call(column, count, *asked, native.at(mask_n))
    return kept


def keep_from(
    mask_n: Mask, column_n: NDArray[np.int64], least: int, *, negated: bool = False
) -> int:
    """Keep rows whose number is `least` or more; or, negated, less."""
    library = native.library()
    if library is None:
        mask_n &= (column_n >= least) != negated
        return int(np.count_nonzero(mask_n))
    call = library.fw_mask_from
    call.restype = ctypes.c_int64
    column, count = native.at(_whole(column_n, mask_n)), native.count(len(mask_n))
    kept: int = call(column, count, native.count(least), native.count(negated), native.at(mask_n))
    return kept


def _whole(
    column_n: NDArray[np.uint16] | NDArray[np.int64], mask_n: Mask
) -> NDArray[np.uint16] | NDArray[np.int64]:
    assert column_n.shape == mask_n.shape
    assert mask_n.flags.c_contiguous
    return column_n
