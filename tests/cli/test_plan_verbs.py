"""What holds for every verb of `fairwitness plan`, whatever it plans."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairwitness.cli.main import cli
from fairwitness.cli.planning import SHARED, SHOWN
from fairwitness.planner import Field, Word, read_inputs
from fairwitness.planner.units import check_unit
from fairwitness.planner.verbs import VERBS

TAKEN = {option.opts[0].removeprefix("--") for option in (*SHARED, *SHOWN)} | {"help"}
# A full plan with 10,000 draws takes at most 5 s on two idle cores; processor seconds, so that
# neighbours do not count, and they are a promise as it stands.
MOST_S = 5.0


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plan", *words])


def numbers(verb: str) -> list[Field]:
    return [field for field in VERBS[verb].fields if isinstance(field, Field)]


def each_verb() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("verb", list(VERBS))


@each_verb()
def test_fields_have_names_of_their_own_units_and_sources(verb: str) -> None:
    names = [field.name for field in VERBS[verb].fields]
    assert len(names) == len(set(names))
    assert not set(names) & TAKEN
    keys = [field.key for field in numbers(verb)]
    assert len(keys) == len(set(keys))
    for field in VERBS[verb].fields:
        assert field.help
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
    for field in numbers(verb):
        check_unit(field.unit)
        assert field.default is None or field.source or field.figure, f"{field.name}: no source"


@each_verb()
def test_defaults_can_be_read(verb: str) -> None:
    fields = VERBS[verb].fields
    said = {field.name: "1" for field in fields if field.needed and isinstance(field, Word)}
    inputs = read_inputs(VERBS[verb], said)
    for name, given in inputs.given.items():
        assert given.text, name


@each_verb()
def test_a_plan_of_ten_thousand_draws_is_quick(verb: str) -> None:
    inputs = read_inputs(VERBS[verb], {})
    start = time.process_time()
    result = VERBS[verb].plan(inputs, lambda step, done, total: None)
    assert time.process_time() - start < MOST_S
    assert result.draws == 10_000
    assert result.verdict
    assert result.quantities
    assert len({each.name for each in result.quantities}) == len(result.quantities)
    for each in result.quantities:
        assert each.low <= each.median <= each.high, each


@each_verb()
def test_a_saved_plan_prints_the_same_json(verb: str, tmp_path: Path) -> None:
    file = str(tmp_path / "plan.toml")
    first = run(verb, "--draws", "400", "--seed", "5", "--save", file, "--json")
    assert first.exit_code == 0, first.output
    again = run(verb, "--plan", file, "--json")
    assert again.output == first.output
    assert json.loads(first.stdout)["seed"] == 5
    other = json.loads(run(verb, "--plan", file, "--seed", "6", "--json").stdout)
    assert other["seed"] == 6


@each_verb()
def test_text_page_and_plots_come_from_one_run(verb: str, tmp_path: Path) -> None:
    html, plots = tmp_path / "plan.html", tmp_path / "plots"
    told = run(verb, "--draws", "400", "--html", str(html), "--plots", str(plots), "--explain")
    assert told.exit_code == 0, told.output
    assert "80 % of draws" in told.stdout
    page = html.read_text()
    assert "<script" not in page
    assert "http-equiv" not in page
    assert not re.search(r'(?:src|href)="', page)
    assert list(plots.glob("*.svg"))


@each_verb()
def test_a_number_without_its_unit_is_refused(verb: str) -> None:
    field = next(each for each in numbers(verb) if "/" in each.unit or each.unit == "W")
    told = run(verb, f"--{field.name.replace('_', '-')}", "7")
    assert told.exit_code == 2
    assert f"{field.name}: '7' has no unit" in told.output


@each_verb()
def test_an_option_that_is_no_option_says_what_is_near(verb: str) -> None:
    name = numbers(verb)[0].name.replace("_", "-")
    told = run(verb, f"--{name}x", "7")
    assert told.exit_code == 2
    assert "o such option" in told.output


@each_verb()
def test_the_command_on_the_page_gives_the_same_again(verb: str, tmp_path: Path) -> None:
    html = tmp_path / "plan.html"
    run(verb, "--draws", "200", "--html", str(html))
    command = re.search(r"<pre>(.*?)</pre>", html.read_text())
    assert command is not None
    assert command[1] == f"fairwitness plan {verb} --draws 200"


def test_a_plan_that_is_interrupted_ends_cleanly(tmp_path: Path) -> None:
    begun = tmp_path / "plan.toml"
    words = ["plan", "train", "--draws", "200000", "--save", str(begun)]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairwitness", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not begun.exists():  # written before the first draw
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert "Traceback" not in errors


def test_a_plan_of_another_verb_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('plan = "site"\n')
    told = run("train", "--plan", str(file))
    assert told.exit_code == 2
    assert "is a plan of 'site'; run fairwitness plan site" in told.output


def test_two_plans_are_compared(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    run("train", "--draws", "200", "--save", str(one))
    run("train", "--draws", "200", "--save", str(other), "--chip", "B200")
    told = run("compare", str(one), str(other), "--json")
    assert told.exit_code == 0, told.output
    tables = {each["title"]: each["rows"] for each in json.loads(told.stdout)["tables"]}
    assert "chip" in [row[0] for row in tables["Inputs that differ"]]
    assert any(title.startswith("What changes") for title in tables)
