"""The engine's bench: a short run of it, without the peer, on the default model."""

from pathlib import Path

import pytest

from fairwitness.engine import Engine
from fairwitness.evals.bench_engine import Plan, bench_engine
from fairwitness.evals.engine_faith import faith
from fairwitness.evals.engine_peer import PeerFailed, running
from fairwitness.kernels.peak import measured_peak
from fairwitness.models.registry import DEFAULT_MODEL, pull


def test_what_was_measured_is_there_and_what_was_not_says_why():
    steps: list[str] = []
    plan = Plan(pull(DEFAULT_MODEL), None, None, None, 1, streamed=4, answers=2)
    report = bench_engine(plan, steps.append)
    assert report.decode is not None
    assert report.decode["tok_s"] > 1
    assert report.decode["peer_tok_s"] is None
    assert report.prefill is not None
    assert report.ttft_ms is not None
    assert 0 < report.ttft_ms["cached"] < report.ttft_ms["cold"]
    assert report.rss_gb > 0.1
    assert report.cold_start_s > 0
    assert report.streams_32 is not None
    assert report.streams_32["tok_s"] > 1
    has_peaks = measured_peak(1) is not None
    if has_peaks:
        assert report.peaks is not None
        assert 0 < report.prefill["share_of_limit"] < 1
        assert report.prefill["limit_tok_s"] <= report.prefill["limit_8bit_tok_s"]
    assert report.prompt_lookup is not None
    assert report.prompt_lookup["answers"] == 2
    assert report.prompt_lookup["same_answers"] == 1.0
    assert report.prompt_lookup["claims"]["same_answers"] == 1.0
    silent = {key for key in vars(report) if getattr(report, key) is None}
    assert silent - {"peaks"} == {"agreement", "peer", "perplexity", "transformers"}
    assert ("peaks" in silent) != has_peaks
    assert silent == set(report.missing)
    assert steps


def test_the_engine_says_what_float32_says(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text(
        "The city council met on Tuesday to discuss the new bridge over the river. " * 60
    )
    path = pull(DEFAULT_MODEL)
    told = faith(path, Engine(path), text, prompts=2, scored=512)
    assert told.ours == pytest.approx(told.f32, rel=1e-3)
    assert told.agreement == 1.0


def test_a_peer_that_dies_is_told(tmp_path: Path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    with (
        pytest.raises(PeerFailed, match=r"llama\.cpp ended with 3|went away"),
        running(python) as peer,
    ):
        peer.ask("version")
