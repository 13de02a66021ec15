"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.amounts import band, shown
from fairwitness.planner.units import Unit, amount


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.47e7, "W", "24.7 MW"),
        (3.95e25, "FLOP", "3.95e25 FLOP"),
        (989e12, "FLOP/s", "989 TFLOP/s"),
        (1.05e8, "USD", "105 million USD"),
        (1.05e10, "USD", "10.5 billion USD"),
        (2.35, "USD/chip/h", "2.35 USD/chip/h"),
        (0.414, "kg/kWh", "414 g/kWh"),
        (1.2e7, "kg", "12 kt"),
        (4.2e7, "kWh", "42 GWh"),
        (0.029, "s", "29 ms"),
        (7000, "s", "117 min"),
        (94 * 86400, "s", "94 days"),
        (0.38, "%", "38 %"),
        (1e5, "chip", "100,000 chips"),
        (1, "chip", "1 chip"),
        (1.56e13, "token", "15.6T tokens"),
        (math.inf, "month", "never"),
        (math.inf, "USD", "∞"),
        (math.nan, "USD", "unknown"),
        (5.67e12, "byte", "5.67 TB"),
        (999.96, "W", "1 kW"),
        (0.0, "W", "0 W"),
        (-3e6, "USD", "-3 million USD"),
        (12345.6, "", "12,300"),
    ],
)
def test_a_number_has_three_digits_and_a_unit_that_fits(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_a_band_says_its_unit_once_if_it_can() -> None:
    assert band(2.47e7, 2.21e7, 2.76e7, "W") == "24.7 [22.1 .. 27.6] MW"
    assert band(1e6, 9e5, 2e6, "W") == "1 MW [900 kW .. 2 MW]"
    assert band(1e6, 1e6, 1e6, "W") == "1 MW"


@given(
    st.floats(1e-3, 1e24),
    st.sampled_from(["W", "byte", "byte/s", "USD", "FLOP/s", "kWh", "kg", "s", "token", "USD/kWh"]),
)
def test_what_is_shown_can_be_typed(value: float, unit: str) -> None:
    back = amount("x", shown(value, unit), Unit(unit, bits=False), "", {})
    assert back == pytest.approx(value, rel=0.006)
