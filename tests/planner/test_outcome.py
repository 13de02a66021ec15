"""A small verb from its texts to its result, as every verb goes."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from fairwitness.planner.errors import InputError
from fairwitness.planner.fields import Verb, key_of
from fairwitness.planner.inputs import read_inputs
from fairwitness.planner.result import Result

Run = Callable[..., Result]


@pytest.fixture
def run(bill: Verb) -> Run:
    def run(**said: str) -> Result:
        return bill.plan(read_inputs(bill, said), lambda step, done, total: None)

    return run


def test_certain_inputs_give_one_number(run: Run) -> None:
    result = run(power="2 kW", price="0.1 USD/kWh")
    cost = result.quantity("cost")
    assert (cost.median, cost.low, cost.high) == (20.0, 20.0, 20.0)
    assert result.tornados == ()


def test_medians_of_a_product_of_lognormals_multiply(run: Run) -> None:
    result = run(price="0.05..0.2 USD/kWh")
    expected = math.sqrt(2) * 100 * 0.1
    assert result.quantity("cost").median == pytest.approx(expected, rel=0.02)


def test_a_tornado_holds_the_others_at_their_medians(run: Run) -> None:
    (tornado,) = run().tornados
    assert [swing.input for swing in tornado.swings] == ["price", "power"]
    price = tornado.swings[0]
    power_kw = tornado.middle / 100 / 0.1
    assert price.low == pytest.approx(power_kw * 100 * 0.06)
    assert price.high == pytest.approx(power_kw * 100 * 0.14)
    assert price.at_low == "0.06 USD/kWh"


def test_an_input_that_is_absent_has_no_key(bill: Verb) -> None:
    assert "tax" not in read_inputs(bill, {}).middle()
    assert read_inputs(bill, {"tax": "7 %"}).middle()["tax"] == pytest.approx(0.07)


def test_another_input_changes_no_other_draws(bill: Verb) -> None:
    before = read_inputs(bill, {}).draws()["power_w"]
    after = read_inputs(bill, {"tax": "5..9 %"}).draws()["power_w"]
    assert np.array_equal(before, after)


def test_every_input_says_where_it_is_from(run: Run) -> None:
    used = {each.name: each for each in run(power="3 kW").inputs}
    assert (used["power"].origin, used["power"].source) == ("you", "")
    assert used["time"].origin == "default"
    assert "tax" not in used
    assert used["spare"].origin == "catalogue"
    assert used["spare"].source.startswith("H100: ai-dynamo/aiconfigurator")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"powr": "3 kW"}, "powr: 'bill' takes no such input; did you mean power?"),
        ({"where": "yonder"}, "where: 'yonder' is no choice; write here, there"),
        ({"chip": "France"}, "chip: 'France' is a region; write one of"),
        ({"chip": "H10O"}, "chip: 'H10O' is in no row of the catalogue; did you mean H100?"),
        ({"power": "0 W"}, "power: '0 W' is zero, and a plan needs some; write it like 1..2 kW"),
    ],
)
def test_what_cannot_be_meant_is_refused(bill: Verb, said: dict[str, str], told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_inputs(bill, said)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("name", "unit", "key"),
    [
        ("power", "W", "power_w"),
        ("price", "USD/kWh", "price_usd_per_kwh"),
        ("rent", "USD/chip/h", "rent_usd_per_chip_h"),
        ("failures", "1/chip/h", "failures_per_chip_h"),
        ("rate", "FLOP/s", "rate_flops_per_s"),
        ("memory", "byte", "memory_bytes"),
        ("chips", "chip", "chips"),
        ("daily_users", "user", "daily_users"),
        ("used", "chip-h", "used_chip_h"),
        ("mfu", "", "mfu"),
    ],
)
def test_a_key_says_its_unit(name: str, unit: str, key: str) -> None:
    assert key_of(name, unit) == key
