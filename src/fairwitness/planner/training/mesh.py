"""How a model is laid over chips: the job, and the ways to divide it.

A `Mesh` holds numbers, or arrays of them: the search builds one whose fields are arrays over every
candidate, and all formulas run once over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes import ModelShape

Count = Number  # whole, but numpy's arrays of candidates are float64 throughout


@dataclass(frozen=True)
class Job:
    """What a step of training has to do."""

    shape: ModelShape
    sequence_tokens: int
    batch_sequences: int  # a step, over all chips
    compute_bytes: float = 2.0  # an element of what matrices read: 2 for bf16, 1 for fp8
    scores_tokens: float = 0.0  # sequence length if attention writes its scores down, else 0
    trained_share: float = 1.0  # of the weights: less for LoRA

    @property
    def batch_tokens(self) -> int:
        """Tokens of a step."""
        return self.batch_sequences * self.sequence_tokens


@dataclass(frozen=True)
class Mesh:
    """Degrees of parallelism; their product is the number of chips in use."""

    data: Count
    tensor: Count = 1.0
    pipeline: Count = 1.0
    context: Count = 1.0
    expert: Count = 1.0  # divides data x context: experts live on different replicas
    micro_batch: Count = 1.0  # sequences
    chunks: Count = 1.0  # of each stage, interleaved
    sharding: Count = 1.0  # over data: 1 moments, 2 gradients too, 3 weights too (ZeRO, FSDP)
    recompute: Count = 1.0  # backwards: 0 nothing, 1 norms and the MLP's product, 2 whole layers

    @property
    def chips(self) -> Count:
        """Chips in use."""
        return self.data * self.tensor * self.pipeline * self.context

    def micro_batches(self, job: Job) -> Count:
        """Pieces of a step that one pipeline works through; the last may be short."""
        pieces: Count = np.ceil(job.batch_sequences / (self.data * self.micro_batch))
        return pieces

    def told(self) -> str:
        """`TP 8 x PP 16 x DP 128 (ZeRO-1), micro-batch 1`, leaving out what is 1."""
        degrees = {
            "TP": self.tensor,
            "CP": self.context,
            "PP": self.pipeline,
            "DP": self.data,
        }
        text = " x ".join(f"{name} {size:.0f}" for name, size in degrees.items() if size > 1)
        text = f"{text or 'one chip'} (ZeRO-{self.sharding:.0f})"
        extras = [f"micro-batch {self.micro_batch:.0f}"]
        if self.expert > 1:
            extras.insert(0, f"EP {self.expert:.0f}")
        if self.chunks > 1:
            extras.append(f"{self.chunks:.0f} chunks a stage")
        if self.recompute > 1:
            extras.append("recomputing layers")
        return ", ".join([text, *extras])
