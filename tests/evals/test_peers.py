"""The peers' bench: the posts that it hands out, a real peer, and the tables made of the result."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ROW = {
    "posts": 100_000,
    "query_day_p50_ms": 1.0,
    "query_day_p99_ms": 5.0,
    "query_all_p50_ms": 2.0,
    "query_all_p99_ms": 10.0,
    "bytes_per_post": 200.0,
    "log_bytes_per_post": 100.0,
    "open_s": 0.1,
}
FIGURES: dict[str, Any] = {
    "machine": "a machine",
    "commit": "abc",
    "ingest_posts_per_s": 30_000,
    "query_ms": {"p50": 2.0, "p99": 9.0},
    "freshness_s": {"p50": 0.3, "p99": 0.8},
    "scale": [ROW, {**ROW, "posts": 20_000_000, "query_all_p99_ms": 90.0, "open_s": 4.0}],
    "stage_us": {"decode": 1.5, "clean": 2.0},
    "speed": {
        "memory_gb_per_s": 10.0,
        "disk_gb_per_s": 0.3,
        "syncs_per_s": 1_000.0,
        "popcounts_g_per_s": 2.0,
    },
    "limits": [],
    "peers": {
        "rival": {
            "version": "Rival 1",
            "ingest_posts_per_s": 3_000,
            "query_ms": {"p50": 20.0, "p99": 90.0},
            "freshness_s": {"p50": 0.2, "p99": 0.7},
            "bytes_per_post": 400.0,
            "ours_is": {
                "ingest_posts_per_s": 10.0,
                "query_ms_p50": 10.0,
                "query_ms_p99": 10.0,
                "freshness_s_p50": 0.67,
                "freshness_s_p99": 0.88,
                "bytes_per_post": 1.33,
            },
            "share_of_limit": 0.012,
        },
        "broken": {"error": "OSError: no such | thing"},
    },
}


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, BENCHMARKS / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def handed_out(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peers")
    script("peers/run.py").write_posts(folder, captures, 250)
    return folder


def test_peers_get_clean_posts_with_unit_vectors(handed_out: Path) -> None:
    rows = [json.loads(line) for line in (handed_out / "posts.jsonl").read_text().splitlines()]
    vectors = np.load(handed_out / "vectors.npy")
    assert len(rows) == len(vectors) == 250
    assert "Fire & smoke near the harbour <now>" in {row["text"] for row in rows}
    assert np.abs(np.linalg.norm(vectors.astype(np.float32), axis=1) - 1).max() < 0.01
    questions = json.loads((handed_out / "questions.json").read_text())
    assert len(questions) == 40
    assert {len(question["vector"]) for question in questions} == {256}


def test_vectors_of_like_texts_are_near_and_none_is_zero() -> None:
    vectors = script("peers/run.py").vectors_of(
        ["an earthquake shook the city", "大地震", "my new shoes arrived today", "🙂"]
    )
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 0.01


def test_a_peer_is_tried_until_it_keeps_a_rate(handed_out: Path, tmp_path: Path) -> None:
    words = ["--peer", "sqlite_fts5", "--data", str(handed_out), "--work", str(tmp_path)]
    words += ["--out", str(tmp_path / "out.json"), "--seconds", "1", "--preload", "200"]
    subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers" / "trial.py"), *words], check=True, timeout=120
    )
    result = json.loads((tmp_path / "out.json").read_text())
    assert result.get("error") is None
    assert result["version"].startswith("SQLite 3")
    assert result["posts"] > 200
    assert result["questions"] > 3
    assert result["hits_each"] > 0
    assert 0 < result["freshness_s"]["p50"] <= result["freshness_s"]["p99"]
    flat_out, first = result["flat_out_posts_per_s"], result["tried_hz"][0]
    assert first in {round(share * flat_out) for share in (0.9, 0.6, 0.4, 0.2)}
    assert 0 < result["took_s"] < 120
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_a_peer_that_fails_is_in_the_result_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text("[]")
    words = ["--peer", "sqlite_fts5", "--data", str(tmp_path), "--work", str(tmp_path)]
    words += ["--out", str(tmp_path / "out.json"), "--seconds", "1", "--preload", "0"]
    trial = [sys.executable, str(BENCHMARKS / "peers" / "trial.py"), *words]
    subprocess.run(trial, check=True, timeout=60, stderr=subprocess.DEVNULL)
    assert "posts.jsonl" in json.loads((tmp_path / "out.json").read_text())["error"]


def test_tables_say_how_much_faster_ours_is_and_what_failed() -> None:
    made = script("plot_index.py").tables(FIGURES)
    fast = "3,000 (10 ×) | 20.0 / 90.0 (10 / 10 ×) | 0.2 / 0.7 (0.67 / 0.88 ×)"
    assert f"| rival (Rival 1) | {fast} | 400.0 (1.33 ×) | 1.2% |" in made
    assert "| **fairwitness** | 30,000 | 2.0 / 9.0 | 0.3 / 0.8 | 300.0 | 3.0% |" in made
    assert "| broken | OSError: no such / thing |  |  |  |  |" in made
    assert "| 20,000,000 | 1.0 / 5.0 | 2.0 / 90.0 | 200.0 | 100.0 | 4.0 |" in made
    assert "**sum**" not in made  # stages hold each other: reading is split, decode, …
    widths = {line.count("|") for line in made.splitlines() if line.startswith("| rival")}
    assert widths == {7}


def test_the_plot_has_a_line_for_each_figure() -> None:
    plot = script("plot_index.py")
    drawn = plot.plot(FIGURES["scale"])
    assert drawn.count("<polyline") == 4
    assert "20 M" in drawn
    with pytest.raises(ValueError, match="two sizes"):
        plot.plot(FIGURES["scale"][:1])


def test_rows_of_growth_alone_give_a_table_and_the_plot(tmp_path: Path) -> None:
    rows, drawn = tmp_path / "rows.json", tmp_path / "growth.svg"
    rows.write_text(json.dumps({"made_by": "abc", "rows": FIGURES["scale"]}))
    command = [sys.executable, str(BENCHMARKS / "plot_index.py"), str(rows), "--svg", str(drawn)]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "| 20,000,000 | 1.0 / 5.0 | 2.0 / 90.0 | 200.0 | 100.0 | 4.0 |" in made
    assert drawn.read_text() == script("plot_index.py").plot(FIGURES["scale"])


def test_growth_and_peers_of_other_runs_stand_beside_the_figures() -> None:
    peer = {key: FIGURES["peers"]["rival"][key] for key in ("query_ms", "freshness_s")}
    peer |= {"ingest_posts_per_s": 6_000, "bytes_per_post": 500.0}
    alone = {**FIGURES, "scale": [], "peers": {}}
    joined = script("plot_index.py").joined(alone, FIGURES["scale"], {"other": peer})
    assert joined["peers"]["other"]["ours_is"]["ingest_posts_per_s"] == 5.0
    assert joined["peers"]["other"]["ours_is"]["bytes_per_post"] == 1.67
    made = script("plot_index.py").tables(joined)
    assert "| other | 6,000 (5 ×) |" in made
    assert "| 20,000,000 | 1.0 / 5.0 | 2.0 / 90.0 | 200.0 | 100.0 | 4.0 |" in made
