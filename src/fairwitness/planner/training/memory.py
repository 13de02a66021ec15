"""Bytes on one chip while a model trains: states, activations, and what is gathered for a moment.

Every part of the model has a divisor of its own: experts are divided by expert parallelism (times
tensor parallelism), attention and MLP by tensor parallelism, tables by it on the first and last
stage, norms and routers by nothing. Dividing the total by everything is the usual mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes import ModelShape, weights
from fairwitness.planner.training.mesh import Job, Mesh

WEIGHT_BYTES, GRADIENT_BYTES, MOMENT_BYTES = 2.0, 4.0, 12.0
"""bf16 weights, fp32 gradients, fp32 master weights and two moments: 18 bytes a weight."""


@dataclass(frozen=True)
class ChipMemory:
    """Parts of what the fullest chip holds, in bytes."""

    weights: Number
    gradients: Number
    moments: Number
    activations: Number
    logits: Number
    gathered: Number  # whole layers, for a moment, when weights are sharded over data

    @property
    def total(self) -> Number:
        """All of it."""
        states = self.weights + self.gradients + self.moments
        return states + self.activations + self.logits + self.gathered


def chip_memory(job: Job, mesh: Mesh) -> ChipMemory:
    """Bytes of the fullest chip: that of the first stage, which has most batches under way."""
    dense, expert = chip_weights(job.shape, mesh)
    everyone = mesh.data * mesh.context  # holds the same dense weights
    expert_copies = np.maximum(everyone / mesh.expert, 1.0)
    sharded = dense / everyone + expert / expert_copies
    whole = dense + expert
    layers = np.ceil(job.shape.layers / mesh.pipeline)
    gathered = np.where(mesh.sharding > 2, whole / layers * 2, 0.0)
    tokens = mesh.micro_batch * job.sequence_tokens / mesh.context
    return ChipMemory(
        weights=WEIGHT_BYTES * np.where(mesh.sharding > 2, sharded, whole),
        gradients=GRADIENT_BYTES * np.where(mesh.sharding > 1, sharded, whole),
        moments=MOMENT_BYTES * sharded * job.trained_share,
        activations=_activations(job, mesh, tokens),
        logits=tokens * job.shape.vocabulary / mesh.tensor * 6,  # bf16, and fp32 for the loss
        gathered=WEIGHT_BYTES * gathered,
    )


def chip_weights(shape: ModelShape, mesh: Mesh) -> tuple[Number, Number]:
    """Weights (dense, routed experts) of one chip before any sharding over data."""
    counted = weights(shape)
    stage = np.ceil(shape.layers / mesh.pipeline) / shape.layers
    table = shape.vocabulary * shape.width
    tables = np.where(mesh.pipeline > 1, np.minimum(table, counted.embeddings), counted.embeddings)
    dense = (counted.attention + counted.mlp) * stage / mesh.tensor + tables / mesh.tensor
    small = (counted.small + counted.routers) * stage
    return dense + small, counted.experts * stage / (mesh.tensor * mesh.expert)


def layer_activation_bytes(
    shape: ModelShape, recompute: Number = 0.0, scores_tokens: Number = 0.0
) -> Number:
    """Bytes that the backward pass needs of one token in one layer, in bf16, undivided.

    Inputs of both norms, of attention and of the MLP; queries, keys, values, attention's output;
    the MLP's inner vectors. For GPT-3 that is 32 h: the 34 h of arXiv 2205.05198 less its two
    dropout masks. Attention that writes its scores over s tokens keeps 5 a s more. With
    `recompute` 1 what a norm or a product made is made again from its input; 2 keeps a layer's
    input only.
    """
    heads = shape.query_heads * (shape.score_size + shape.value_size)
    keys = shape.kv_heads * (shape.score_size + shape.value_size)
    inner = _inner_width(shape)
    most = 4 * shape.width + (3 if shape.gated else 2) * inner
    fewer = 2 * shape.width + (2 if shape.gated else 1) * inner
    vectors = np.where(np.asarray(recompute) > 0, fewer, most) + heads + keys
    kept: Number = 2 * vectors + 5 * shape.query_heads * scores_tokens
    return np.where(np.asarray(recompute) > 1, 2.0 * shape.width, kept)


def _inner_width(shape: ModelShape) -> float:
    """MLP width that one token meets in a layer, averaged over layers."""
    plain = shape.mlp_layers * shape.hidden
    if shape.experts is not None:
        each = shape.experts.chosen + shape.experts.shared
        plain += shape.expert_layers * each * shape.experts.hidden
    return plain / shape.layers


def _activations(job: Job, mesh: Mesh, tokens: Number) -> Number:
    shape = job.shape
    scores = job.scores_tokens / mesh.context
    layer = layer_activation_bytes(shape, mesh.recompute, scores) / mesh.tensor
    opened = layer_activation_bytes(shape, np.minimum(mesh.recompute, 1), scores) / mesh.tensor
    under_way = np.minimum(mesh.pipeline, mesh.micro_batches(job))
    # Interleaved stages start more batches before the first comes back.
    early = np.where(mesh.chunks > 1, 1 + (mesh.pipeline - 1) / (mesh.pipeline * mesh.chunks), 1.0)
    layers = np.ceil(shape.layers / mesh.pipeline)
    working = np.where(mesh.recompute > 1, opened, 0.0)
    whole: Number = tokens * (layers * under_way * early * layer + working)
    return whole


def megatron_activation_bytes(
    shape: ModelShape,
    tensor: int,
    pipeline: int,
    chunks: int,
    micro_batch: int,
    *,
    selective: bool,
) -> float:
    """First stage's activations by the paper's own closed form (arXiv 2205.05198, section 4).

    Either all is kept and only matrices are tensor parallel, or `selective`: scores are recomputed
    and the rest is sequence parallel. GPT-3's kind of layer, one sequence is `shape.context`.
    """
    scores = 5 * shape.query_heads * shape.context / (shape.width * tensor)
    each = 34 / tensor if selective else 10 + 24 / tensor + scores
    early = 1 + (pipeline - 1) / (pipeline * chunks) if chunks > 1 else 1.0
    return shape.context * micro_batch * shape.width * shape.layers * each * early


def megatron_state_bytes(shape: ModelShape, tensor: int, pipeline: int) -> float:
    """Weights, gradients and moments of a chip's layers, 18 bytes each (same paper, figure 1).

    The paper's bars count 12 L h^2: no tables, norms or biases.
    """
    each = WEIGHT_BYTES + GRADIENT_BYTES + MOMENT_BYTES
    return 12 * shape.layers * shape.width**2 * each / (tensor * pipeline)
