"""Build, colocate or rent: by hand, by property, and beside Colossus 1."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.site.power import Source
from fairwitness.planner.site.ways import (
    WAYS,
    Site,
    break_even_month,
    compute_usd,
    month_earlier_usd,
    plan,
)

GRID = Source("grid", 200e6, 0.08)
SITE = Site(
    chips=1e5,
    compute_usd_per_chip=32e3,
    server_w_per_chip=1275,
    sources=(GRID,),
    rent_usd_per_h=2.5,
    build_months=4,
)


def site(**changes: Any) -> Site:
    return replace(SITE, **changes)


def test_colossus_1_costs_what_epoch_reckons() -> None:
    """4.7 G$ all in (3.2 compute, 1.5 hall), within 10 %."""
    built = plan(site(price_fall_decades_per_year=0.0), "build")
    assert built.capex_usd == pytest.approx(4.7e9, rel=0.10)


def test_epochs_factors_make_h100_dearer_than_its_own_timeline() -> None:
    """30,500 dollars x 1.64 / 0.81 a chip are 6.2 G$; the timeline's 3.2 G$ are 32,000 all in."""
    assert compute_usd(1e5, 30.5e3) == pytest.approx(6.2e9, rel=0.01)


def test_renting_by_hand() -> None:
    rented = plan(site(months=24, rent_months=0, rate_per_year=0.0), "rent")
    assert rented.paid_usd.sum() == pytest.approx(1e5 * 24 * 730 * 2.5)
    assert rented.usd_per_useful_h == pytest.approx(2.5 / 0.9)
    assert rented.npv_usd == pytest.approx(0.0, abs=1.0)
    by_use = plan(site(months=24, rent_reserved=False), "rent")
    assert by_use.usd_per_useful_h == pytest.approx(2.5)


def test_building_by_hand() -> None:
    """One year, no interest, no fall of prices: each payment is a product."""
    plain = site(
        months=16, rate_per_year=0.0, price_fall_decades_per_year=0.0, upkeep_per_year=0.0,
        utilisation=1.0, staff_usd_per_month=1e6,
    )  # fmt: skip
    built = plan(plain, "build")
    hall = 1e5 * 1275 * 1.25 * 10
    energy = 1e5 * 1.275 * 1.25 * 0.75 * 730 * 12 * 0.08
    assert built.paid_usd.sum() == pytest.approx(3.2e9 + hall + energy + 12e6)
    assert built.useful_h.sum() == pytest.approx(1e5 * 730 * 12)
    assert built.residual_usd == pytest.approx(3.2e9 + hall * (1 - 1 / 20))


def test_colocating_by_hand() -> None:
    plain = site(
        months=16, rate_per_year=0.0, price_fall_decades_per_year=0.0, upkeep_per_year=0.0,
        colocate_months=4, colocated_pue=1.4, colocate_usd_per_kw_month=100.0,
        colocate_usd_per_kwh=0.05,
    )  # fmt: skip
    energy = 1e5 * 1.275 * 1.4 * 0.75 * 730 * 12 * 0.05
    paid = plan(plain, "colocate").paid_usd.sum()
    assert paid == pytest.approx(3.2e9 + 1e5 * 1.275 * 100 * 12 + energy)


def test_batteries_are_part_of_the_capital() -> None:
    store = Source("store", 100e6, capex_usd_per_w=0.7, storage_h=4.0)
    more = plan(site(sources=(GRID, store)), "build").capex_usd
    assert more - plan(SITE, "build").capex_usd == pytest.approx(70e6)


def test_who_has_not_begun_to_pay_is_not_ahead_yet() -> None:
    """In the first months nobody has paid or earned; that is no break-even."""
    month = break_even_month(site(colocate_months=6), "colocate")
    assert 6 < month < 60


def test_an_hour_is_worth_what_renting_it_costs() -> None:
    for reserved in (True, False):
        rented = plan(site(rent_reserved=reserved, utilisation=0.5), "rent")
        assert rented.npv_usd == pytest.approx(0.0, abs=1.0)


def test_a_site_without_power_gives_no_hours() -> None:
    dark = plan(site(sources=(replace(GRID, online_month=30),)), "build")
    assert dark.useful_h[:30].sum() == 0
    assert dark.useful_h[30] > 0


def test_break_even_comes_later_where_renting_is_cheaper() -> None:
    months = [break_even_month(site(rent_usd_per_h=price)) for price in (4.0, 3.0, 2.5)]
    assert months == sorted(months)
    assert months[0] < months[-1]
    assert np.isinf(break_even_month(site(rent_usd_per_h=0.5)))


def test_a_month_earlier_is_worth_more_where_hours_are() -> None:
    worth = [month_earlier_usd(site(value_usd_per_h=value)) for value in (1.0, 2.5, 4.0)]
    assert worth == sorted(worth)
    # A month's hours are worth 263 M$ at 4 dollars; running costs and dearer chips come off.
    assert 50e6 < worth[-1] < 263e6
    assert worth[0] < 0  # at a dollar it pays to wait until chips are cheaper


def test_waiting_makes_chips_cheaper() -> None:
    bought = [float(plan(site(build_months=months), "build").capex_usd) for months in (4, 16)]
    compute = [each - 1e5 * 1275 * 1.25 * 10 for each in bought]
    assert compute[1] / compute[0] == pytest.approx(10**-0.14, rel=1e-3)


def test_draws_and_points_agree() -> None:
    prices = np.array([2.0, 2.5, 3.0])
    for way in WAYS:
        many = plan(site(rent_usd_per_h=prices), way)
        assert np.broadcast_to(many.npv_usd, 3)[1] == pytest.approx(plan(SITE, way).npv_usd)
    assert break_even_month(site(rent_usd_per_h=prices))[1] == break_even_month(SITE)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"chips": 0.0}, "chips is 0; it is above 0"),
        ({"rent_usd_per_h": -1.0}, "rent_usd_per_h is -1"),
        ({"pue": 0.9}, "pue is below 1"),
        ({"utilisation": 1.2}, "utilisation is a share"),
        ({"build_months": 60}, "plan for longer"),
    ],
)
def test_what_cannot_be_meant_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        site(**changes)


def test_a_draw_that_is_built_too_late_costs_and_brings_nothing() -> None:
    late = plan(site(build_months=np.array([4.0, 80.0, 4.0])), "build")
    assert late.useful_h[1].sum() == 0
    assert np.isinf(late.usd_per_useful_h[1])
    assert late.residual_usd[1] < late.residual_usd[0]  # a hall, and no chips
    assert np.isinf(break_even_month(site(build_months=np.array([4.0, 80.0, 4.0])))[1])


def test_nothing_is_a_month_before_the_decision() -> None:
    with pytest.raises(PlanError, match="before the decision"):
        month_earlier_usd(site(rent_months=0), "rent")
