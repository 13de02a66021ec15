"""Where power comes from, and Colossus as it was published."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.errors import PlanError
from fairwitness.planner.site.power import (
    EVAPORATE_L_PER_KWH,
    Source,
    average_power_w,
    dispatch,
    electricity_usd_per_year,
    facility_power_w,
    homes_for_a_year,
    water_l,
)

GRID = Source("grid", 100e6, 0.06, online_month=6, carbon_kg_per_kwh=0.3, water_l_per_kwh=1.0)
TURBINES = Source("turbines", 40e6, 0.12, online_month=1, ramp_months=3, carbon_kg_per_kwh=0.5)
STORE = Source("store", 50e6, online_month=0, storage_h=2.0, efficiency=0.8)


def flat(power_w: float, months: int = 12) -> np.ndarray:
    return np.full(months, power_w)


def test_100k_h100_need_140_to_166_mw_not_100() -> None:
    assert facility_power_w(1e5, 1275, 1.1) == pytest.approx(140e6, rel=0.01)
    assert facility_power_w(1e5, 1275, 1.25) == pytest.approx(159e6, rel=0.01)
    assert facility_power_w(1e5, 1275, 1.3) == pytest.approx(166e6, rel=0.01)
    assert average_power_w(1e5, 1275, 1.1) == pytest.approx(105e6, rel=0.01)
    assert average_power_w(1e5, 1275, 1.3) == pytest.approx(124e6, rel=0.01)


@pytest.mark.parametrize(
    ("h100", "h200", "facility_w"),
    [(25e3, 0, 45e6), (100e3, 0, 181e6), (150e3, 50e3, 361e6)],
)
def test_colossus_three_dates_all_imply_a_factor_of_1_4(
    h100: float, h200: float, facility_w: float
) -> None:
    """Epoch AI's capacities of Aug 2024, Sep 2024 and Feb 2025, over servers of 1,275 W a chip.

    It is one constant of theirs, so the three are one check and not three.
    """
    assert facility_w / facility_power_w(h100 + h200, 1275, 1.0) == pytest.approx(1.416, rel=0.01)


def test_the_first_turbines_carried_the_first_quarter() -> None:
    """14 turbines of 2.5 MW against 25,000 H100: enough on average, short of the nameplate."""
    supply = 14 * 2.5e6
    assert average_power_w(25e3, 1275, 1.25) < supply < facility_power_w(25e3, 1275, 1.25)


def test_the_bill_is_76_to_120_million_not_600() -> None:
    assert electricity_usd_per_year(105e6, 0.0826) == pytest.approx(76e6, rel=0.01)
    assert electricity_usd_per_year(166e6, 0.0826) == pytest.approx(120e6, rel=0.01)
    assert electricity_usd_per_year(21e6, 0.0826) == pytest.approx(15e6, rel=0.02)


def test_gpt3_is_119_homes() -> None:
    assert homes_for_a_year(1287e3, 10800.0) == pytest.approx(119, abs=1)


def test_colossus_water_is_below_what_would_evaporate_all_heat() -> None:
    """25 M gallons in a month at 425 MW; 1 % of the utility's day at 150 MW would be above it."""
    month_l, gallon_l = 25e6 * 3.785, 3.785
    assert month_l / (425e3 * 730) == pytest.approx(0.30, abs=0.01)
    assert gallon_l * 190e6 * 0.01 / (150e3 * 24) == pytest.approx(2.0, abs=0.05)
    assert gallon_l * 190e6 * 0.01 / (150e3 * 24) > EVAPORATE_L_PER_KWH
    assert water_l(1e6, 0.3, 1.25, 1.0) == pytest.approx(1e6 * 1.55)


def test_a_source_grows_to_its_size() -> None:
    assert TURBINES.available_m(6) == pytest.approx([0, 10e6, 20e6, 30e6, 40e6, 40e6])


def test_the_cheaper_source_is_used_first() -> None:
    supply = dispatch([TURBINES, GRID], flat(110e6), flat(120e6))
    assert supply.energy_kwh["grid"][11] == pytest.approx(100e3 * 730)
    assert supply.energy_kwh["turbines"][11] == pytest.approx(10e3 * 730)
    assert supply.usd[11] == pytest.approx(730e3 * (100 * 0.06 + 10 * 0.12))
    assert supply.carbon_kg[11] == pytest.approx(730e3 * (100 * 0.3 + 10 * 0.5))
    assert supply.unmet_kwh[11] == 0


def test_what_no_source_has_is_told() -> None:
    supply = dispatch([TURBINES], flat(50e6), flat(60e6))
    assert supply.unmet_kwh[0] == pytest.approx(50e3 * 730)
    assert supply.unmet_kwh[5] == pytest.approx(10e3 * 730)
    assert supply.served_share[5] == pytest.approx(0.8)


def test_storage_carries_peaks_for_its_hours_and_makes_no_energy() -> None:
    supply = dispatch([GRID, STORE], flat(80e6), flat(120e6), peak_h_per_day=4.0)
    # Half of the peak's hours are held, so 25 of the 50 MW count; 20 are wanted.
    assert supply.short_w[11] == 0
    lost_w = 20e6 * 4 / 24 * (1 / 0.8 - 1)
    assert supply.energy_kwh["grid"][11] == pytest.approx((80e6 + lost_w) / 1e3 * 730)
    alone = dispatch([STORE, TURBINES], flat(30e6), flat(80e6), peak_h_per_day=2.0)
    assert "store" not in alone.energy_kwh
    assert alone.short_w[11] == 0
    assert alone.short_w[0] == pytest.approx(30e6)


def test_storage_gives_no_more_than_its_watts() -> None:
    large = replace(STORE, storage_h=24.0)
    supply = dispatch([GRID, large], flat(80e6), flat(170e6), peak_h_per_day=2.0)
    assert supply.short_w[11] == pytest.approx(20e6)


def test_sources_cost_what_their_watts_cost() -> None:
    priced = replace(STORE, capex_usd_per_w=0.5)
    assert dispatch([GRID, priced], flat(1e6), flat(1e6)).capex_usd == pytest.approx(25e6)


@given(st.floats(0, 300e6), st.floats(1.0, 1.5))
def test_energy_is_neither_made_nor_lost(average_w: float, peak: float) -> None:
    supply = dispatch([GRID, TURBINES], flat(average_w), flat(average_w * peak))
    given_kwh = sum(supply.energy_kwh.values()) + supply.unmet_kwh
    assert given_kwh == pytest.approx(average_w / 1e3 * 730)


def test_draws_have_months_of_their_own() -> None:
    grid = Source("grid", np.array([50e6, 100e6]), 0.06)
    supply = dispatch([grid], flat(80e6), flat(80e6))
    assert supply.served_share[:, 0] == pytest.approx([0.625, 1.0])


def test_no_source_or_a_peak_below_the_mean_are_refused() -> None:
    with pytest.raises(PlanError, match="no source of power"):
        dispatch([], flat(1e6), flat(1e6))
    with pytest.raises(PlanError, match="peak is below"):
        dispatch([GRID], flat(2e6), flat(1e6))
