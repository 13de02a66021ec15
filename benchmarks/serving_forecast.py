"""How well does `plan serve` foretell our own engine on this machine?

Clients in a closed loop ask the real engine (the model of `fairwitness up`, no prompt shared). Some
loads calibrate the plan's rates; the others are predicted from these, and then compared. Loads take
turns, and each load's best round counts: whoever shares the machine only ever slows one. Writes
measurements that `fairwitness plan serve --calibrate` reads.

    python benchmarks/serving_forecast.py --rounds 5 --out build/serving.json
"""

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fairwitness.engine import LocalChat
from fairwitness.engine.engine import Engine
from fairwitness.engine.request import Request
from fairwitness.evals.machine import commit, machine
from fairwitness.models import registry
from fairwitness.planner.serving.calibrate import ASKED_EACH, Calibration, Load, calibrate
from fairwitness.planner.serving.pace import Served
from fairwitness.planner.shapes import find_shape

SEEN = (Load(16, 32, 1), Load(512, 4, 1), Load(128, 16, 2), Load(256, 8, 4))
HIDDEN = (Load(64, 24, 2), Load(384, 16, 1), Load(128, 12, 6))
TOLERANCE = 0.15
SERVED = Served(find_shape("smollm2-135m"), 0.625, 4.0)  # Q4_1 with its scales; caches in fp32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    path = registry.find(registry.DEFAULT_MODEL) or registry.fetch(registry.DEFAULT_MODEL)
    engine = LocalChat.open(registry.DEFAULT_MODEL, path).engine
    engine.warm_up()
    measured = best(engine, (*SEEN, *HIDDEN), asked.rounds)
    report = compare(measured[: len(SEEN)], measured[len(SEEN) :])
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def best(engine: Engine, loads: Sequence[Load], rounds: int) -> list[Load]:
    """Each load in turn, `rounds` times over, after one round that does not count."""
    seen: list[list[Load]] = [[] for _ in loads]
    random_ids = random.Random(0)
    for number in range(rounds + 1):
        for load, results in zip(loads, seen, strict=True):
            run = measure(engine, load, random_ids)
            if number:
                results.append(run)
    return [
        replace(
            load,
            tokens_per_s=max(each.tokens_per_s or 0 for each in results),
            first_ms=min(each.first_ms or 0 for each in results),
        )
        for load, results in zip(loads, seen, strict=True)
    ]


def measure(engine: Engine, load: Load, random_ids: random.Random) -> Load:
    """One run of a load: each client asks again as soon as it is answered."""
    firsts_ms: list[float] = []
    together = threading.Barrier(load.clients + 1)
    vocabulary = engine.config.vocabulary

    def client(prompts: list[tuple[int, ...]]) -> None:
        together.wait()
        for prompt_ids in prompts:
            asked_s = time.perf_counter()
            for count, _ in enumerate(engine.generate(Request(prompt_ids, load.answer_tokens))):
                if count == 0:
                    firsts_ms.append(1000 * (time.perf_counter() - asked_s))

    def prompt() -> tuple[int, ...]:
        return tuple(random_ids.randrange(100, vocabulary) for _ in range(load.prompt_tokens))

    asking = [[prompt() for _ in range(ASKED_EACH)] for _ in range(load.clients)]
    clients = [threading.Thread(target=client, args=(prompts,)) for prompts in asking]
    for each in clients:
        each.start()
    together.wait()
    started_s = time.perf_counter()
    for each in clients:
        each.join()
    lasted_s = time.perf_counter() - started_s
    tokens = load.clients * ASKED_EACH * load.answer_tokens
    return replace(load, tokens_per_s=tokens / lasted_s, first_ms=statistics.median(firsts_ms))


def compare(seen: Sequence[Load], hidden: Sequence[Load]) -> dict[str, object]:
    """Calibrate on some loads, predict the others."""
    fitted = calibrate(SERVED, seen)
    rows = [row(fitted, load) for load in hidden]
    errors = [abs(error) for each in rows for error in (each["tok_s_error"], each["ttft_error"])]
    return {
        "loads": [said(load) for load in seen],
        "predicted": rows,
        "worst_error": max(errors),
        "within_tolerance": max(errors) <= TOLERANCE,
        "tolerance": TOLERANCE,
        "worst_fitted_error": round(fitted.worst, 4),
        "steps": "apart" if fitted.pace.apart else "together",
        "gflop_per_s": round(float(fitted.pace.prompt_flops_per_s) / 1e9, 1),
        "gb_per_s": round(float(fitted.pace.bytes_per_s) / 1e9, 2),
        "step_ms": round(float(fitted.pace.step_s) * 1e3, 3),
        "machine": machine(),
        "commit": commit(),
    }


def row(fitted: Calibration, load: Load) -> dict[str, float]:
    foretold = fitted.predict(SERVED, load)
    assert foretold.tokens_per_s
    assert foretold.first_ms
    assert load.tokens_per_s
    assert load.first_ms
    return {
        **said(load),
        "predicted_tok_s": round(foretold.tokens_per_s, 2),
        "predicted_ttft_ms": round(foretold.first_ms, 1),
        "tok_s_error": round(foretold.tokens_per_s / load.tokens_per_s - 1, 4),
        "ttft_error": round(foretold.first_ms / load.first_ms - 1, 4),
    }


def said(load: Load) -> dict[str, float]:
    return {
        "prompt": load.prompt_tokens,
        "output": load.answer_tokens,
        "concurrency": load.clients,
        "tok_s": round(load.tokens_per_s or 0, 2),
        "ttft_ms": round(load.first_ms or 0, 1),
    }


if __name__ == "__main__":
    main()
