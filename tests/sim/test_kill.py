"""kill -9 at any moment loses nothing that was acknowledged, and doubles nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_hundred_kills_leave_every_post_exactly_once(tmp_path: Path) -> None:
    hold(tmp_path, kills=100, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_thousand_kills_do_too(tmp_path: Path, seed: int) -> None:
    hold(tmp_path, kills=100, seed=seed)


def hold(folder: Path, kills: int, seed: int) -> None:
    program = Path(__file__).with_name("kill_ingest.py")
    done = subprocess.run(
        [sys.executable, str(program), str(folder), str(kills), str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["problems"] == [], done.stderr[-3000:]
    assert told["last"] == 0, done.stderr[-3000:]
    assert told["killed"] == kills
    assert told["twice"] == []
    tenth = told["rows"] // 10
    assert (told["posted"], told["edited"], told["deleted"]) == (8 * tenth, tenth, tenth)
    assert told["found"] == told["indexed"] == 7 * tenth
    assert told["found_edited"] == tenth
    assert told["versions"] == 9 * tenth
    assert told["slices"] > 1, "no slice was sealed among the kills"
    assert told["segments"] > 1, "no segment was begun among the kills"
