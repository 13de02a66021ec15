"""Plan files: what is saved gives the same again, to the last bit."""

import re
from pathlib import Path

import msgspec
import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.fields import Verb
from fairwitness.planner.inputs import Given, Inputs, read_inputs
from fairwitness.planner.plan_file import merged, plan_text, read_plan


def again(verb: Verb, path: Path, **said: str) -> Inputs:
    file = merged(verb, read_plan(path), said)
    return read_inputs(
        verb,
        file.inputs,
        sources=file.sources,
        rates=file.rates,
        count=file.draws,
        seed=file.seed,
    )


def result_of(inputs: Inputs) -> bytes:
    result = inputs.verb.plan(inputs, lambda step, done, total: None)
    return msgspec.json.encode(result)


def saved(bill: Verb, folder: Path, **said: str) -> tuple[Inputs, Path]:
    inputs = read_inputs(bill, said, rates={"EUR": 1.08}, count=500, seed=7)
    path = folder / "plan.toml"
    path.write_text(plan_text(inputs), "utf-8")
    return inputs, path


def test_a_saved_plan_gives_the_same_to_the_last_bit(bill: Verb, tmp_path: Path) -> None:
    said = {"power": "triangular(0.9..1.1..1.7 kW)", "price": "0.1..0.3 EUR/kWh", "tax": "1..9 %"}
    inputs, path = saved(bill, tmp_path, **said)
    assert result_of(again(bill, path)) == result_of(inputs)


def test_a_saved_plan_holds_every_input_with_its_source(bill: Verb, tmp_path: Path) -> None:
    inputs, path = saved(bill, tmp_path)
    text = path.read_text()
    assert all(f"\n{name} = " in text for name in inputs.given)
    assert 'power = "default: a guess"' in text
    assert 'spare = "catalogue: H100: ' in text


def test_another_word_brings_its_own_figures(bill: Verb, tmp_path: Path) -> None:
    _, path = saved(bill, tmp_path)
    assert again(bill, path).middle()["spare_w"] == 700
    assert again(bill, path, chip="B200").middle()["spare_w"] == 1000
    assert again(bill, path, chip="B200", spare="5 W").middle()["spare_w"] == 5


def test_a_word_that_is_changed_in_the_file_does_so_too(bill: Verb, tmp_path: Path) -> None:
    _, path = saved(bill, tmp_path)
    path.write_text(path.read_text().replace('chip = "H100"', 'chip = "b200"'))
    assert again(bill, path).middle()["spare_w"] == 1000


def test_what_is_said_wins_and_is_yours(bill: Verb, tmp_path: Path) -> None:
    _, path = saved(bill, tmp_path)
    given = again(bill, path, power="3 kW").given["power"]
    assert (given.text, given.origin, given.source) == ("3 kW", "you", "")


def test_people_write_less(bill: Verb, tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text('plan = "bill"\n[inputs]\ntax = 0.07\n')
    inputs = again(bill, path)
    assert inputs.middle()["tax"] == 0.07
    assert inputs.given["power"].origin == "default"


def test_quotes_and_controls_in_a_text_survive(bill: Verb, tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    inputs = read_inputs(bill, {})
    strange = 'a "b" \\ é \x7f \t'
    given = {"where": Given(bill.field("where"), strange, None, "you", "")}
    odd = Inputs(bill, given, inputs.catalogue, {})
    path.write_text(plan_text(odd), "utf-8")
    assert read_plan(path).inputs["where"] == strange


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plan = = 1", "is no TOML"),
        ("seed = 1", 'does not say which plan it is; write plan = "train"'),
        ('plan = "bill"\npower = "7 W"', "knows no 'power'; inputs stand under [inputs]"),
        ('plan = "bill"\nseed = "x"', "seed: 'x' is no whole number"),
        ('plan = "bill"\ninputs = 3', "inputs is no table"),
        ('plan = "bill"\n[rates]\nEUR = "x"', "is no number; write EUR = 1.08"),
        ('plan = "bill"\n[inputs]\npower = [1]', "power: '[1]' is no text or number"),
        ('plan = "bill"\n[inputs]\npowr = "1 W"', "did you mean power?"),
        ('plan = "bill"\ndraws = 0', "draws: '0' is no useful number"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    bill: Verb, tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=re.escape(told)):
        again(bill, path)
