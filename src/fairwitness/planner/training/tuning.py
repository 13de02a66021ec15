"""What a method makes of a training step: pretraining, SFT, DPO, and GRPO with its rollouts.

SFT steps over examples. DPO steps over pairs and reads both once with the model it began from. GRPO
lets the model answer each prompt several times, on the same chips, before it steps over the
answers: that is serving without anybody waiting, in batches as large as fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.device import Device, Reached
from fairwitness.planner.fields import Field, Values
from fairwitness.planner.ranges import Number
from fairwitness.planner.serving.capacity import Mix, slots, throughput
from fairwitness.planner.serving.pace import Served, pace_of
from fairwitness.planner.shapes import ModelShape, forward_flops, training_flops
from fairwitness.planner.training.mesh import Job, Mesh

METHODS = ("pretrain", "sft", "dpo", "grpo")
NOTES = {
    "sft": "tokens are examples x (prompt + answer) x epochs; the loss forecast means nothing here",
    "dpo": "each pair is two sequences, read once more forwards by the model that it began from",
    "grpo": "rollouts run between steps on the same chips, then wait for the longest answer",
}
_OURS = "our choice"
FIELDS = (
    Field("examples", "query", "Examples, pairs or prompts of tuning.", "100k", _OURS, whole=True),
    Field("prompt", "token", "Tokens of a prompt, in tuning.", "500", _OURS),
    Field("answer", "token", "Tokens of an answer, in tuning.", "1000", _OURS),
    Field("epochs", "", "Times that each is seen, in tuning.", "2", _OURS),
    Field("samples", "", "Answers to a prompt in GRPO.", "16", "arXiv 2402.03300 takes 64"),
    Field("longest", "", "Longest answer of a step over the mean, in GRPO.", "1.5..4", _OURS,
          least=1.0),
    Field("reward", "s", "Judging one step's answers, in GRPO.", "1..30 s", _OURS, zero=True),
)  # fmt: skip

_ROLLOUT_STEP_S = 0.002  # host and launches of a decoding step
_RESERVED_BYTES = 6e9
_RESIDENT = 0.5  # of a chip's memory: the trainer's states stay where they are


@dataclass(frozen=True)
class Work:
    """What a run does in all."""

    tokens: Number  # trained on
    flops: Number  # of the model, by its trainer
    busy_s: Number  # without failures and stops
    flops_per_s: Number  # finite even where a loss is never reached


def work(
    method: str,
    job: Job,
    mesh: Mesh,
    device: Device,
    reached: Reached,
    step_s: Number,
    tokens: Number,
    v: Values,
) -> Work:
    """Tokens, FLOP and seconds of a method; `tokens` is for pretraining alone."""
    sequence = v["prompt_tokens"] + v["answer_tokens"]
    seen = v["examples_queries"] * v["epochs"] * sequence
    if method == "dpo":
        seen = 2 * seen
    elif method == "grpo":
        seen = v["samples"] * seen
    each = training_flops(job.shape, job.sequence_tokens)
    token_s = step_s / job.batch_tokens
    forward = forward_flops(job.shape, job.sequence_tokens) / each * token_s
    if method == "pretrain":
        return Work(tokens, tokens * each, tokens * token_s, each / token_s)
    busy_s = seen * token_s
    if method == "dpo":
        busy_s = busy_s + seen / v["epochs"] * forward
    elif method == "grpo":
        # the policy's own log-probabilities again in the trainer, and the reference's
        busy_s = busy_s + 2 * seen * forward
        busy_s = busy_s + rollout_s(job.shape, mesh, device, reached, seen / sequence, v)
        busy_s = busy_s + np.ceil(seen / job.batch_tokens) * v["reward_s"]
    return Work(seen, seen * each, busy_s, seen * each / busy_s)


def rollout_s(
    shape: ModelShape, mesh: Mesh, device: Device, reached: Reached, answers: Number, v: Values
) -> Number:
    """Answering on all chips of a mesh, in replicas as small as hold the model in bf16."""
    served = Served(shape)
    memory = device.memory_bytes * _RESIDENT
    chips = 1
    while chips * (memory - _RESERVED_BYTES) < 1.5 * served.weight_bytes:
        chips *= 2
    mix = Mix(v["prompt_tokens"], v["answer_tokens"])
    pace = pace_of(served, chips, device, reached, _ROLLOUT_STEP_S)
    batch = np.maximum(np.minimum(slots(served, chips, memory, _RESERVED_BYTES, mix), 512.0), 1.0)
    replicas = mesh.chips / chips
    given = throughput(served, pace, mix, batch).requests_per_s * replicas
    # while the last and longest answers of a step are written, most of a batch stands idle
    taken: Number = answers / given * np.sqrt(v["longest"])
    return taken
