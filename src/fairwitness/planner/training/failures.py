"""What failures cost a run: how often they come, when to save, and what share of time is progress.

Failures arrive as a Poisson process whose rate grows with the number of chips. Daly's exact form is
used throughout: the first-order one (Young) turns negative where a large cluster lives.
"""

from __future__ import annotations

import numpy as np

from fairwitness.planner.ranges import Number

_NEWTON_STEPS = 12


def mean_time_between_s(failures_per_chip_h: Number, chips: Number) -> Number:
    """Mean time between failures of a whole cluster."""
    return 3600 / (failures_per_chip_h * chips)


def young_interval_s(save_s: Number, mean_s: Number) -> Number:
    """Work between checkpoints, to first order (Young, CACM 17(9), 1974)."""
    interval: Number = np.sqrt(2 * save_s * mean_s)
    return interval


def wall_per_work(interval_s: Number, save_s: Number, restart_s: Number, mean_s: Number) -> Number:
    """Time that a second of progress takes (Daly, FGCS 22(3), 2006, eq. 20).

    `interval_s` of work, then `save_s` of blocking; a failure costs `restart_s` and what was done
    since the last save.
    """
    segment = np.expm1((interval_s + save_s) / mean_s)
    ratio: Number = mean_s * np.exp(restart_s / mean_s) * segment / interval_s
    return ratio


def best_interval_s(save_s: Number, mean_s: Number) -> Number:
    """The interval that makes `wall_per_work` smallest; it does not depend on the restart.

    With u = log(1 - interval / M) the derivative is zero where u - (e^u - 1) + save / M = 0, a
    concave curve on u < 0: Newton's steps converge from Young's interval on.
    """
    c = np.asarray(save_s, float) / mean_s
    u = -c - np.sqrt(2 * c)
    for _ in range(_NEWTON_STEPS):
        u = u + (u - np.expm1(u) + c) / np.expm1(u)
    interval: Number = -np.expm1(u) * mean_s
    return interval


def goodput(
    failures_per_chip_h: Number,
    chips: Number,
    save_s: Number,
    restart_s: Number,
    write_s: Number = 0.0,
) -> tuple[Number, Number]:
    """(share of time that is progress, seconds of work between saves).

    `save_s` blocks the run; `write_s` is how long a save then takes to become durable beside it. A
    save that is not durable yet is lost with its failure, and the next cannot begin before.
    """
    mean_s = mean_time_between_s(failures_per_chip_h, chips)
    interval_s = np.maximum(best_interval_s(save_s, mean_s), write_s)
    ratio = wall_per_work(interval_s, save_s, restart_s + write_s, mean_s)
    return 1 / ratio, interval_s


def checkpoint_bytes(parameters: Number) -> Number:
    """What has to be saved to go on: fp32 weights and two moments, and bf16 weights."""
    return 14 * parameters
