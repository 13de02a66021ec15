"""Cash by month: two events, two bases, tiers, churn, an investor."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.money import Stage
from fairwitness.planner.runway.burn import (
    Business,
    Tier,
    break_even_share,
    course,
    month_name,
    payback_months,
    payer_cost_usd,
    payer_margin_usd,
)

BASE = Business(
    users=1e6,
    users_base="DAU",
    paid_share=0.05,
    paid_base="DAU",
    tiers=(Tier("plus", 20.0, 1.0, 0.005),),
    free_gpus_per_active=0.001,
    usd_per_gpu_h=2.0,
    cash_usd=50e6,
)


def business(**changes: Any) -> Business:
    return replace(BASE, **changes)


def test_a_month_by_hand() -> None:
    months = course(business(months=3))
    assert months.payers[0] == pytest.approx(50e3)
    assert months.gpus[0] == pytest.approx(950e3 * 0.001 + 50e3 * 0.005)
    assert months.compute_usd[0] == pytest.approx(1200 * 730 * 2)
    assert months.flow_usd[0] == pytest.approx(50e3 * 20 - 1200 * 1460)
    assert payer_cost_usd(BASE) == pytest.approx(7.3)
    assert payer_margin_usd(BASE) == pytest.approx(12.7)
    assert payback_months(BASE, 20e3) == pytest.approx(20e3 * 0.004 / 20)


def test_cash_out_and_break_even_are_two_events() -> None:
    ramped = course(business(ramp_per_month=0.001))
    share = float(break_even_share(BASE))
    assert ramped.break_even_month == np.ceil((share - 0.05) / 0.001)
    assert np.isinf(ramped.cash_out_month)
    poor = course(business(ramp_per_month=0.001, cash_usd=5e6))
    assert poor.cash_out_month < poor.break_even_month


def test_the_break_even_share_makes_a_flow_of_nothing() -> None:
    share = break_even_share(business(other_spending_usd=1e6, other_income_usd=2e5))
    months = course(
        business(paid_share=share, other_spending_usd=1e6, other_income_usd=2e5, months=1)
    )
    assert months.flow_usd[0] == pytest.approx(0.0, abs=1e-3)


def test_no_share_breaks_even_where_payers_cost_more_than_they_pay() -> None:
    dear = business(tiers=(Tier("plus", 5.0, 1.0, 0.005),))
    assert payer_margin_usd(dear) < 0
    assert np.isinf(break_even_share(dear))
    assert month_name("2023-08", float(course(dear).break_even_month)) == "never"


def test_no_share_breaks_even_where_all_users_would_not_pay_for_it() -> None:
    assert np.isfinite(break_even_share(business(other_spending_usd=10e6)))
    assert np.isinf(break_even_share(business(other_spending_usd=100e6)))


def test_stores_and_cards_keep_their_part() -> None:
    assert business(fee_share=0.1).price_usd == pytest.approx(18.0)
    assert course(business(fee_share=0.1)).income_usd[0] == pytest.approx(50e3 * 18)


def test_a_share_of_monthly_users_is_more_payers_than_one_of_daily_users() -> None:
    monthly = business(paid_base="MAU", dau_per_mau=0.25)
    assert course(monthly).payers[0] == pytest.approx(4 * course(BASE).payers[0])
    assert payer_cost_usd(monthly) == pytest.approx(payer_cost_usd(BASE) / 4)
    counted = business(users=4e6, users_base="MAU", paid_base="MAU", dau_per_mau=0.25)
    assert course(counted).payers[0] == pytest.approx(course(monthly).payers[0])


@pytest.mark.parametrize(("users", "paid"), [("DAU", "MAU"), ("MAU", "DAU"), ("MAU", "MAU")])
def test_a_silent_mix_of_bases_is_refused(users: str, paid: str) -> None:
    with pytest.raises(
        PlanError, match=f"users are counted as {users}, the paid share is of {paid}"
    ):
        business(users_base=users, paid_base=paid)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"users": 0.0}, "users: '0.0' is not above 0"),
        ({"cash_usd": -1.0}, "cash_usd"),
        ({"paid_base": "WAU"}, "paid_base: 'WAU' is no base; say DAU or MAU"),
        ({"dau_per_mau": 1.5}, "dau_per_mau"),
        ({"tiers": (Tier("half", 20.0, 0.5, 0.005),)}, "do not add up to 1"),
        ({"tiers": ()}, "do not add up to 1"),
    ],
)
def test_what_cannot_be_meant_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        business(**changes)


def test_churn_costs_what_it_costs_to_win_payers_again() -> None:
    steady = course(business(churn_per_month=0.05, acquire_usd=30.0, months=2))
    plain = course(business(months=2))
    lost = plain.flow_usd - steady.flow_usd
    assert lost == pytest.approx(50e3 * 0.05 * 30)


def test_growth_compounds() -> None:
    months = course(business(growth_per_month=0.1, months=13))
    assert months.payers[12] / months.payers[0] == pytest.approx(1.1**12)


def test_an_investor_takes_his_share_of_profits_and_not_of_losses() -> None:
    rich = business(paid_share=0.3, months=24)
    free = course(rich)
    monthly = float(free.flow_usd[0])
    assert monthly > 0
    shared = course(replace(rich, investor=(Stage(0.75, 6 * monthly), Stage(0.49))))
    assert shared.investor_usd[:8] == pytest.approx(0.75 * monthly)  # 8 months repay 6 of them
    assert shared.investor_usd[9:] == pytest.approx(0.49 * monthly)
    losing = course(business(investor=(Stage(0.75),)))
    assert losing.investor_usd.sum() == 0


def test_bought_gpus_are_paid_for_when_they_are_needed() -> None:
    bought = course(business(gpu_usd=10e3, ramp_per_month=0.01, months=3))
    grown = np.diff(bought.gpus, prepend=0.0)
    assert bought.compute_usd == pytest.approx(grown * 10e3 + bought.gpus * 1460)


def test_draws_and_points_agree() -> None:
    many = course(business(usd_per_gpu_h=np.array([1.0, 2.0, 3.0])))
    assert many.cash_usd.shape == (3, 120)
    assert many.cash_usd[1] == pytest.approx(course(BASE).cash_usd)
    assert many.cash_out_month[0] > many.cash_out_month[2]


@pytest.mark.parametrize(
    ("start", "month", "name"),
    [("2023-08", 0, "Aug 2023"), ("2023-11", 24, "Nov 2025"), ("2023-12", 1, "Jan 2024")],
)
def test_months_have_names(start: str, month: float, name: str) -> None:
    assert month_name(start, month) == name


@pytest.mark.parametrize("start", ["August", "2023", "2023-13", ""])
def test_a_start_that_is_no_month_is_refused(start: str) -> None:
    with pytest.raises(InputError, match="is no month"):
        month_name(start, 1)
