"""The two verbs from their options to results: speed, bad input, and what must hold of any plan."""

import json
import math
import time
from pathlib import Path

import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.inputs import read_inputs
from fairwitness.planner.result import Result
from fairwitness.planner.serving.plan import VERB as SERVE
from fairwitness.planner.training.plan import VERB as TRAIN


def plan(verb: str, **said: str) -> Result:
    chosen = TRAIN if verb == "train" else SERVE
    return chosen.plan(read_inputs(chosen, said, count=1000), lambda *_: None)


def medians(result: Result) -> dict[str, float]:
    return {each.name: each.median for each in result.quantities}


def test_a_full_training_plan_of_10_000_draws_on_100_000_chips_is_quick() -> None:
    started_s = time.process_time()
    result = TRAIN.plan(read_inputs(TRAIN, {}), lambda *_: None)
    assert result.draws == 10_000
    assert time.process_time() - started_s < 5  # 0.3 s measured


def test_405b_on_16384_chips_takes_what_it_took() -> None:
    result = plan("train", model="llama-3.1-405b", chips="16384", tokens="15.6T", batch="16M")
    (hours,) = (each for each in result.quantities if each.name == "chip_hours")
    assert hours.low < 30.84e6 < hours.high  # github.com/meta-llama, MODEL_CARD of 3.1


def test_twice_the_tokens_take_twice_the_days_and_money() -> None:
    once, twice = (
        medians(plan("train", model="llama-3.1-8b", chips="256", batch="4M", tokens=tokens))
        for tokens in ("1T", "2T")
    )
    for name in ("calendar", "chip_hours", "rented", "energy", "co2"):
        assert twice[name] == pytest.approx(2 * once[name])
    assert twice["final_loss"] < once["final_loss"]


def test_a_loss_that_is_never_reached_takes_for_ever_and_draws_no_more_power() -> None:
    found = medians(plan("train", model="llama-3.1-8b", chips="256", batch="4M", loss="1.7"))
    assert math.isinf(found["calendar"])
    assert 0 < found["effective"] < 1
    assert found["power"] < 1e6


def test_methods_cost_more_in_turn() -> None:
    hours = [
        medians(plan("train", model="llama-3.1-70b", chips="512", batch="4M", method=method))
        for method in ("sft", "dpo", "grpo")
    ]
    assert [each["chip_hours"] for each in hours] == sorted(each["chip_hours"] for each in hours)
    assert hours[1]["trained_tokens"] == 2 * hours[0]["trained_tokens"]
    assert hours[2]["effective"] < hours[1]["effective"] < hours[0]["effective"]


@pytest.mark.parametrize(
    ("verb", "said", "told"),
    [
        ("train", {"chips": "8"}, "grok-1: fits on no mesh of 8 chips"),
        ("train", {"model": "grok-9"}, "grok-9: neither a file nor one of the known shapes"),
        ("train", {"sequence": "10M"}, "far beyond grok-1's context"),
        ("train", {"batch": "100"}, "holds no whole sequence"),
        ("train", {"chip": "A100", "precision": "fp8"}, "A100"),
        ("train", {"chips": "0"}, "chips"),
        ("train", {"chips": "1000..2000"}, "is a range"),
        ("serve", {"chips_each": "2"}, "do not fit 2 chips"),
        ("serve", {"token_limit": "1 ms"}, "no replica of 4 to 256 chips"),
        ("serve", {"users": "0"}, "users"),
        ("serve", {"scale_up": "450 Gb"}, "scale_up"),
        ("serve", {"calibrate": "nowhere.json"}, "nowhere.json: no measurements"),
        ("serve", {"trace": "nowhere.jsonl"}, "nowhere.jsonl: not a trace"),
    ],
)
def test_bad_input_is_refused_by_name(verb: str, said: dict[str, str], told: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(verb, **said)
    assert told in str(caught.value)


def test_more_users_need_more_chips_at_the_same_price_each() -> None:
    few, many = (
        medians(plan("serve", model="llama-3.1-70b", weights="fp8", users=users))
        for users in ("10M", "100M")
    )
    assert many["chips_needed"] == pytest.approx(10 * few["chips_needed"], rel=0.02)
    assert many["question_price"] == pytest.approx(few["question_price"], rel=0.02)


def test_a_limit_on_first_tokens_that_load_breaks_takes_more_replicas() -> None:
    said = {"model": "llama-3.1-70b", "weights": "fp8", "users": "1M", "prompt": "1000"}
    loose, tight = (plan("serve", **said, first_limit=limit) for limit in ("30 s", "500 ms"))
    assert "kept" in tight.verdict
    assert medians(tight)["chips_needed"] > medians(loose)["chips_needed"]
    assert any("first tokens come in time" in note for note in tight.notes)


def test_costs_of_prompts_and_answers_add_up_to_a_question() -> None:
    said = {"prompt": "1000", "answer": "250", "model": "llama-3.1-70b", "weights": "fp8"}
    found = medians(plan("serve", **said, rent="2 USD/h", uses="10", peak="2"))
    parts = found["prompt_price"] * 1000e-6 + found["answer_price"] * 250e-6
    # medians of three skewed results need not add up exactly
    assert parts == pytest.approx(found["question_price"], rel=0.03)
    assert found["idle"] == pytest.approx(1 - 0.7 / 2, abs=0.01)


def test_a_trace_and_measurements_take_the_place_of_defaults(tmp_path: Path) -> None:
    rows = [{"at_s": n / 2, "prompt_tokens": 100, "answer_tokens": 20} for n in range(50)]
    (tmp_path / "trace.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    measured = [
        {"prompt": 16, "output": 64, "concurrency": 1, "tok_s": 38.3, "ttft_ms": 30.0},
        {"prompt": 512, "output": 32, "concurrency": 1, "tok_s": 17.5, "ttft_ms": 987.0},
        {"prompt": 64, "output": 48, "concurrency": 4, "tok_s": 35.7, "ttft_ms": 463.0},
    ]
    (tmp_path / "measured.json").write_text(json.dumps(measured))
    result = plan(
        "serve",
        model="smollm2-135m",
        users="1000",
        prompt="100",
        answer="20",
        weights="fp32",
        cache="fp32",
        trace=str(tmp_path / "trace.jsonl"),
        calibrate=str(tmp_path / "measured.json"),
    )
    assert "50 requests" in result.tables[0].note
    assert any("step apart" in note for note in result.notes)
