"""The verbs site, runway, fleet and stream, from texts to a plan."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.fields import Verb
from fairwitness.planner.fleet.plan import VERB as FLEET
from fairwitness.planner.inputs import read_inputs
from fairwitness.planner.result import Result
from fairwitness.planner.runway.plan import VERB as RUNWAY
from fairwitness.planner.shapes import find_shape, kv_token_bytes, weights
from fairwitness.planner.site.plan import VERB as SITE
from fairwitness.planner.stream.plan import VERB as STREAM

VERBS = (SITE, RUNWAY, FLEET, STREAM)
ON_THE_LINE = {
    "start": "2023-12", "paid_base": "MAU", "dau_per_mau": "35 %", "free_use": "0.003264 chip/user",
    "chip_rent": "1.55 USD/h", "fees": "0", "churn": "0 %/month", "paid_share": "0.25 %",
    "paid_ramp": "0.25 %", "other_spending": "0 USD/month",
}  # fmt: skip


def planned(verb: Verb, count: int = 400, **said: str) -> Result:
    return verb.plan(read_inputs(verb, said, count=count), lambda step, done, total: None)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_plans_from_its_defaults(verb: Verb) -> None:
    result = planned(verb)
    assert result.verdict
    assert result.charts
    assert result.tables
    assert all(each.source for each in result.inputs)
    assert not any(np.isnan(each.median) for each in result.quantities)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_ten_thousand_draws_are_quick(verb: Verb) -> None:
    began = time.process_time()
    planned(verb, 10_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_same_seed_plans_the_same(verb: Verb) -> None:
    assert planned(verb) == planned(verb)


def test_100k_h100_want_more_than_100_mw_and_about_what_the_utility_gave() -> None:
    supply = planned(SITE, 10_000).quantity("nameplate")
    assert supply.low > 100e6
    assert supply.low < 150e6 < supply.high


def test_colossus_as_built_lies_within_the_plan() -> None:
    """4.7 G$ all in; 181 MW needs a PUE of 1.42, which is beyond the default 1.1 to 1.3."""
    capital = planned(SITE, 10_000).quantity("capital")
    assert capital.low < 4.7e9 < capital.high
    known = planned(SITE, compute_price="32 kUSD/chip", build_time="4 months")
    assert known.quantity("capital").median == pytest.approx(4.7e9, rel=0.10)
    loose = planned(SITE, pue="1.1..1.6").quantity("nameplate")
    assert loose.high > 181e6


def test_a_sites_water_by_hand() -> None:
    certain = {
        "chip_power": "700 W", "pue": "1.2", "load": "75 %", "grid_power": "300 MW",
        "grid_time": "1 month", "grid_price": "0.05 USD/kWh", "hall_water": "0.5 l/kWh",
        "grid_water": "2 l/kWh", "build_time": "4 months",
    }  # fmt: skip
    servers_kwh = 1e5 * 0.7 * 1.82 * 0.75 * 8760
    water = planned(SITE, **certain).quantity("water").median
    assert water == pytest.approx(servers_kwh * (0.5 + 1.2 * 2), rel=1e-6)


def test_a_site_whose_power_is_late_says_so() -> None:
    result = planned(SITE, grid_power="20 MW", turbine_power="10 MW", storage_power="0 W")
    assert "power is there for" in result.verdict
    assert result.quantity("short").median > 0


def test_the_runway_names_its_events() -> None:
    result = planned(RUNWAY, **{**ON_THE_LINE, "other_spending": "225.4 MUSD/month"})
    assert "cash-out Jan 2026" in result.verdict
    assert "break-even" in result.verdict
    fast = planned(RUNWAY, **{**ON_THE_LINE, "paid_ramp": "0.5 %", "paid_share": "0.5 %"})
    assert "cash-out never, break-even Nov 2025" in fast.verdict
    assert "faster ramp never" in fast.notes[-1]


def test_the_runway_prints_margin_and_payback() -> None:
    result = planned(RUNWAY, **ON_THE_LINE)
    assert result.quantity("payer_margin").median == pytest.approx(
        20 - 0.02656 * 0.35 * 730 * 1.55, rel=1e-3
    )
    assert result.quantity("break_even_share").median == pytest.approx(0.12, abs=0.001)
    assert 0 < result.quantity("payback").median < 12


def test_the_runway_refuses_a_silent_mix_of_bases() -> None:
    with pytest.raises(PlanError, match="users are counted as DAU, the paid share is of MAU"):
        planned(RUNWAY, paid_base="MAU")


def test_bought_chips_are_paid_at_once() -> None:
    said = {**ON_THE_LINE, "chip_upkeep": "1.55 USD/h", "chip_price": "10 kUSD"}
    rented, bought = planned(RUNWAY, **said), planned(RUNWAY, **said, chips="buy")
    first = 60e6 * ((1 - 0.0025) * 0.003264 + 0.0025 * 0.02656)
    flows = (each.quantity("first_flow").median for each in (rented, bought))
    assert next(flows) - next(flows) == pytest.approx(first * 10e3, rel=1e-6)
    assert "bought chips are paid before they earn" in bought.notes[-1]


def test_an_investor_lengthens_no_runway() -> None:
    rich = {**ON_THE_LINE, "paid_share": "20 %"}
    alone, shared = planned(RUNWAY, **rich), planned(RUNWAY, **rich, investor_share="75 %")
    assert alone.quantity("investor").median == 0
    assert shared.quantity("investor").median > 0
    assert shared.quantity("last_cash").median < alone.quantity("last_cash").median


@pytest.mark.parametrize(
    ("verb", "said", "problem"),
    [
        (RUNWAY, {"users": "0"}, "users: '0' is zero"),
        (RUNWAY, {"price": "20 EUR/month"}, "price: '20 EUR/month' is in EUR"),
        (RUNWAY, {"cash": "9..-2 GUSD"}, "cash: "),
        (RUNWAY, {"start": "autumn"}, "start: 'autumn' is no month"),
        (SITE, {"chips": "-5"}, "chips: '-5'"),
        (SITE, {"grid_power": "150"}, "grid_power: '150' has no unit"),
        (SITE, {"build_time": "70 months"}, "plan for longer"),
        (FLEET, {"trace": "nowhere.txt"}, "trace: 'nowhere.txt' cannot be read"),
        (FLEET, {"copies": "4"}, "copies is 4"),
        (FLEET, {"copies": "2..3"}, "copies: '2..3'"),
        (RUNWAY, {"horizon": "40..60 months"}, "horizon: '40..60 months'"),
        (RUNWAY, {"investor_share": "70..80 %"}, "investor_share: '70..80 %' is a range"),
        (STREAM, {"bench": "nowhere.json"}, "bench: 'nowhere.json' cannot be read"),
        (STREAM, {"incoming": "0 post/s"}, "incoming: '0 post/s' is zero"),
    ],
)
def test_what_cannot_be_meant_is_named(verb: Verb, said: dict[str, str], problem: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(verb, **said)
    assert problem in str(caught.value)


def test_a_fleet_says_what_does_not_fit_and_what_would() -> None:
    result = planned(FLEET, model="grok-1")
    assert result.verdict.startswith("infeasible: grok-1 takes 158 GB")
    assert "the largest that fits" in result.verdict
    assert result.quantity("daily").median == 0


def test_a_fleet_by_hand() -> None:
    """Llama 3.1 8B with batches of one, on machines that never change hands while they answer."""
    shape = find_shape("llama-3.1-8b")
    result = planned(
        FLEET, join="50 %", efficiency="0.5", cheating="10 %", stretch="1000 h", trace="flat",
        load_rate="100 GB/s", line="2 MB/s", updates="30/month", owner_pay="0.03 USD/h",
        power="100 W", electricity="0.1 USD/kWh", overhead="20 %", usable="100 %",
    )  # fmt: skip
    cache = kv_token_bytes(shape, 2.0) * (500 + 150)
    read = weights(shape).total * 0.5 + cache
    rate = 0.5 * 68e9 / read
    writing, reading = 300 / rate, 500 * 2 * weights(shape).total / (144e12 * 0.5)
    fetched = 30 * read / 2e6 / 3600 / (112 * 52 / 12)
    useful = writing / (writing + reading) * (1 - fetched) / 2 * 0.82
    assert result.quantity("machine_rate").median == pytest.approx(rate)
    assert result.quantity("useful").median == pytest.approx(useful, rel=1e-3)
    asked = result.quantity("asked").median
    assert result.quantity("daily").median == pytest.approx(
        5e6 * 0.5 * 16 * asked * 3600 * rate * useful, rel=1e-3
    )
    hours = 1e6 / (3600 * rate * useful)
    assert result.quantity("cost").median == pytest.approx(hours * 0.04 * 1.2, rel=1e-3)


def test_a_fleet_reads_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "week.txt"
    path.write_text("\n".join(["1"] * 84 + ["0.2"] * 84))
    assert planned(FLEET, trace=str(path)).quantity("asked").median < 0.95
    path.write_text("1 2 3")
    with pytest.raises(PlanError, match="holds 3 numbers"):
        planned(FLEET, trace=str(path))


def test_a_fleet_with_more_copies_answers_less_and_lies_less() -> None:
    two, five = planned(FLEET), planned(FLEET, copies="5")
    assert five.quantity("daily").median < two.quantity("daily").median
    assert five.quantity("wrong").median < two.quantity("wrong").median


def test_a_stream_by_hand() -> None:
    said = {
        "incoming": "1000 post/s", "peak": "2", "retention": "100 days", "hot": "10 days",
        "asked": "0 query/s", "hot_size": "100 byte/post", "index_size": "200 byte/post",
        "log_size": "90 byte/post", "load": "50 %", "price": "2 USD/h",
    }  # fmt: skip
    result = planned(STREAM, **said)
    kept = 1000 * 86400 * 100
    wanted = {
        "kept": kept, "memory": kept / 10 * 100 * 2, "disk": kept * (200 * 2 + 90 * 3),
        "log": kept * 90 * 3, "write_cores": 1000 * 2 * 69e-6 * 2 / 0.5,
        "network": 1000 * 2 * 489 * 5, "machines": 2, "cost": 2 * 2 * 730,
    }  # fmt: skip
    for name, value in wanted.items():
        assert result.quantity(name).median == pytest.approx(value), name


def test_the_paper_plan_for_a_trillion_posts() -> None:
    result = planned(STREAM)
    assert result.quantity("kept").median == pytest.approx(1e12, rel=0.01)
    assert result.quantity("write_cores").median < 64  # one machine takes in all of X
    assert "bound by processor" in result.verdict
    assert "bound by disk" in planned(STREAM, asked="0 query/s").verdict


def test_a_bench_wins_over_defaults_but_not_over_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    row = {"posts": 10**6, "query_all_p50_ms": 8.0, "bytes_per_post": 240, "log_bytes_per_post": 98}
    path.write_text(json.dumps({"scale": [row], "commit": "abc1234"}))
    used = {
        each.name: each for each in planned(STREAM, bench=str(path), log_size="50 byte/post").inputs
    }
    assert used["index_size"].text == "240 byte/post"
    assert "abc1234" in used["index_size"].source
    assert used["log_size"].text == "50 byte/post"
