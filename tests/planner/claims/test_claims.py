"""The published claims: each comes out as recorded, by a rule that no word in the data can bend."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

import fairwitness.planner.claims as room
from fairwitness.planner.claims.claim import Claim, Premise, claims, judge, read_claims
from fairwitness.planner.claims.formulas import FORMULAS
from fairwitness.planner.errors import PlanError

BY_ID = {claim.id: claim for claim in claims()}


def with_input(claim: Claim, name: str, value: float) -> Claim:
    premise = msgspec.structs.replace(claim.inputs[name], value=value)
    return msgspec.structs.replace(claim, inputs={**claim.inputs, name: premise})


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.id)
def test_each_claim_comes_out_as_recorded(claim: Claim) -> None:
    judged = judge(claim)
    assert judged.as_recorded, f"{judged.verdict} {judged.computed}, was {claim.came_out}"
    assert judged.reason_text == claim.reason


def test_there_are_at_least_as_many_as_in_the_articles() -> None:
    counted = Counter(judge(claim).verdict for claim in claims())
    assert counted.total() >= 48
    assert min(counted.values()) >= 5, counted  # every kind of verdict is there


@pytest.mark.parametrize(
    ("id", "name", "value", "before", "after"),
    [
        ("xai.power-100mw", "server_w_per_chip", 800.0, "refuted", "reproduced"),
        ("xai.chips-cost-3g", "usd_each", 20e3, "reproduced", "refuted"),
        ("xai.bill-above-600m", "power_w", 900e6, "refuted", "reproduced"),
        ("grok1.two-months", "flops", 2.9e25, "reproduced", "refuted"),
        ("grok3.100k-h100", "mfu", 0.55, "conditional", "reproduced"),
        ("openai.break-even-12", "usd_per_gpu_h", 0.736, "conditional", "reproduced"),
        ("openai.bankrupt-2024", "loss_usd_per_year", 7.5e9, "refuted", "reproduced"),
        ("dojo.four-cabinets", "tiles", 138.0, "conditional", "reproduced"),
        ("openai.reading-b1-break-even", "ramp", 0.0025, "reproduced", "refuted"),
        ("data.good-text", "used_growth", 0.1, "reproduced", "refuted"),
    ],
)
def test_another_input_changes_the_verdict_and_is_noticed(
    id: str, name: str, value: float, before: str, after: str
) -> None:
    claim = BY_ID[id]
    assert judge(claim).verdict == before
    changed = judge(with_input(claim, name, value))
    assert changed.verdict == after
    assert not changed.as_recorded
    assert f"recorded as {before}" in changed.reason_text


def test_what_a_claim_hides_has_to_help() -> None:
    claim = BY_ID["xai.fastest-machine-bill"]
    hidden = {**claim.only_if, "power_w": Premise(100e6, "")}
    assert judge(msgspec.structs.replace(claim, only_if=hidden)).verdict == "refuted"


def test_a_verdict_that_is_typed_in_changes_nothing() -> None:
    claim = BY_ID["openai.ten-years-safe"]
    record = msgspec.structs.replace(claim.came_out, verdict="reproduced")
    judged = judge(msgspec.structs.replace(claim, came_out=record))
    assert (judged.verdict, judged.as_recorded) == ("refuted", False)


def test_what_states_nothing_is_an_input() -> None:
    claim = BY_ID["xai.chips-cost-3g"]
    assert judge(msgspec.structs.replace(claim, stated=None)).verdict == "input"


def test_every_premise_says_where_it_is_from() -> None:
    for claim in claims():
        for premise in (*claim.inputs.values(), *claim.only_if.values()):
            assert len(premise.source) > 8, claim.id
        assert set(claim.only_if) <= set(claim.inputs), claim.id
        assert claim.reason == claim.reason.strip(". ")


def test_every_formula_is_named_by_a_claim() -> None:
    assert {claim.formula for claim in claims()} == set(FORMULAS)


def test_quotes_are_a_few_words() -> None:
    assert all(len(claim.quote) <= 45 for claim in claims())


def text(**changes: str) -> str:
    lines = {
        "id": '"a"', "says": '"b"', "quote": '""', "formula": '"added"', "reason": '"c"',
        "inputs.first": '{ is = 1, from = "article" }',
        "inputs.second": '{ is = 2, from = "article" }',
        "came_out": '{ verdict = "input", computed = [3, 3] }', **changes,
    }  # fmt: skip
    rows = "\n".join(f"{name} = {value}" for name, value in lines.items() if value)
    return f'source = "s"\n[sources]\nours = "o"\n[[claims]]\n{rows}\n'


def test_a_file_of_claims_can_be_read() -> None:
    (claim,) = read_claims(text())
    assert judge(claim).as_recorded
    assert claim.sources == ("s",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"formula": '"magic"'}, "a: 'magic' is no formula of ours"),
        ({"inputs.first": '{ is = 1, from = "nobody" }'}, "a: first: no source 'nobody'"),
        ({"inputs.first": "{ is = 1 }"}, "missing required field `from`"),
        ({"verdict": '"reproduced"'}, "unknown field `verdict`"),
        ({"id": ""}, "missing required field `id`"),
    ],
)
def test_a_claim_that_says_too_little_is_refused(changes: dict[str, str], problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        read_claims(text(**changes))


def test_the_files_are_short() -> None:
    for file in Path(room.__file__).parent.glob("*.toml"):
        assert len(file.read_text("utf-8").splitlines()) <= 300, file.name
