"""Requests as they come: Poisson, or a trace.

A trace is JSON lines with `at_s`, `prompt_tokens`, `answer_tokens` and perhaps `cached_tokens`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairwitness.planner.errors import PlanError

_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Arrival:
    """One request: when it comes, and how large it is."""

    at_s: float
    prompt_tokens: int
    answer_tokens: int
    cached_tokens: int = 0


def poisson(
    count: int,
    per_s: float,
    prompt_tokens: float,
    answer_tokens: float,
    cached_share: float,
    spread: float,
    seed: int,
) -> list[Arrival]:
    """Requests at random times; lengths are lognormal about their means.

    `spread` is the standard deviation of a length's logarithm: 0 makes all alike. Chat traces have
    about 1 (Azure LLM inference traces 2023, github.com/Azure/AzurePublicDataset).
    """
    random = np.random.default_rng(seed)
    at_s = np.cumsum(random.exponential(1 / per_s, count))
    lengths = np.exp(random.normal(-spread * spread / 2, spread, (2, count)))
    prompts = np.maximum(np.rint(prompt_tokens * lengths[0]), 1).astype(int)
    answers = np.maximum(np.rint(answer_tokens * lengths[1]), 1).astype(int)
    cached = np.minimum(np.rint(cached_share * prompts).astype(int), prompts - 1)
    rows = zip(at_s.tolist(), prompts.tolist(), answers.tolist(), cached.tolist(), strict=True)
    return [Arrival(*row) for row in rows]


def read_trace(path: Path) -> list[Arrival]:
    """Read a trace.

    Raises:
        PlanError: names the line and what is wrong with it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: not a trace: {error}") from error
    if not lines or len(lines) > _MOST_ROWS:
        raise PlanError(f"{path}: {len(lines)} requests, a trace has 1 to {_MOST_ROWS}")
    arrivals = [_row(path, number, line) for number, line in enumerate(lines, start=1)]
    return sorted(arrivals, key=lambda arrival: arrival.at_s)


def _row(path: Path, number: int, line: str) -> Arrival:
    try:
        row = json.loads(line)
        arrival = Arrival(
            float(row["at_s"]),
            int(row["prompt_tokens"]),
            int(row["answer_tokens"]),
            int(row.get("cached_tokens", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"{path}:{number}: no request: {error!r}") from error
    sane = 0 <= arrival.at_s < 1e10 and 0 <= arrival.cached_tokens < arrival.prompt_tokens
    if not (sane and arrival.answer_tokens >= 1):
        raise PlanError(
            f"{path}:{number}: {arrival} cannot be; at_s is 0 or more, prompts and answers have a "
            "token at least, and fewer tokens are cached than the prompt has"
        )
    return arrival
