"""`fairwitness models list`: the models, and the families with what their parity tests found."""

import json

import pytest
from click.testing import CliRunner

from fairwitness.cli.main import cli
from fairwitness.models.families import FAMILIES


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["models", "list", *arguments], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_family_is_listed_with_its_parity() -> None:
    told = {family["name"]: family for family in json.loads(run("--json"))["families"]}
    assert list(told) == [family.name for family in FAMILIES]
    for family in told.values():
        assert 0 < family["error_below"] <= 1e-4
        assert family["against"]
        assert family["cases"]
    native = {name: family["native"] for name, family in told.items()}
    assert {
        native[name] for name in ("grok-1", "llama", "mistral", "mixtral", "qwen3", "qwen3moe")
    } == {"yes"}
    assert native["gpt-oss"] == native["grok-2"] == "no"


def test_a_person_reads_both_tables() -> None:
    told = run()
    assert "smollm2-135m-instruct" in told
    assert all(family.title in told for family in FAMILIES)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["--adapter", "folder"], "takes NAME=FOLDER, not 'folder'"),
        (["--adapter", "a b=folder"], "takes NAME=FOLDER"),
        (["--adapter", "a=folder", "--model", "none"], "--adapter needs a model that runs here"),
        (["--draft-model", "small", "--model", "none"], "--draft-model needs a model that runs"),
        (["--draft-model", "small", "--replicas", "2"], "not in --replicas"),
        (["--replicas", "2", "--model", "none"], "--replicas needs a model that runs here"),
        (
            ["--replicas", "2", "--model-server", "http://127.0.0.1:9"],
            "--replicas needs a model that runs here",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(tmp_path, told, message) -> None:
    home = tmp_path / "home"
    got = CliRunner().invoke(cli, ["up", *told, "--home", str(home)])
    assert got.exit_code == 2
    assert message in got.output
    assert not home.exists()
