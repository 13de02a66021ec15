"""What share of its chips' peak a whole training run was worth: the blind prior.

MFU is not progress: restarts, evaluations, experiments and idle chips are in the chip-hours that
people report. The shares of published runs, by size of model, are what a run that we know nothing
of should be expected to reach. A run is predicted from the others only.
"""

from __future__ import annotations

import csv
import importlib.resources
from dataclasses import dataclass
from functools import cache

import numpy as np

from fairwitness.planner.ranges import Number

_BOUNDS = (3e9, 20e9, 100e9)
_REACH = 1.6449  # standard normal deviations of a 5-95 % interval


@dataclass(frozen=True)
class Reported:
    """A run of the table."""

    model: str
    parameters: float
    share: float  # of the dense peak, over all reported chip-hours


@cache
def reported() -> tuple[Reported, ...]:
    """The runs of `shares.csv`."""
    text = (importlib.resources.files("fairwitness.planner.runs") / "shares.csv").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        Reported(
            row["model"],
            float(row["parameters"]),
            float(row["training_flops"])
            / (float(row["chip_hours"]) * 3600 * float(row["peak_tflops_per_s"]) * 1e12),
        )
        for row in csv.DictReader(lines)
    )


def expected_share(parameters: float, without: str = "") -> tuple[float, float, float]:
    """(5 %, middle, 95 %) for one more run of this size class.

    `without` leaves out runs whose name has that text. The interval is Student's for a new
    observation of a lognormal: quantiles of ten rows would be the next run's far too often missed.
    """
    logs = np.log(
        [
            run.share
            for run in reported()
            if _class(run.parameters) == _class(parameters)
            and not (without and without.lower() in run.model.lower())
        ]
    )
    count = len(logs)
    reach = _student(count - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / count)
    middle = logs.mean()
    low, usual, high = np.exp([middle - reach, middle, middle + reach])
    return float(low), float(usual), float(min(high, 1.0))


def _student(freedom: int) -> float:
    """The 95 % point of Student's t, by its expansion about the normal (Abramowitz 26.7.5)."""
    z = _REACH
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def chip_hours(flops: Number, peak_flops_per_s: Number, share: Number) -> Number:
    """Hours of chips that a run takes."""
    return flops / (peak_flops_per_s * share * 3600)


def _class(parameters: float) -> int:
    return sum(parameters >= bound for bound in _BOUNDS)
