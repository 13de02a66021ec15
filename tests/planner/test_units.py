"""The door: what is read, and for each kind of nonsense a message of its own."""

import math

import pytest

from fairwitness.planner.errors import InputError
from fairwitness.planner.fields import Field
from fairwitness.planner.reading import read
from fairwitness.planner.units import Unit, amount

POWER = Field("power", "W", "", default="700 kW")
PRICE = Field("price", "USD/kWh", "", default="0.08 USD/kWh")
LINK = Field("link", "byte/s", "", default="100 Mbit/s", bits=True)
MEMORY = Field("memory", "byte", "", default="80 GB")
SHARE = Field("share", "", "", default="40 %", most=1, zero=True)
CHIPS = Field("chips", "chip", "", default="16384", whole=True)
USERS = Field("users", "user", "", default="60M")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("700 kW", "W", 7e5),
        ("1,000 W", "W", 1000),
        ("0.08 USD/kWh", "USD/kWh", 0.08),
        ("80 $/MWh", "USD/kWh", 0.08),
        ("$2/h", "USD/chip/h", 2),
        ("2 USD/GPU/h", "USD/chip/h", 2),
        ("2 USD/GPU-h", "USD/chip/h", 2),
        ("2 USD per GPU per hour", "USD/chip/h", 2),
        ("30 MGPU-h", "chip*h", 3e7),
        ("60M", "user", 6e7),
        ("60M users", "user", 6e7),
        ("15.6 Ttoken", "token", 15.6e12),
        ("314B", "", 314e9),
        ("10/day", "query/user/day", 10),
        ("661 lb/MWh", "kg/kWh", 0.29982),
        ("6.5 1/chip/year", "1/chip/h", 6.5 / 8760),
        ("80 GiB", "byte", 80 * 2**30),
        ("80 GB", "byte", 80e9),
        ("10 billion USD", "USD", 1e10),
        ("20 USD/month", "USD/user/month", 20),
        ("2 USD/Mtoken", "USD/token", 2e-6),
    ],
)
def test_what_people_type_is_read(text: str, unit: str, value: float) -> None:
    assert amount("x", text, Unit(unit), "", {}) == pytest.approx(value, rel=1e-4)


def test_a_link_is_said_in_bits_and_kept_in_bytes() -> None:
    assert read(LINK, "100 Mbit/s", {}).median == 12.5e6


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        (POWER, "700", "power: '700' has no unit, and this is in W; write it like 700 kW"),
        (POWER, "700 kWh", "power: '700 kWh' is energy, and this is in W"),
        (POWER, "700 furlong", "has a unit that we do not know, 'furlong'; write it like 700 kW"),
        (POWER, "much", "power: 'much' is no number; write it like 700 kW"),
        (POWER, "-3 kW", "power: '-3 kW' is negative; write it like 700 kW"),
        (POWER, "1e400 W", "is not finite"),
        (POWER, "5 USD + 3 W", "has a unit that we do not know"),
        (PRICE, "0,08 USD/kWh", "has a comma in its number; write a decimal point: 0.08"),
        (PRICE, "0.08 USD/kwh", "has an unclear unit 'USD/kwh'; energy is written kWh or MWh"),
        (PRICE, "0.3 EUR/kWh", "is in EUR, and this plan counts in USD; give the rate"),
        (LINK, "100 Mb/s", "unclear unit 'Mb/s'; bits are written Mbit/s, bytes MB/s"),
        (LINK, "100 Mbps", "unclear unit 'Mbps'"),
        (
            MEMORY,
            "80 Gbit",
            "memory: '80 Gbit' is in bits, and this is in bytes (a Gbit is 1.25e+08",
        ),
        (SHARE, "40", "share: '40' is over 1; write a fraction (0.4) or percent (40 %)"),
        (SHARE, "120 %", "is over 1"),
        (USERS, "0", "users: '0' is zero, and a plan needs some; write it like 60M"),
        (USERS, "60T", "users: '60T' is more than the world has; write it like 60M"),
        (POWER, "700 EW", "is more than the world has"),
        (USERS, "60M tokens", "is in token, and this is in user"),
        (CHIPS, "0.5", "chips: '0.5' is no whole number; write it like 16384"),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_would_be_right(
    field: Field, text: str, told: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(field, text, {})
    assert told in str(caught.value)


def test_a_rate_joins_two_currencies() -> None:
    assert read(PRICE, "0.3 EUR/kWh", {"EUR": 1.1}).median == pytest.approx(0.33)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("4..2 kW", "has its low end above its high; write 2000..4000 W"),
        ("1 W..1 GW", "is absurdly wide"),
        ("-2..4 kW", "is negative"),
        ("lognormal(0..4 kW)", "is zero"),
        ("triangular(2..4 kW)", "has 2 numbers; write triangular(2..3..5)"),
        ("1..2..3 kW", "has 3 numbers; write low..high"),
        ("gamma(1..2 kW)", "is a distribution that we do not know"),
        ("1..2 kW (5-80 %)", "has unequal tails"),
        ("", "is empty"),
        ("2..4", "has no unit"),
    ],
)
def test_absurd_ranges_are_refused(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read(POWER, text, {})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("field", "text", "kind"),
    [
        (POWER, "2..4 kW", "lognormal"),
        (POWER, "uniform(2..4 kW)", "uniform"),
        (SHARE, "30..48 %", "logitnormal"),
        (SHARE, "0..5 %", "uniform"),
        (Field("drift", "", "", least=-math.inf), "-3..5", "normal"),
        (POWER, "triangular(2..3..5 kW)", "triangular"),
        (POWER, "3..3 kW", "point"),
    ],
)
def test_a_range_takes_the_shape_that_fits_its_field(field: Field, text: str, kind: str) -> None:
    assert read(field, text, {}).kind == kind


def test_the_ends_of_a_range_share_the_last_unit() -> None:
    spread = read(POWER, "700..900 kW", {})
    assert (spread.low, spread.high) == (7e5, 9e5)
    spread = read(POWER, "700 kW..1 MW", {})
    assert (spread.low, spread.high) == (7e5, 1e6)
