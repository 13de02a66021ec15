"""Daly's form against its own minimum, a simulation, and Meta's published clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.training.failures import (
    best_interval_s,
    goodput,
    mean_time_between_s,
    wall_per_work,
    young_interval_s,
)

LLAMA_3 = 419 / (54 * 24 * 16_384)  # unexpected interruptions a chip-hour (arXiv 2407.21783)


def test_llama_3_has_a_failure_every_three_hours() -> None:
    assert pytest.approx(1.97e-5, rel=0.005) == LLAMA_3
    assert mean_time_between_s(LLAMA_3, 16_384) / 3600 == pytest.approx(3.09, abs=0.01)


@pytest.mark.parametrize(
    ("per_1000_node_days", "nodes", "hours"),
    [(6.5, 2048, 1.8), (6.5, 16_384, 0.23)],  # arXiv 2410.21680: 16k and 131k chips of RSC-1
)
def test_projected_failures_of_rsc_1(per_1000_node_days: float, nodes: int, hours: float) -> None:
    per_chip_h = per_1000_node_days / 1000 / 24 / 8
    assert mean_time_between_s(per_chip_h, nodes * 8) / 3600 == pytest.approx(hours, rel=0.03)


@pytest.mark.parametrize(
    ("chips", "save_s", "restart_s", "share", "interval_s"),
    [
        (16_384, 60, 600, 0.853, 1117),
        (16_384, 10, 360, 0.928, 466),
        (16_384, 5, 120, 0.960, 331),
        (100_000, 60, 600, 0.551, 429),
        (100_000, 10, 360, 0.738, 184.6),
        (100_000, 5, 120, 0.869, 131.9),
        (200_000, 60, 600, 0.352, 292.4),
        (200_000, 5, 120, 0.788, 92.3),
    ],
)
def test_goodput_at_llama_3s_rate(
    chips: int, save_s: float, restart_s: float, share: float, interval_s: float
) -> None:
    computed, every_s = goodput(1.97e-5, chips, save_s, restart_s)
    assert computed == pytest.approx(share, abs=0.001)
    assert every_s == pytest.approx(interval_s, rel=0.002)


@given(st.floats(0.01, 1e4), st.floats(1, 1e7), st.floats(0, 1e4), st.floats(-0.5, 0.5))
def test_the_best_interval_is_a_minimum(
    save_s: float, mean_s: float, restart_s: float, off: float
) -> None:
    save_s = min(save_s, 20 * mean_s)  # beyond, the exponentials leave floats
    restart_s = min(restart_s, 20 * mean_s)
    best_s = best_interval_s(save_s, mean_s)
    here = wall_per_work(best_s, save_s, restart_s, mean_s)
    beside = wall_per_work(best_s * np.exp(off), save_s, restart_s, mean_s)
    assert here <= beside * (1 + 1e-7)


def test_for_short_saves_it_is_youngs() -> None:
    assert best_interval_s(1e-3, 1e6) == pytest.approx(young_interval_s(1e-3, 1e6), rel=1e-4)


@pytest.mark.parametrize(("save_s", "restart_s", "mean_s"), [(60, 600, 11_124), (5, 120, 1827)])
def test_against_a_simulation(save_s: float, restart_s: float, mean_s: float) -> None:
    interval_s = float(best_interval_s(save_s, mean_s))
    random = np.random.default_rng(0)
    work_s = wall_s = 0.0
    while work_s < 4_000 * mean_s:
        failed_after_s = random.exponential(mean_s)
        wall_s += failed_after_s
        work_s += failed_after_s // (interval_s + save_s) * interval_s
        while (again_s := random.exponential(mean_s)) < restart_s:  # restarts fail too
            wall_s += again_s
        wall_s += restart_s
    expected = 1 / wall_per_work(interval_s, save_s, restart_s, mean_s)
    assert work_s / wall_s == pytest.approx(expected, abs=0.01)


def test_a_save_that_takes_long_to_become_durable_spaces_saves_and_loses_more() -> None:
    quick, slow = goodput(2e-5, 16_384, 1, 300), goodput(2e-5, 16_384, 1, 300, write_s=400)
    assert slow[0] < quick[0]
    assert slow[1] == pytest.approx(400)


def test_draws_give_what_each_gives_alone() -> None:
    rates = np.array([1e-5, 2e-5, 8e-5])
    together = goodput(rates, 1000, 10, 300)[0]
    assert list(np.asarray(together)) == [goodput(float(rate), 1000, 10, 300)[0] for rate in rates]
