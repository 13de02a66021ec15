"""Masks that last: which rows of a sealed slice are in a language or of a network.

Its columns never change, and rows only ever go, so a mask is made once and what it finds is looked
at for what went since. A byte a row each, so only the last few are kept.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_KEPT = 8
_COUNTED_S = 30.0
"""How old a reader's count of what a mask allows may be; rows go all the time."""


class Lasting(NamedTuple):
    """What some clauses allow."""

    mask: Mask
    allowed: int
    """How many rows it allowed when it was made."""
    visible: int
    """How many rows of the slice showed then."""
    index_rows: int
    """How many rows he knew for whom it was made."""
    made_s: float


class Masks:
    """Those of one slice, by what they allow. Any thread may ask."""

    def __init__(self, *, read_only: bool) -> None:
        """Keep none yet."""
        self._read_only = read_only
        self._kept: OrderedDict[Hashable, Lasting] = OrderedDict()

    def get(
        self,
        key: Hashable,
        visible: int,
        index_rows: int,
        make: Callable[[], tuple[Mask, int]],
    ) -> Lasting:
        """Return the mask of a key, made where there is none, or fewer rows show than did.

        Who knows fewer rows, `index_rows`, may see an old version that others do not.
        """
        known = self._kept.get(key)
        if known is not None and known.index_rows <= index_rows and self._is_fresh(known, visible):
            return known
        mask, allowed = make()
        mask.flags.writeable = False
        made = Lasting(mask, allowed, visible, index_rows, time.monotonic())
        self._kept[key] = made
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made

    def _is_fresh(self, known: Lasting, visible: int) -> bool:
        if known.visible == visible:
            return True
        return self._read_only and time.monotonic() < known.made_s + _COUNTED_S
