"""How much the engine writes for many at once.

Streams are requests that come at the same moment, each with a prompt of its own; what counts is all
their tokens over the time until the last one has its last.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from fairwitness.engine import Engine, Request

STREAM_PROMPT = 64
Ids = tuple[int, ...]


def streams_s(engine: Engine, asked: Sequence[Ids], tokens: int) -> float:
    """Seconds from the asking until all requests have all their tokens."""
    started_s = time.perf_counter()
    answers = [engine.generate(Request(ids, tokens)) for ids in asked]
    count = sum(1 for answer in answers for _ in answer)
    assert count == len(asked) * tokens
    return time.perf_counter() - started_s


def prompts(count: int, turn: int) -> list[Ids]:
    """Tokens that nobody has in a cache; what they are does not matter to how fast they go."""
    rng = np.random.default_rng(10_000 * count + turn)
    return [tuple(rng.integers(1_000, 40_000, STREAM_PROMPT).tolist()) for _ in range(count)]
