"""What our own engine did, at loads that did not calibrate, is foretold within 15 %.

`measured.json` was recorded by `python benchmarks/serving_forecast.py --record`, which measures and
foretells anew; here only the foretelling happens, so it is the same on every machine.
"""

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.calibrate import ENGINE
from fairwitness.planner.serving.pace import Pace, Served
from fairwitness.planner.serving.simulate import simulate
from fairwitness.planner.shapes import find_shape

TOLERANCE = 0.15
MEASURED = json.loads(Path(__file__).with_name("measured.json").read_text())
SERVED = Served(find_shape("smollm2-135m"), 0.625, 4.0)
PACE = Pace(
    math.inf, math.inf, math.inf, **{cost: us / 1e6 for cost, us in MEASURED["pace_us"].items()}
)


@pytest.mark.parametrize("load", MEASURED["loads"], ids=lambda load: load["load"])
def test_throughput_and_first_token_are_foretold_within_15_percent(load: dict) -> None:
    policy = replace(ENGINE, clients=load["clients"])
    foretold = [
        simulate(SERVED, PACE, policy, [Arrival(*each) for each in arrivals])
        for arrivals in load["rounds"]
    ]
    tok_s = statistics.median(each.tokens_per_s for each in foretold)
    ttft_ms = statistics.median(1000 * each.rank("first_s", 50) for each in foretold)
    assert tok_s == pytest.approx(load["tok_s"], rel=TOLERANCE)
    assert ttft_ms == pytest.approx(load["ttft_ms"], rel=TOLERANCE)


def test_a_wrong_pace_is_noticed() -> None:
    """Half as fast again is outside, so the bounds say something."""
    faster = replace(PACE, **{cost: us / 1.5e6 for cost, us in MEASURED["pace_us"].items()})
    load = MEASURED["loads"][0]
    arrivals = [Arrival(*each) for each in load["rounds"][0]]
    one, other = (
        simulate(SERVED, pace, replace(ENGINE, clients=load["clients"]), arrivals)
        for pace in (PACE, faster)
    )
    assert other.rank("first_s", 50) < 0.85 * one.rank("first_s", 50)
