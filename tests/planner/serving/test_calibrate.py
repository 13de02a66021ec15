"""Rates that made measurements are found again from them, and predict loads they did not see."""

import json
from pathlib import Path

import pytest

from fairwitness.planner.errors import PlanError
from fairwitness.planner.serving.calibrate import Load, calibrate, predict, read_loads
from fairwitness.planner.serving.pace import Pace, Served
from fairwitness.planner.shapes import find_shape

SERVED = Served(find_shape("smollm2-135m"), 4.0, 4.0)


@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_known_rates_are_found(apart: float) -> None:
    true = Pace(120e9, 120e9, 22e9, 1.5e-3, apart=apart)
    shown = [Load(16, 64, 1), Load(512, 16, 1), Load(64, 24, 4)]
    found = calibrate(SERVED, [predict(SERVED, true, load) for load in shown])
    assert found.pace.apart == apart
    assert found.worst < 0.02
    for hidden in (Load(300, 20, 2), Load(40, 30, 8)):
        expected, said = predict(SERVED, true, hidden), predict(SERVED, found.pace, hidden)
        assert said.tokens_per_s == pytest.approx(expected.tokens_per_s, rel=0.02)
        assert said.first_ms == pytest.approx(expected.first_ms, rel=0.02)


def test_an_engine_seen_with_one_client_is_promised_no_batching() -> None:
    true = Pace(120e9, 120e9, 22e9, 1.5e-3)
    shown = [predict(SERVED, true, load) for load in (Load(16, 64, 1), Load(512, 16, 1))]
    assert calibrate(SERVED, shown).pace.apart == 1


def test_rows_and_the_benchs_own_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    path.write_text(json.dumps([{"prompt": 5, "output": 6, "concurrency": 2, "tok_s": 30.0}]))
    assert read_loads(path) == [Load(5, 6, 2, 30.0)]
    bench = {
        "decode": {"tok_s": 100.0, "peer_tok_s": 50.0},
        "prefill": {"tok_s": 2048.0},
        "streams_8": {"tok_s": 300.0},
        "streams_32": None,
        "missing": {"streams_32": "not built"},
        "ttft_ms": {"cold": 900.0, "cached": 200.0},
        "rss_gb": 0.5,
        "machine": "x",
    }
    path.write_text(json.dumps(bench))
    assert read_loads(path) == [
        Load(1, 128, 1, 100.0),
        Load(1024, 1, 1, None, 500.0),
        Load(1500, 1, 1, None, 900.0),
        Load(128, 128, 8, 300.0),
    ]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '[{"prompt": 5}]', '{"decode": 5}', "[5]", '{"streams_x": {}}']
)
def test_what_is_no_measurement_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "measured.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"measured\.json: no measurements"):
        read_loads(path)


@pytest.mark.parametrize(
    "load", [Load(1, 1, 1), Load(0, 1, 1, 5.0), Load(1, 1, 1, -5.0), Load(1, 1, 1, float("nan"))]
)
def test_a_load_that_cannot_be_is_refused(load: Load) -> None:
    with pytest.raises(PlanError, match="cannot be"):
        calibrate(SERVED, [load])
