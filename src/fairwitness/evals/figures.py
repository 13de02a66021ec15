"""The middle and the tail of many measurements."""

from collections.abc import Sequence

import msgspec
import numpy as np


class Percentiles(msgspec.Struct, frozen=True):
    """In the unit that the key's name says."""

    p50: float
    p99: float


def percentiles(values: Sequence[float], digits: int = 2) -> Percentiles:
    """Return both of `values`; of the tail the worse of two neighbours is taken."""
    if not values:
        raise ValueError("there are no percentiles of nothing")
    p50, p99 = np.percentile(values, [50, 99], method="higher").tolist()
    return Percentiles(round(p50, digits), round(p99, digits))
