"""Idle machines: each loss by hand, by property, and against a machine that is played."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.errors import PlanError
from fairwitness.planner.fleet import idle

LLAMA_7B_INT4 = 3.5e9


def test_five_million_cars() -> None:
    """planner.md 1.2: 12 tok/s a car at 68 GB/s x 0.6, 39 M tok/s over two thirds of the week."""
    rate = idle.tokens_per_s(LLAMA_7B_INT4, 14e9, 68e9, 144e12)
    assert rate == pytest.approx(12, rel=0.03)
    assert 5e6 * rate * 112 / 168 == pytest.approx(39e6, rel=0.01)
    assert pytest.approx(480e18, rel=0.01) == 5e6 * 144e12 * 112 / 168
    assert pytest.approx(243e3, rel=0.01) == 480e18 / 1979e12
    assert pytest.approx(333e6, rel=0.01) == 5e6 * 100 * 112 / 168


def test_grok_1_is_ten_times_too_large_for_a_car() -> None:
    grok_bytes = 315.7e9 * 0.5
    assert idle.fits_share(16e9, 1.0, grok_bytes) == pytest.approx(0.10, abs=0.005)
    assert idle.machines_for_one(16e9, 1.0, grok_bytes) == 10
    assert idle.largest_parameters(16e9, 0.75, 0.5) == pytest.approx(24e9)


def test_a_large_batch_is_bound_by_arithmetic() -> None:
    one = idle.tokens_per_s(1e9, 2e9, 50e9, 10e12)
    many = idle.tokens_per_s(1e9, 2e9, 50e9, 10e12, batch=1000)
    assert one == pytest.approx(0.6 * 50)
    assert many == pytest.approx(0.6 * 10e12 / 2e9)


def test_a_split_model_waits_for_its_network() -> None:
    assert idle.split_tokens_per_s(10.0, 10, 0.05) == pytest.approx(1 / 0.6)


@pytest.mark.parametrize(
    ("stretch_h", "load_s", "answer_s"), [(1, 60, 30), (4, 300, 120), (1, 0, 900), (0.5, 900, 10)]
)
def test_losses_agree_with_a_machine_that_is_played(
    stretch_h: float, load_s: float, answer_s: float
) -> None:
    """The closed form against 60,000 hours of it, within a point."""
    played = idle.simulate(stretch_h, load_s, answer_s, hours=60_000, seed=3)
    finished = idle.finished_share(1 / stretch_h, answer_s)
    loaded = idle.loaded_share(stretch_h, load_s)
    assert finished * loaded == pytest.approx(played.finished, abs=0.01)
    assert sum(played) == pytest.approx(1.0)


@given(st.floats(0, 100), st.floats(0, 36_000))
def test_more_interruptions_never_finish_more(per_h: float, answer_s: float) -> None:
    share = idle.finished_share(per_h, answer_s)
    assert 0 <= share <= 1
    assert idle.finished_share(per_h * 1.5, answer_s) <= share + 1e-12
    assert idle.finished_share(0.0, answer_s) == 1.0


def test_wrong_answers_by_hand() -> None:
    assert idle.wrong_share(0.1, 1) == pytest.approx(0.1)
    assert idle.wrong_share(0.1, 2) == pytest.approx(0.01 / (0.01 + 0.81))
    assert idle.wrong_share(0.1, 3) == pytest.approx(3 * 0.01 * 0.9 + 0.001)
    assert idle.asked_again(0.1, 2) == pytest.approx(1 / 0.82)
    assert idle.asked_again(0.1, 3) == 1.0


def test_wrong_answers_beside_a_lottery() -> None:
    lies = np.random.default_rng(1).random((200_000, 3)) < 0.2
    assert idle.wrong_share(0.2, 3) == pytest.approx((lies.sum(axis=1) >= 2).mean(), abs=0.003)
    same = lies[:, 0] == lies[:, 1]
    assert idle.wrong_share(0.2, 2) == pytest.approx(lies[same, 0].mean(), abs=0.003)
    assert idle.asked_again(0.2, 2) == pytest.approx(1 / same.mean(), abs=0.02)


@given(st.floats(0.001, 0.4))
def test_more_copies_are_wrong_less_often(cheating: float) -> None:
    shares = [idle.wrong_share(cheating, copies) for copies in (1, 3, 5, 7)]
    assert all(later < earlier for earlier, later in pairwise(shares))


@pytest.mark.parametrize(("cheating", "copies"), [(0.1, 0), (0.1, 4), (-0.1, 3), (1.0, 2)])
def test_copies_and_cheats_that_cannot_be_meant(cheating: float, copies: int) -> None:
    with pytest.raises(PlanError, match=r"copies is|cheating is"):
        idle.wrong_share(cheating, copies)


@pytest.mark.parametrize("pattern", ["car", "desktop", "flat"])
def test_a_pattern_is_scaled_to_its_hours(pattern: str) -> None:
    week = idle.scaled(idle.week(pattern), 112.0)
    assert week.sum() == pytest.approx(112, rel=1e-3)
    assert week.max() <= 1.0


def test_desktops_are_idle_when_nobody_asks() -> None:
    desktop, flat = (idle.scaled(idle.week(name), 112.0) for name in ("desktop", "flat"))
    asked = idle.asked_week()
    assert idle.used_share(desktop, asked) < idle.used_share(flat, asked) < 1
    assert idle.used_share(asked / asked.max(), asked) == pytest.approx(1.0)
    assert asked.max() / asked.min() == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("hours", [0.0, -3.0, 169.0])
def test_a_week_has_168_hours(hours: float) -> None:
    with pytest.raises(PlanError, match="a week has 168 hours"):
        idle.scaled(idle.week("flat"), hours)


def test_a_trace_that_is_no_week_is_refused() -> None:
    for wrong in (np.ones(24), np.full(168, 1.2), np.zeros(168)):
        with pytest.raises(PlanError, match="168 shares"):
            idle.scaled(wrong, 10.0)
    with pytest.raises(PlanError, match="'boat' is no pattern"):
        idle.week("boat")


def test_weights_that_take_longer_than_a_month_are_never_there() -> None:
    assert idle.update_share(4e9, 1.0, 10e6, 112.0) == pytest.approx(400 / 3600 / (112 * 52 / 12))
    assert idle.update_share(4e12, 30.0, 1e6, 112.0) > 1
