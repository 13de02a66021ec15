"""Money over time, against what can be reckoned by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.errors import PlanError
from fairwitness.planner.money import (
    Stage,
    annuity_per_year,
    break_even_utilisation,
    first_month,
    investor_m,
    investor_usd,
    npv_usd,
    owned_usd_per_h,
    profit_until_usd,
    residual_share,
)

TERMS = (Stage(0.75, 13e9), Stage(0.49))


def test_an_annuity_repays_its_price() -> None:
    paid = [annuity_per_year(0.1, 4) / 1.1**year for year in range(1, 5)]
    assert sum(paid) == pytest.approx(1.0)
    assert annuity_per_year(0.0, 4) == 0.25
    assert annuity_per_year(np.array([0.0, 0.1]), 4.0) == pytest.approx([0.25, 0.31547], rel=1e-4)


def test_nothing_is_repaid_in_no_time() -> None:
    with pytest.raises(PlanError, match="years is 0"):
        annuity_per_year(0.1, 0.0)


def test_a_dollar_in_a_year_is_worth_less() -> None:
    flow = np.zeros(25)
    flow[12] = 110.0
    assert npv_usd(flow, 0.10) == pytest.approx(100.0)


def test_prices_fall_by_decades() -> None:
    assert residual_share(1 / 0.14) == pytest.approx(0.1)


def test_the_first_month_or_never() -> None:
    assert first_month(np.array([False, True, True])) == 1
    assert np.isinf(first_month(np.array([False, False])))
    assert list(first_month(np.array([[True, False], [False, False]]))) == [0, np.inf]


def test_75_per_cent_until_13_billion_are_repaid_take_17_billion_of_profit() -> None:
    assert profit_until_usd(TERMS, 13e9) == pytest.approx(17.33e9, rel=1e-3)
    assert investor_usd(17.3333e9, TERMS) == pytest.approx(13e9, rel=1e-4)
    assert investor_usd(27.3333e9, TERMS) == pytest.approx(13e9 + 4.9e9, rel=1e-4)
    assert profit_until_usd(TERMS, 13e9) / (2e9 * 0.2) == pytest.approx(43, abs=0.5)


@given(st.lists(st.floats(-1e9, 3e9), min_size=1, max_size=40))
def test_shares_of_each_month_add_up_to_the_share_of_all(profits: list[float]) -> None:
    monthly = investor_m(np.array(profits), TERMS)
    total = sum(max(each, 0.0) for each in profits)
    assert monthly.sum() == pytest.approx(investor_usd(total, TERMS), abs=1.0)
    assert np.all(monthly >= -1e-3)
    assert np.all(monthly <= 0.75 * np.maximum(profits, 0.0) + 1e-3)


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ((), "each must end later"),
        ((Stage(0.5, 2.0), Stage(0.5, 1.0)), "each must end later"),
        ((Stage(1.5),), "above 0, at most 1"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(stages: tuple[Stage, ...], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        investor_usd(1.0, stages)


def test_an_investor_who_is_never_repaid() -> None:
    with pytest.raises(PlanError, match="never has"):
        profit_until_usd((Stage(0.75, 1e9),), 2e9)


def test_an_owned_h100_hour() -> None:
    """4.7 G$ over 4 years at 10 %, 120 MW, 3 % upkeep: 1.95 $/h; wins above 78 and 49 % use."""
    owned = owned_usd_per_h(4.7e9, 1e5, 0.10, 4.0, 120e6, 0.0826, 0.03)
    assert owned == pytest.approx(1.95, rel=0.005)
    assert break_even_utilisation(owned, 2.5) == pytest.approx(0.78, abs=0.01)
    assert break_even_utilisation(owned, 4.0) == pytest.approx(0.49, abs=0.01)
    assert owned * 1e5 * 8760 == pytest.approx(1.71e9, rel=0.005)
