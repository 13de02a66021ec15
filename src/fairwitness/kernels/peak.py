"""What the processor's multiply instructions do in a second: the roof over every product.

Measured, not looked up: the loop of each instruction runs on as many threads as are asked for, by
the processor's clock. Forms are those of the decoder's step.
"""

import ctypes
from dataclasses import dataclass

from fairwitness.kernels import quantised
from fairwitness.kernels.native import count, library
from fairwitness.kernels.pages import Kind

_BYTES, _FLOATS, _PAIRS = 0, 1, 2  # `enum class Multiplied` in csrc/peak.cpp


@dataclass(frozen=True)
class Peak:
    """Products a second, each with its sum, that some threads can together."""

    bytes_s: float
    floats_s: float
    pairs_s: float | None  # of bfloat16, where AMX has tiles for it

    @property
    def products_a_weight(self) -> int:
        """Byte products that our arithmetic makes of a weight times a number of a vector. The
        number has two bytes; with AMX the weight has two as well, elsewhere it has one."""
        return 2 if self.pairs_s is None else 4

    def attention_s(self, kind: Kind) -> float:
        """Products a second of attention over pages of this kind. In tiles each is of both high
        parts and of each with the other's low part, which bytes do not have."""
        if self.pairs_s is None:
            return self.floats_s
        return self.pairs_s / (2 if kind == "int8" else 3)


def measured_peak(threads: int, instructions: int = quantised.ANY) -> Peak | None:
    """Measure for some hundredths of a second; None where there are no such instructions, or only
    what a compiler makes for any machine."""
    native = library()
    if native is None:
        return None
    native.fw_peak.restype = ctypes.c_double
    bytes_s, floats_s, pairs_s = (
        native.fw_peak(count(instructions), count(what), count(threads))
        for what in (_BYTES, _FLOATS, _PAIRS)
    )
    return Peak(bytes_s, floats_s, pairs_s or None) if bytes_s else None
