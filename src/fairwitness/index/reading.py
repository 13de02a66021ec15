"""The posts that one search reads, each block opened once.

Of a hundred posts a search wants the texts, of those that it returns the rest. A post that goes
meanwhile is gone from then on.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from fairwitness.index.slice import Slice
from fairwitness.kernels import blocks
from fairwitness.kernels.blocks import BlockDamaged
from fairwitness.kernels.texts import Texts, pack
from fairwitness.posts.post import Post

Place = tuple[int, int]
"""Which slice, and which row of it."""


class Reading:
    """Reads rows of some slices that were committed."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        """Open nothing yet."""
        self._slices = slices
        self._opened: dict[tuple[int, int], bytes] = {}
        """By slice and number of the block."""

    def ahead(self, places: Iterable[Place]) -> None:
        """Open the blocks of rows that will be read; raise IndexCorrupt."""
        for at, row in places:
            self._open(at, self._slices[at].texts.block_of(row))

    def texts(self, places: Sequence[Place]) -> Texts:
        """Return the text of each row, an empty one where it is gone; raise IndexCorrupt."""
        while True:
            gone = self._gone(places)
            found = self._texts([place for place in places if place not in gone])
            if self._gone(places) != gone:  # the flag is set before the text is destroyed
                continue
            return found if not gone else _with_blanks(found, [place in gone for place in places])

    def post(self, place: Place) -> Post | None:
        """Return the post of a row as first stored, None when it is gone; raise IndexCorrupt."""
        at, row = place
        history, texts = self._slices[at].history, self._slices[at].texts
        if history.is_gone(row):
            return None
        number = texts.block_of(row)
        post = texts.post_in(number, self._open(at, number), row)
        return None if history.is_gone(row) else post

    def _gone(self, places: Sequence[Place]) -> set[Place]:
        return {place for place in places if self._slices[place[0]].history.is_gone(place[1])}

    def _texts(self, places: Sequence[Place]) -> Texts:
        opened, posts = [], []
        for at, row in places:
            texts = self._slices[at].texts
            number = texts.block_of(row)
            opened.append(self._open(at, number))
            posts.append(row - texts.first_row(number))
        try:
            return blocks.texts(opened, posts)
        except BlockDamaged:  # one by one tells which file it is
            return pack([self._slices[at].texts.post_at(row).text for at, row in places])

    def _open(self, at: int, number: int) -> bytes:
        block = self._opened.get((at, number))
        if block is None:
            block = self._opened[at, number] = self._slices[at].texts.open(number)
        return block


def _with_blanks(texts: Texts, is_blank: Sequence[bool]) -> Texts:
    """Return texts with empty ones among them."""
    ends, end, found = [], 0, iter(texts.ends.tolist())
    for blank in is_blank:
        end = end if blank else next(found)
        ends.append(end)
    return Texts(texts.blob, np.array(ends, np.int64))
