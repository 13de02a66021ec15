"""A small verb that stands for all."""

from collections.abc import Mapping

import msgspec
import pytest

from fairwitness.planner.fields import Field, Output, Told, Values, Verb, Word
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Chart, Line, Mark, Result, Table


def compute(values: Values) -> Mapping[str, Number]:
    energy_kwh = values["power_w"] * values["time_h"] / 1000
    return {"energy_kwh": energy_kwh, "cost_usd": energy_kwh * values["price_usd_per_kwh"]}


OUTPUTS = (Output("energy", "kWh", "energy"), Output("cost", "USD", "bill", swings=True))


def plan(inputs: Inputs, told: Told) -> Result:
    result = outcome(inputs, compute, OUTPUTS, told)
    bars = Line("bill", (), (1.0, 2.5), names=("here <b>", "there"))
    fan = Line("burn", (0, 1, 2), (3, 2, 1), (2.5, 1.5, 0.5), (3.5, 2.5, 1.5))
    return msgspec.structs.replace(
        result,
        verdict="it can be paid",
        charts=(
            Chart("By place", "", "USD", (bars,), kind="bar"),
            Chart("By month", "month", "USD", (fan, Line("flat", (0, 2), (2, 2))),
                  marks=(Mark(1.5, "gone"),)),
            Chart("Growth", "month", "USD", (Line("up", (0, 1), (1, 1e4)),), kind="log"),
        ),
        tables=(Table("Ways", ("way", "USD"), (("buy", 1234.5), ("rent", None))),),
        notes=("prices <move>",),
    )  # fmt: skip


BILL = Verb(
    name="bill",
    help="What a machine costs to run.",
    example="--power 1kW",
    fields=(
        Field("power", "W", "Power at the meter.", default="1..2 kW", source="a guess"),
        Field("time", "h", "How long.", default="100 h"),
        Field("price", "USD/kWh", "Price.", default="uniform(0.05..0.15 USD/kWh)"),
        Field("tax", "", "Share on top.", most=1, zero=True),
        Word("where", "A place.", default="here", choices=("here", "there")),
        Word("chip", "An accelerator.", default="H100", kind="accelerator"),
        Field("spare", "W", "Power of a spare chip.", figure="chip.power"),
    ),
    plan=plan,
)


@pytest.fixture
def bill() -> Verb:
    return BILL
