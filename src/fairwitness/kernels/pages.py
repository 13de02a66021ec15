"""Keys and values of many sequences, in pages of 64 positions: one piece of memory for all layers.

Who has which page is the caller's to know. A page may stand in the tables of several sequences that
begin alike, as long as nobody writes to it any more. How floats lie in it is the native step's own
affair (`csrc/pairs.h` with AMX, `csrc/pages.h` without), so pages stay with stacks of the same
instructions.

Half precision is the usual choice: of 6,144 tokens of wikitext-2 that SmolLM2-135M was shown, 4 had
another likeliest successor than with float32 (bfloat16: 6, with six times the error in logits;
bytes: 52).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.formats import COLUMNS
from fairwitness.kernels.quantised import Room

PAGE = 64  # positions
Kind = Literal["f32", "f16", "int8"]
KINDS: dict[Kind, int] = {"f32": 0, "f16": 1, "int8": 2}  # `enum Numbers` in csrc/decoder.h

_NUMBER_BYTES: dict[Kind, int] = {"f32": 4, "f16": 2, "int8": 1}
_SCALE_BYTES = 4  # of each key and each value, where numbers are bytes


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder, as in `models.DecoderConfig`."""

    vocabulary: int
    width: int
    layers: int
    query_heads: int
    kv_heads: int
    head_size: int
    hidden: int  # of the MLP, or of one expert

    @property
    def fits(self) -> bool:
        """Whether whole tiles and lanes make it up: what the native step asks for."""
        sizes = (self.width, self.head_size, self.hidden)
        return all(size % COLUMNS == 0 for size in sizes) and self.head_size <= 256


class Pages:
    """Memory for `count` pages of a decoder's keys and values, given as it is used."""

    def __init__(self, shape: Shape, count: int, kind: Kind) -> None:
        self.count, self.kind = count, kind
        numbers = shape.head_size * _NUMBER_BYTES[kind] + (_SCALE_BYTES if kind == "int8" else 0)
        self.bytes_per_position = 2 * shape.layers * shape.kv_heads * numbers
        self.data: NDArray[np.uint8] = Room(count * self.page_bytes).take(count * self.page_bytes)

    @property
    def page_bytes(self) -> int:
        """What one page takes."""
        return PAGE * self.bytes_per_position

    def copy(self, source: int, target: int) -> None:
        """Make one page hold what another does."""
        assert 0 <= source < self.count
        assert 0 <= target < self.count
        pages = self.data.reshape(self.count, -1)
        pages[target] = pages[source]
