"""`fairwitness plan` as a person meets it: catalogue, files, JSON, page, errors, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
