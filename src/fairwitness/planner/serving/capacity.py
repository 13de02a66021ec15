"""How many answers fit side by side, how many a replica gives a second, and what that costs.

Batching is continuous: a step adds a token to every answer under way, and prompts run in between,
so an answer's pace is its batch's step plus its share of the prompts that join.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.ranges import Number
from fairwitness.planner.serving.pace import Pace, Served, answers_s, prompt_s
from fairwitness.planner.shapes import kv_sequence_bytes


@dataclass(frozen=True)
class Mix:
    """Requests, as their means; tails come from the simulation."""

    prompt_tokens: Number
    answer_tokens: Number
    cached_tokens: Number = 0.0  # of the prompt, found in the prefix cache


@dataclass(frozen=True)
class Throughput:
    """What a replica gives at a batch size."""

    batch: Number
    requests_per_s: Number
    token_s: Number  # between two tokens of one answer
    first_s: Number  # to the first token, with nothing queued


def slots(
    served: Served, chips: int, memory_bytes: float, reserved_bytes: float, mix: Mix
) -> Number:
    """Answers whose caches fit beside the weights; a prefix that is shared is held once each."""
    free = chips * (memory_bytes - reserved_bytes) - served.weight_bytes
    tokens = mix.prompt_tokens + mix.answer_tokens
    each = kv_sequence_bytes(served.shape, tokens, served.kv_bytes_each)
    held: Number = np.maximum(np.floor(free / each), 0.0)
    return held


def throughput(served: Served, pace: Pace, mix: Mix, batch: Number) -> Throughput:
    """A replica that always has `batch` answers under way."""
    prompt = prompt_s(served, pace, mix.prompt_tokens, mix.cached_tokens)
    context = mix.prompt_tokens + mix.answer_tokens / 2
    step = answers_s(served, pace, batch, context)
    token = step + batch / mix.answer_tokens * prompt
    return Throughput(batch, batch / (mix.answer_tokens * token), token, prompt + step)


def largest_batch(
    served: Served, pace: Pace, mix: Mix, most: Number, token_limit_s: Number
) -> Number:
    """The largest batch, at most `most`, that keeps an answer's pace; 0 if even one is too slow.

    Found by bisection over whole numbers, for all draws at once: the pace falls with the batch.
    """
    low = np.zeros_like(np.asarray(most, float))
    high = np.floor(np.asarray(most, float))
    for _ in range(24):
        middle = np.ceil((low + high) / 2)
        slow = throughput(served, pace, mix, np.maximum(middle, 1.0)).token_s > token_limit_s
        low = np.where(slow, low, middle)
        high = np.where(slow, np.maximum(middle - 1, low), high)
    return low


def million_tokens_usd(
    chip_h_usd: Number, chips: Number, tokens_per_s: Number, used: Number = 1.0
) -> Number:
    """A million tokens: rent of the chips over what they give, at a share of their time used."""
    return chip_h_usd * chips / (3600 * tokens_per_s * used) * 1e6


def split_usd(
    request_usd: Number, prompt_work_s: Number, answer_work_s: Number
) -> tuple[Number, Number]:
    """What of a request's cost its prompt takes, and its answer, by time on the machine."""
    whole = prompt_work_s + answer_work_s
    return request_usd * prompt_work_s / whole, request_usd * answer_work_s / whole
