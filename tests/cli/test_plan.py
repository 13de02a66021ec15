"""`fairwitness plan` as a person meets it: catalogue, files, JSON, page, errors, exit codes."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairwitness.cli.main import cli

ENV = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160"}


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fairwitness", "plan", *words],
        capture_output=True,
        text=True,
        env=ENV,
        timeout=120,
        check=False,
    )


def test_the_catalogue_shows_figures_with_source_and_conflicts() -> None:
    told = run("catalogue", "H100")
    assert told.returncode == 0
    assert "989 TFLOP/s" in told.stdout
    assert "aiconfigurator" in told.stdout
    assert "sparsity" in told.stdout


def test_the_catalogue_speaks_json() -> None:
    rows = json.loads(run("catalogue", "--kind", "region", "--json").stdout)
    france = next(row for row in rows if row["name"] == "France")
    assert france["figures"]["carbon"]["unit"] == "kg/kWh"
    assert france["figures"]["carbon"]["median"] == pytest.approx(0.056, rel=0.01)


def test_a_row_without_a_source_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[Ours]\nkind = "accelerator"\npower = { value = "7 W", date = "2026" }\n')
    told = run("catalogue", "--catalogue", str(path))
    assert told.returncode == 2
    assert "Ours.power: '7 W' has no source" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_unknown_row_says_what_is_near() -> None:
    told = run("catalogue", "H10O")
    assert told.returncode == 2
    assert "did you mean H100" in told.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --chip-power 700", "chip_power: '700' has no unit, and this is in W; write it"),
        ("train --scale-out '400 Gb/s'", "'Gb/s'; bits are written Mbit/s, bytes MB/s"),
        ("train --memory '80 Gbit'", "memory: '80 Gbit' is in bits, and this is in bytes"),
        ("train --tokens -5T", "tokens: '-5T' is negative; write it like"),
        ("train --pue 1.3..1.1", "pue: '1.3..1.1' has its low end above its high; write 1.1..1.3"),
        ("train --pue 0.5", "pue: '0.5' is under 1"),
        ("train --rent '2 EUR/h'", "is in EUR, and this plan counts in USD; give the rate"),
        ("train --currency EUR=x", "--currency: 'EUR=x' is no rate; write EUR=1.08"),
        ("train --currency XXX=2", "currency: 'XXX' is no currency that we know"),
        ("train --chip H999x", "chip: 'H999x' is in no row of the catalogue"),
        ("train --chip France", "chip: 'France' is a region; write one of A100,"),
        ("train --chips 1e30", "chips: '1e30' is more than the world has"),
        ("train --model llama-3.1-405b --chips 4", "fits on no mesh of 4 chips"),
        ("train --draws 0", "draws: '0' is no useful number"),
        ("train --chip-power ''", "chip_power: '' is empty"),
        ("serve --users 0", "users: '0' is zero, and a plan needs some; write it like 60M"),
        ("runway --paid-share '120 %'", "is over 1; write a fraction (0.4) or percent (40 %)"),
        ("site --chip-price '-3 kUSD..5 kUSD'", "is negative"),
        ("stream --retention '-1 year'", "retention: '-1 year' is negative"),
    ],
)
def test_nonsense_is_refused_by_field_and_value(words: str, told: str) -> None:
    said = CliRunner().invoke(cli, ["plan", *shlex.split(words)])
    assert said.exit_code == 2, said.output
    assert told in said.output
