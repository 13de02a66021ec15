"""Every published run comes out as recorded, and the blind prior covers what it was not told."""

import pytest

from fairwitness.planner.catalogue import bundled
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.runs import Run, runs
from fairwitness.planner.runs.predictions import A100, H100, H800_FP8, steps
from fairwitness.planner.runs.share import chip_hours, expected_share, reported

RUNS = runs()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.id)
def test_it_comes_out_as_recorded(run: Run) -> None:
    assert run.as_recorded, f"{run.predicted:g} for {run.published:g}: {run.why}"
    assert run.source
    assert run.why


def test_most_are_reproduced_and_few_are_recorded_as_missed() -> None:
    assert len(RUNS) >= 70
    assert {run.id for run in RUNS if run.missed} == {"palm-decode"}


def test_at_least_ten_of_the_runs_that_report_hours_lie_in_the_blind_prior() -> None:
    hours = [run for run in RUNS if run.kind == "prior" and "hours" in run.id]
    assert len(hours) == 13
    assert sum(run.ok for run in hours) >= 10


def test_the_prior_covers_each_run_of_the_table_without_it() -> None:
    inside = 0
    for run in reported():
        low, _, high = expected_share(run.parameters, without=run.model)
        inside += low <= run.share <= high
    assert 0.80 <= inside / len(reported()) <= 0.97  # of a 90 % interval, 43 rows


def test_matrices_are_fitted_on_the_175b_step_alone() -> None:
    # so that step must come out, and no other may be held to more than its tolerance
    assert Reached().matrix == 0.67
    assert steps()["megatron-175b-step"] == pytest.approx(13.75, rel=0.005)


@pytest.mark.parametrize(
    ("device", "name", "precision"),
    [(A100, "A100", "bf16"), (H100, "H100", "bf16"), (H800_FP8, "H800", "fp8")],
)
def test_chips_of_predictions_are_the_catalogues(device: Device, name: str, precision: str) -> None:
    row = bundled().row(name)
    assert device.flops_per_s == row.figure(precision).median
    assert device.memory_bytes == row.figure("memory").median
    assert device.memory_bytes_per_s == row.figure("memory_rate").median
    assert device.scale_up_bytes_per_s == row.figure("scale_up").median
    assert device.scale_up_chips == row.figure("scale_up_chips").median
    assert device.scale_out_bytes_per_s == row.figure("scale_out").median


def test_a_run_that_a_formula_misses_is_told() -> None:
    run = Run("x", "source", published=10.0, predicted=12.0, tolerance=0.1, kind="identity")
    assert (run.ok, run.as_recorded, run.ratio) == (False, False, 1.2)
    known = Run("x", "source", 10.0, 12.0, 0.1, "identity", missed=True)
    assert (known.ok, known.as_recorded) == (False, True)
    inside = Run("x", "source", 10.0, 12.0, 0.0, "prior", low=9.0, high=20.0)
    assert inside.ok


def test_hours_of_a_share() -> None:
    assert chip_hours(3.6e21, 1e15, 0.5) == pytest.approx(2000)
