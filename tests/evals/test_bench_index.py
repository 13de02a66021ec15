"""The whole run, small: real processes, real home, every key of the report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fairwitness.cli import bench_index as bench_index_module
from fairwitness.evals import scale_run
from fairwitness.evals.apart import RunFailed
from fairwitness.evals.bench_index import Plan, Report, bench_index
from fairwitness.evals.live_run import running
from fairwitness.evals.scale_run import ScaleRow, grow

KEYS = (
    "ingest_posts_per_s minutes query_ms freshness_s rss_gb burst scale stage_us peers machine"
    " commit"
).split()
PARTS = {
    "query_ms": {"p50", "p99"},
    "freshness_s": {"p50", "p99"},
    "burst": {"posts", "lost", "searchable_s"},
    "scale": {"posts", "query_day_p99_ms", "query_all_p99_ms", "bytes_per_post", "open_s"},
    "stage_us": {"read", "apply", "fsync"},
}
PEER = {
    "ingest_posts_per_s": 100,
    "query_ms": {"p50": 1.0, "p99": 2.0},
    "freshness_s": {"p50": 0.1, "p99": 0.2},
    "bytes_per_post": 300.0,
}


def hushed(_step: str, _done: int, _total: int) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def report(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    plan = Plan(
        captures, minutes=0.03, rate_hz=400, posts=1_500, burst_posts=3_000, stage_posts=400
    )
    folder = tmp_path_factory.mktemp("bench")
    made = bench_index(folder, plan, {"rival": PEER}, hushed)
    found: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return found


def test_all_figures_are_there(report: dict[str, Any]) -> None:
    assert report["missing"] == {}
    assert not report["partial"]
    assert list(report)[: len(KEYS)] == KEYS
    for key, parts in PARTS.items():
        (row,) = report[key] if isinstance(report[key], list) else [report[key]]
        assert parts <= row.keys(), key
    (rival,) = report["peers"].values()
    assert {key: rival[key] for key in PEER} == PEER
    assert rival["ours_is"].keys() == {
        "ingest_posts_per_s",
        "bytes_per_post",
        *(f"{key}_{part}" for key in ("query_ms", "freshness_s") for part in ("p50", "p99")),
    }
    assert 0 < rival["share_of_limit"] < 1
    assert 100 < report["ingest_posts_per_s"] < 800
    assert report["rss_gb"] > 0.02
    assert report["queries"]["asked"] >= 5
    assert report["unfound_probes"] == 0
    assert 0 < report["query_ms"]["p50"] <= report["query_ms"]["p99"]
    assert 0 < report["freshness_s"]["p50"] <= report["freshness_s"]["p99"]


def test_a_burst_loses_nothing(report: dict[str, Any]) -> None:
    burst = report["burst"]
    assert (burst["posts"], burst["lost"]) == (3_000, 0)
    assert burst["searchable_s"] >= 0.5  # the last post was said at the end of its second


def test_the_scale_has_its_size(report: dict[str, Any]) -> None:
    (row,) = report["scale"]
    assert row["posts"] == 1_500
    assert row["bytes_per_post"] > 10
    assert row["query_all_p99_ms"] > 0
    assert 0 < row["open_s"] < 60
    told = [limit["what"] for limit in report["limits"]]
    assert told == ["code scan", "ingest", "freshness", "open"]
    assert all(0 < limit["share"] <= 1 for limit in report["limits"])


@pytest.mark.parametrize(
    ("asked", "minutes", "sizes"),
    [
        (["--quick"], 0.5, (100_000, 1_000_000)),
        ([], 10.0, (100_000, 1_000_000, 5_000_000, 20_000_000)),
    ],
)
def test_what_is_asked_for_is_planned_and_marked(
    asked: list[str], minutes: float, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def planned(_work: Path, plan: Plan, *_: object) -> Report:
        plans.append(plan)
        return Report(quick=plan.quick)

    monkeypatch.setattr(bench_index_module, "bench_index", planned)
    done = CliRunner().invoke(bench_index_module.bench_index_command, [*asked, "--json"])
    (plan,) = plans
    assert (plan.minutes, plan.sizes, plan.burst_posts) == (minutes, sizes, 143_199)
    printed = json.loads(done.stdout)
    assert list(printed)[: len(KEYS)] == KEYS
    assert printed["quick"] is bool(asked)


def test_texts_that_are_not_there_are_named(tmp_path: Path) -> None:
    plan = Plan(tmp_path, minutes=0.05, rate_hz=100, posts=1_000)
    report = bench_index(tmp_path / "work", plan, {}, hushed)
    assert report.missing == {"stream": f"ValueError: no texts in {tmp_path}"}


def test_a_process_that_dies_ends_the_run_and_is_named(tails: Path, tmp_path: Path) -> None:
    def kill(_step: str, done: int, _total: int) -> None:
        if done:
            run.processes[0].kill()

    with running(tmp_path / "home", tails) as run:
        with pytest.raises(RunFailed, match=r"writer \(-9\)"):
            run.stretch(1_000, 20.0, kill, warm_s=10.0)
        run.kill()


def test_growth_goes_on_where_it_was(
    tails: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_run, "commit", lambda: "one")
    first: list[ScaleRow] = []
    grow(tmp_path, tails, (300, 700), hushed, first)
    assert [row.posts for row in first] == [300, 700]
    told: list[str] = []
    again: list[ScaleRow] = []
    grow(tmp_path, tails, (300, 700), lambda step, *_: told.append(step), again)
    assert (again, told) == (first, [])
    with pytest.raises(RunFailed, match="holds 700 posts where 500 are to be measured"):
        grow(tmp_path, tails, (500,), hushed, [])
    assert scale_run.size_bytes(tmp_path / "home" / "log") > 4_096
    monkeypatch.setattr(scale_run, "commit", lambda: "another")
    anew: list[ScaleRow] = []
    grow(tmp_path, tails, (500,), hushed, anew)
    assert [row.posts for row in anew] == [500]


def test_ctrl_c_prints_what_was_measured(captures: Path, tmp_path: Path) -> None:
    words = ["bench", "index", "--minutes", "5", "--rate", "100", "--posts", "1000", "--json"]
    folders = ["--texts", str(captures), "--work", str(tmp_path / "work")]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairwitness", *words, *folders],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    deadline_s = time.monotonic() + 60
    while not list(tmp_path.glob("work/live/home/log/*")) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    printed, told = process.communicate(timeout=60)
    assert process.returncode == 1
    report = json.loads(printed)
    assert report["partial"]
    assert report["missing"] == {"live": "interrupted"}
    assert report["stage_us"]["apply"] > 0
    assert report["ingest_posts_per_s"] is None
    assert not (tmp_path / "work" / "live").exists()
    assert "not measured: live: interrupted" in told
    assert "Traceback" not in told
