"""A published run beside our prediction of it, and what kind of prediction that is."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["identity", "prior", "prediction"]
"""identity: a closed formula must give the published figure, from the run's own inputs.
prior: the published figure must lie in an interval that was made without this run.
prediction: hardware, shape and layout go in; a time, a rate or a share comes out, and nothing was
fitted on it.
"""


class Run(msgspec.Struct, frozen=True):
    """One comparison. `tolerance` is the largest |ratio - 1| that is accepted."""

    id: str
    source: str
    published: float
    predicted: float
    tolerance: float
    kind: Kind
    unit: str = ""
    why: str = ""  # of the tolerance, or of the miss
    low: float | None = None  # the interval, for a prior
    high: float | None = None
    missed: bool = False  # recorded as one that we do not reproduce

    @property
    def ratio(self) -> float:
        """Predicted over published."""
        return self.predicted / self.published

    @property
    def ok(self) -> bool:
        """Whether the published figure lies within what we accept."""
        if self.low is not None and self.high is not None:
            return self.low <= self.published <= self.high
        return abs(self.ratio - 1) <= self.tolerance

    @property
    def what(self) -> str:
        """Kind of prediction, and unit."""
        return f"{self.kind}, {self.unit}" if self.unit else self.kind

    @property
    def as_recorded(self) -> bool:
        """Whether it came out as the data says: reproduced, or known not to be."""
        return self.ok != self.missed
