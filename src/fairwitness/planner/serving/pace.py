"""How fast one replica of a model steps: its effective rates, from data sheets or measurement.

One step of an engine takes some tokens through the model: pieces of prompts, and one token for
each answer under way. Its time is a roofline (arithmetic, or reading weights and caches) plus what
the replica's chips exchange, plus what the host does. The rates are effective ones, so that a fit
to a measured engine and a product of peaks and efficiencies are the same thing. Where single steps
were measured there is no roofline: a step costs something, and each row and each look back more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.collectives import exchange_s, hops, link, reduce_s
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes import (
    ModelShape,
    decode_flops,
    kv_sequence_bytes,
    multiplied_weights,
    prefill_flops,
    weights,
)

_EXCHANGE_BYTES = 2.0  # activations travel in bf16


@dataclass(frozen=True)
class Served:
    """A model as it is served: formats of weights and caches, in bytes an element.

    In a replica with experts spread over all chips, attention and what else is not routed may stand
    on each of several groups of chips: `copies` of it are held, and read in every step.
    """

    shape: ModelShape
    weight_bytes_each: float = 2.0
    kv_bytes_each: float = 2.0
    copies: int = 1

    @property
    def weight_bytes(self) -> float:
        """All weights that a replica holds."""
        counted = weights(self.shape)
        again = (self.copies - 1) * (counted.total - counted.experts)
        return (counted.total + again) * self.weight_bytes_each

    def read_bytes(self, tokens: Number) -> Number:
        """Weights that a step over `tokens` reads: all but tables and experts that none chose.

        Experts are taken as chosen alike and independently.
        """
        counted, experts = weights(self.shape), self.shape.experts
        routed: Number = 0.0
        if experts is not None:
            missed = (1 - experts.chosen / experts.count) ** np.asarray(tokens, float)
            routed = counted.experts * (1 - missed)
        tables = counted.embeddings - self.shape.vocabulary * self.shape.width
        always = (counted.total - counted.experts - tables) * self.copies
        return (always + routed) * self.weight_bytes_each


@dataclass(frozen=True)
class Pieces:
    """What of prompts one step takes, all of them together."""

    tokens: float = 0.0
    looks: float = 0.0  # positions that these look back on, their own included
    flops: float = 0.0


@dataclass(frozen=True)
class Pace:
    """Effective rates of one replica, all of its chips together."""

    prompt_flops_per_s: Number
    answer_flops_per_s: Number
    bytes_per_s: Number
    step_s: Number  # host and launches, each step
    exchange_s: Number = 0.0  # latency of all exchanges of a step
    exchange_token_s: Number = 0.0  # and what each token adds
    apart: Number = 0.0  # 0: all sequences step together; 1: each costs a step of its own
    answer_s: Number = 0.0  # what each answer's token adds to a step
    answer_look_s: Number = 0.0  # and each position that it looks back on
    prompt_token_s: Number = 0.0  # what each token of a prompt adds
    prompt_look_s: Number = 0.0  # and each position that it looks back on


def pace_of(served: Served, chips: int, device: Device, reached: Reached, step_s: Number) -> Pace:
    """A replica of `chips` chips: tensor parallel in as many groups as there are copies, experts
    spread over all when there is more than one.
    """
    shape = served.shape
    tensor = max(1, chips // served.copies)
    rate, hop = link(device, reached, float(tensor))
    rounds = 2.0 if shape.norms > 1 else 1.0  # attention and MLP side by side share one
    vector = shape.width * _EXCHANGE_BYTES
    latency = shape.layers * rounds * 2 * hops(float(tensor)) * hop
    each = shape.layers * rounds * reduce_s(vector, float(tensor), rate, 0.0) / served.copies
    if served.copies > 1 and shape.experts is not None:
        rate, hop = link(device, reached, float(chips))
        sent = shape.experts.chosen * (served.weight_bytes_each + _EXCHANGE_BYTES) * shape.width
        layers = shape.expert_layers
        latency = latency + 2 * layers * hops(float(chips)) * hop
        each = each + layers * exchange_s(sent, float(chips), rate, 0.0) / chips
        each = each * (1 - reached.expert_hidden)
    return Pace(
        prompt_flops_per_s=chips * device.flops_per_s * reached.matrix,
        answer_flops_per_s=chips * device.flops_per_s * reached.attention,
        bytes_per_s=chips * device.memory_bytes_per_s * reached.memory,
        step_s=step_s,
        exchange_s=latency,
        exchange_token_s=each,
    )


def prompt_s(served: Served, pace: Pace, tokens: Number, cached: Number = 0.0) -> Number:
    """One prompt alone, in one step, whose first `cached` tokens need not run."""
    flops = prefill_flops(served.shape, tokens, cached)
    reading = (
        served.read_bytes(tokens - cached)
        + kv_sequence_bytes(served.shape, cached, served.kv_bytes_each)
    ) / pace.bytes_per_s
    busy = np.maximum(flops / pace.prompt_flops_per_s, reading)
    added = _prompt_s(pace, tokens - cached, looks(cached, tokens))
    total: Number = busy + added + _beside_s(pace, tokens - cached)
    return total


def answers_s(served: Served, pace: Pace, batch: Number, context: Number) -> Number:
    """A step that adds one token to each of `batch` answers, `context` tokens in on average."""
    shape = served.shape
    flops = batch * decode_flops(shape, context) / pace.answer_flops_per_s
    caches = batch * kv_sequence_bytes(shape, context, served.kv_bytes_each)
    together = np.maximum(flops, (served.read_bytes(batch) + caches) / pace.bytes_per_s)
    together = together + _answer_s(pace, batch, context) + _beside_s(pace, batch)
    alone = np.maximum(flops / batch, (served.read_bytes(1.0) + caches / batch) / pace.bytes_per_s)
    alone = alone + _answer_s(pace, 1.0, context) + _beside_s(pace, 1.0)
    taken: Number = (1 - pace.apart) * together + pace.apart * batch * alone
    return taken


def mixed_s(served: Served, pace: Pace, pieces: Pieces, batch: float, context: float) -> float:
    """One step with both: pieces of prompts, and a token for each of `batch` answers."""
    if pace.apart:
        alone = float(answers_s(served, pace, batch, context)) if batch else 0.0
        return alone + (_joined_s(served, pace, pieces, 0.0, 0.0) if pieces.tokens else 0.0)
    return _joined_s(served, pace, pieces, batch, context)


def _joined_s(served: Served, pace: Pace, pieces: Pieces, batch: float, context: float) -> float:
    tokens = batch + pieces.tokens
    prompts = pieces.flops / pace.prompt_flops_per_s
    answers = batch * decode_flops(served.shape, context) / pace.answer_flops_per_s
    caches = batch * kv_sequence_bytes(served.shape, context, served.kv_bytes_each)
    reading = (served.read_bytes(tokens) + caches) / pace.bytes_per_s
    added = _prompt_s(pace, pieces.tokens, pieces.looks) + _answer_s(pace, batch, context)
    return float(np.maximum(prompts + answers, reading) + added + _beside_s(pace, tokens))


def work_flops(shape: ModelShape, start: float, end: float) -> float:
    """Arithmetic of a piece of a prompt, from one position to another, without the head."""
    head = 2 * shape.vocabulary * shape.width
    return float(prefill_flops(shape, end, start)) - head


def looks(start: Number, end: Number) -> Number:
    """Positions that the tokens from `start` to `end` look back on, their own included."""
    return (end - start) * (start + end + 1) / 2


def least_token_s(served: Served, pace: Pace) -> Number:
    """What no batch can beat: weights read once, or arithmetic, for one token alone."""
    arithmetic = 2 * multiplied_weights(served.shape) / pace.answer_flops_per_s
    slower: Number = np.maximum(arithmetic, served.read_bytes(1.0) / pace.bytes_per_s)
    return slower


def _beside_s(pace: Pace, tokens: Number) -> Number:
    return pace.step_s + pace.exchange_s + pace.exchange_token_s * tokens


def _prompt_s(pace: Pace, tokens: Number, looked: Number) -> Number:
    return pace.prompt_token_s * tokens + pace.prompt_look_s * looked


def _answer_s(pace: Pace, batch: Number, context: Number) -> Number:
    return batch * (pace.answer_s + pace.answer_look_s * context)
