"""How fast and how faithfully the engine writes, beside llama.cpp on the same file.

Both take turns on the same prompts in the same minutes, and the middle of the turns counts. What
was not measured is null, and `missing` says why.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fairwitness.engine import Engine, Request
from fairwitness.engine.native import CACHE_KIND
from fairwitness.evals.engine_faith import Faith, faith
from fairwitness.evals.engine_guesses import prompt_lookup
from fairwitness.evals.engine_limits import (
    Asked,
    Roof,
    limits,
    measured,
    peaks_told,
    sweeps_per_s,
)
from fairwitness.evals.engine_peer import (
    REQUIREMENT,
    TRANSFORMERS,
    PeerFailed,
    RunningPeer,
    best_threads,
    running,
    running_transformers,
)
from fairwitness.evals.engine_streams import STREAM_PROMPT, prompts, streams_s
from fairwitness.evals.llama_peer import FORMATS
from fairwitness.evals.machine import commit, machine
from fairwitness.kernels.pages import Kind
from fairwitness.models import open_model

Told = Callable[[str], None]
Ids = tuple[int, ...]

DECODED, PROMPT, LONG_PROMPT, SYSTEM = 129, 1_024, 1_500, 1_280
STREAMS = (8, 32)


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    model: Path
    peer_python: Path | None
    """llama.cpp's Python; None: it is left out."""
    torch_python: Path | None
    """`transformers`' Python; None: it is left out."""
    text: Path | None
    """A text to be perplexed by, and to cut prompts from."""
    rounds: int = 5
    prompts: int = 50
    scored: int = 4_096
    streamed: int = 64
    """Tokens that each of many streams writes."""
    answers: int = 100
    """Quotes, and claims, of those that the questions about the sample give."""
    kind: Kind = CACHE_KIND


@dataclass
class Report:
    """What `fairwitness bench engine --json` prints."""

    decode: dict[str, float | None] | None = None
    prefill: dict[str, Any] | None = None
    streams_8: dict[str, Any] | None = None
    streams_32: dict[str, Any] | None = None
    peaks: dict[str, float | None] | None = None
    prompt_lookup: dict[str, Any] | None = None
    ttft_ms: dict[str, float] | None = None
    perplexity: dict[str, float] | None = None
    agreement: float | None = None
    rss_gb: float | None = None
    cold_start_s: float | None = None
    peer: dict[str, str] | None = None
    transformers: dict[str, Any] | None = None
    machine: str = field(default_factory=machine)
    commit: str = field(default_factory=commit)
    missing: dict[str, str] = field(default_factory=dict)


def bench_engine(plan: Plan, told: Told) -> Report:
    """Measure; what fails is named in `missing`, and the rest stands."""
    report = Report()
    told("starting a process with nothing but the engine")
    cold = _cold(plan.model)
    report.rss_gb, report.cold_start_s = cold["rss_gb"], cold["cold_start_s"]
    engine = Engine(plan.model, kind=plan.kind, drafts=False)  # guesses are measured by themselves
    told("first tokens of long prompts")
    report.ttft_ms = _first_tokens(engine, plan.rounds)
    told("cited answers with guesses and without")
    report.prompt_lookup = prompt_lookup(plan.model, plan.kind, plan.answers, plan.rounds)
    _beside(plan, report, engine, told)
    _beside_transformers(plan, report, told)
    if plan.text is None:
        report.missing["perplexity"] = report.missing["agreement"] = "no --text was given"
        return report
    told("against the decoder in float32")
    told_faith: Faith = faith(plan.model, engine, plan.text, plan.prompts, plan.scored)
    report.agreement = told_faith.agreement
    report.perplexity = {
        "ours": told_faith.ours,
        "f32": told_faith.f32,
        "ratio": told_faith.ours / told_faith.f32,
    }
    return report


def _beside(plan: Plan, report: Report, engine: Engine, told: Told) -> None:
    """Decode, prefill and streams, in turns with the peer if there is one."""
    threads = 2
    roofs: list[Roof] = []
    try:
        if plan.peer_python is not None:
            threads = best_threads(plan.peer_python, plan.model)
        with _peer(plan, plan.model, threads=threads) as peer:
            told("decoding in turns")
            report.decode = _decode(engine, peer, plan.rounds)
        with _peer(plan, plan.model) as peer:
            told("reading prompts in turns")
            report.prefill = _prefill(engine, peer, plan.rounds, roofs)
            tiles = "its own" if peer is not None and peer.has_tiles else "none"
        with _peer(plan, plan.model, max(STREAMS)) as peer:
            told("writing for many in turns")
            report.streams_8, report.streams_32 = (
                _streams(engine, peer, count, plan, roofs) for count in STREAMS
            )
        if plan.peer_python is not None:
            report.peer = {
                "name": "llama.cpp",
                "version": REQUIREMENT,
                "file": open_model(plan.model).card.quantisation,
                "decode_threads": str(threads),
                "tiles": tiles,
            }
            _best_of_peer(plan, report, told)
    except PeerFailed as error:
        report.missing["peer"] = str(error)
    report.peaks = peaks_told(roofs)
    if report.peaks is None:
        report.missing["peaks"] = "the engine runs without AVX2, AVX-512 and AMX"
    if plan.peer_python is None:
        report.missing["peer"] = "not asked for: --against llama.cpp"


def _beside_transformers(plan: Plan, report: Report, told: Told) -> None:
    """Decode and prefill of the same weights, in the numbers that it is faster with at each."""
    if plan.torch_python is None:
        report.missing["transformers"] = "not asked for: --against transformers"
        return
    part: dict[str, Any] = {"version": TRANSFORMERS}
    try:
        for numbers in ("float32", "bfloat16"):
            told(f"writing and reading through transformers in {numbers}")
            with running_transformers(plan.torch_python, plan.model, numbers) as peer:
                peer.decode_s(_prompt(16, 99), 5)
                decoded = [peer.decode_s(_prompt(16, i), DECODED) for i in range(plan.rounds)]
                read = [peer.prefill_s(_prompt(PROMPT, 100 + i)) for i in range(plan.rounds)]
            part[numbers] = {
                "decode_tok_s": (DECODED - 1) / statistics.median(decoded),
                "prefill_tok_s": PROMPT / statistics.median(read),
            }
    except PeerFailed as error:
        report.missing["transformers"] = str(error)
        return
    assert report.decode is not None
    assert report.prefill is not None
    for ours, key in ((report.decode, "decode"), (report.prefill, "prefill")):
        best = max(part[numbers][f"{key}_tok_s"] for numbers in ("float32", "bfloat16"))
        part[f"{key}_ratio"] = ours["tok_s"] / best
    report.transformers = part


def _peer(plan: Plan, model: Path, sequences: int = 1, threads: int = 2) -> Any:
    if plan.peer_python is None:
        return nullcontext()
    return running(plan.peer_python, model, threads, sequences)


def _decode(engine: Engine, peer: RunningPeer | None, rounds: int) -> dict[str, float | None]:
    ours: list[float] = []
    theirs: list[float] = []
    sweeps: list[float] = []
    for turn in range(rounds):
        prompt = _prompt(16, turn)
        tokens = engine.generate(Request(prompt, DECODED))
        next(tokens)
        started = time.perf_counter()
        count = sum(1 for _ in tokens)
        ours.append(count / (time.perf_counter() - started))
        sweeps += sweeps_per_s(engine)
        if peer is not None:
            theirs.append((DECODED - 1) / peer.decode_s(prompt, DECODED))
    limit = statistics.median(sweeps) if sweeps else None
    tok_s = statistics.median(ours)
    peer_tok_s = statistics.median(theirs) if theirs else None
    return {
        "tok_s": tok_s,
        "peer_tok_s": peer_tok_s,
        "ratio": tok_s / peer_tok_s if peer_tok_s else None,
        "share_of_limit": tok_s / limit if limit else None,
        "limit_tok_s": limit,
    }


def _prefill(
    engine: Engine, peer: RunningPeer | None, rounds: int, roofs: list[Roof]
) -> dict[str, Any]:
    ours, theirs = [], []
    for turn in range(rounds):
        roofs += measured(engine)
        prompt = _prompt(PROMPT, 100 + turn)
        ours.append(PROMPT / _first_token_s(engine, prompt))
        if peer is not None:
            theirs.append(PROMPT / peer.prefill_s(prompt))
    tok_s = statistics.median(ours)
    peer_tok_s = statistics.median(theirs) if theirs else None
    ratio = tok_s / peer_tok_s if peer_tok_s else None
    told = {"tok_s": tok_s, "peer_tok_s": peer_tok_s, "ratio": ratio, "peer_file": "as it is"}
    return told | limits(engine, roofs, Asked(1, PROMPT, 1), PROMPT, tok_s)


def _streams(
    engine: Engine, peer: RunningPeer | None, count: int, plan: Plan, roofs: list[Roof]
) -> dict[str, Any]:
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(plan.rounds):
        roofs += measured(engine)
        asked = prompts(count, turn)
        ours.append(count * plan.streamed / streams_s(engine, asked, plan.streamed))
        if peer is not None:
            theirs.append(count * plan.streamed / peer.streams_s(asked, plan.streamed))
    tok_s = statistics.median(ours)
    peer_tok_s = statistics.median(theirs) if theirs else None
    ratio = tok_s / peer_tok_s if peer_tok_s else None
    told = {"tok_s": tok_s, "peer_tok_s": peer_tok_s, "ratio": ratio, "peer_file": "as it is"}
    asked_all = Asked(count, STREAM_PROMPT, plan.streamed)
    return told | limits(engine, roofs, asked_all, count * plan.streamed, tok_s)


def _best_of_peer(plan: Plan, report: Report, told: Told) -> None:
    """Let the peer read prompts and write for many from each of its formats; keep its best."""
    assert plan.peer_python is not None
    with tempfile.TemporaryDirectory(prefix="fairwitness-bench-") as folder:
        for name in FORMATS:
            told(f"prompts and streams through llama.cpp's {name}")
            target = Path(folder) / f"{name}.gguf"
            with running(plan.peer_python) as peer:
                peer.ask("convert", source=str(plan.model), target=str(target), format=name)
            with running(plan.peer_python, target) as peer:
                taken = [peer.prefill_s(_prompt(PROMPT, 100 + i)) for i in range(plan.rounds)]
            _keep_best(report.prefill, PROMPT / statistics.median(taken), name)
            with running(plan.peer_python, target, sequences=max(STREAMS)) as peer:
                for count, part in zip(STREAMS, (report.streams_8, report.streams_32), strict=True):
                    _keep_best(part, _streams_of_peer(peer, count, plan), name)
            target.unlink()


def _streams_of_peer(peer: RunningPeer, count: int, plan: Plan) -> float:
    asked = [prompts(count, turn) for turn in range(min(plan.rounds, 3))]
    taken = [peer.streams_s(each, plan.streamed) for each in asked]
    return count * plan.streamed / statistics.median(taken)


def _keep_best(part: dict[str, Any] | None, tok_s: float, name: str) -> None:
    assert part is not None
    if tok_s > part["peer_tok_s"]:
        part |= {"peer_tok_s": tok_s, "ratio": part["tok_s"] / tok_s, "peer_file": name}


def _first_tokens(engine: Engine, rounds: int) -> dict[str, float]:
    cold, cached = [], []
    for turn in range(rounds):
        prompt = _prompt(LONG_PROMPT, 200 + turn)
        cold.append(_first_token_s(engine, prompt))
        other = prompt[:SYSTEM] + _prompt(LONG_PROMPT - SYSTEM, 300 + turn)
        cached.append(_first_token_s(engine, other))
    return {"cold": statistics.median(cold) * 1e3, "cached": statistics.median(cached) * 1e3}


def _first_token_s(engine: Engine, prompt: Ids) -> float:
    started = time.perf_counter()
    tokens = engine.generate(Request(prompt, 2))
    next(tokens)
    taken = time.perf_counter() - started
    tokens.close()
    return taken


def _prompt(size: int, seed: int) -> Ids:
    """Tokens that nobody has in a cache; what they are does not matter to how fast they go."""
    return tuple(np.random.default_rng(seed).integers(1_000, 40_000, size).tolist())


def _cold(model: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "fairwitness.evals.engine_cold", str(model), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told
