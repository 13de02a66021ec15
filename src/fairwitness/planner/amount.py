"""What formulas are written over: one number, or an array of draws of it.

Every formula of the room takes and gives amounts in base units (FLOP, bytes, seconds, watts, USD,
kg; energy in kWh), named by suffix. So the same line computes a point and ten thousand draws.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Amount: TypeAlias = float | NDArray[np.float64]


def larger(a: Amount, b: Amount) -> Amount:
    """The larger of two, draw by draw."""
    most: Amount = np.maximum(a, b)
    return most


def smaller(a: Amount, b: Amount) -> Amount:
    """The smaller of two, draw by draw."""
    least: Amount = np.minimum(a, b)
    return least


def exponential(x: Amount) -> Amount:
    """e to the power of x, draw by draw."""
    grown: Amount = np.exp(x)
    return grown


def middle(a: Amount) -> float:
    """The median of draws, or the number itself."""
    return float(np.median(a))
