"""How long one step takes: matrices, attention, memory traffic, four kinds of exchange, the bubble.

Each term is a roofline or a collective; what hides behind compute is taken off. The terms are kept
apart, so that a plan can say what binds it. Works on one mesh with draws of what is reached, and on
arrays of candidate meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.collectives import exchange_s, gather_s, link
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.ranges import Number
from fairwitness.planner.shapes import Experts, multiplied_weights, training_flops, weights
from fairwitness.planner.shapes.work import BACKWARD, mean_seen_keys, score_flops
from fairwitness.planner.training.memory import chip_weights, layer_activation_bytes
from fairwitness.planner.training.mesh import Job, Mesh

ACTIVATION_BYTES = 2.0  # of what is exchanged; gradients travel in fp32
_TRAFFIC_PER_KEPT_BYTE = 2.0  # what is kept is written once and read once, forwards
_SCORES_REDONE = 4.0 / 3.0


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step by cause; they add up to `total_s`."""

    matrices_s: Number
    attention_s: Number
    traffic_s: Number  # norms, activations and the optimiser: bound by memory
    tensor_s: Number  # exposed exchange, by kind of parallelism
    expert_s: Number
    context_s: Number
    data_s: Number
    bubble_s: Number
    overhead_s: Number

    @property
    def total_s(self) -> Number:
        """The step."""
        return self.busy_s + self.data_s + self.bubble_s + self.overhead_s

    @property
    def busy_s(self) -> Number:
        """What every micro-batch goes through."""
        compute = self.matrices_s + self.attention_s + self.traffic_s
        return compute + self.tensor_s + self.expert_s + self.context_s

    def parts(self) -> dict[str, Number]:
        """The terms by name, in the order that a step meets them."""
        return {
            "matrices": self.matrices_s,
            "attention": self.attention_s,
            "memory traffic": self.traffic_s,
            "tensor parallel": self.tensor_s,
            "expert parallel": self.expert_s,
            "context parallel": self.context_s,
            "data parallel": self.data_s,
            "pipeline bubble": self.bubble_s,
            "overhead": self.overhead_s,
        }


def step_time(job: Job, mesh: Mesh, device: Device, reached: Reached) -> StepTime:
    """Seconds of one step on each mesh."""
    pieces = mesh.micro_batches(job)
    tokens = mesh.micro_batch * job.sequence_tokens / mesh.context  # of a piece, on a chip
    matrices = pieces * _matrices_s(job, mesh, device, reached, tokens)
    attention = pieces * _attention_s(job, mesh, device, reached, tokens)
    traffic = pieces * _traffic_s(job, mesh, device, reached, tokens)
    compute = matrices + attention
    tensor = pieces * _tensor_s(job, mesh, device, reached, tokens)
    expert = pieces * _expert_s(job, mesh, device, reached, tokens)
    context = pieces * _context_s(job, mesh, device, reached, tokens)
    tensor = tensor * (1 - reached.tensor_hidden)
    expert = np.maximum(expert - reached.expert_hidden * compute, 0.0)
    context = np.maximum(context - attention, 0.0)
    data = _data_s(job, mesh, device, reached, pieces)
    # the first gather and the last reduction have nothing to hide behind
    data = np.maximum(data - reached.data_hidden * compute, data / (pieces * job.shape.layers))
    traffic = traffic + _optimiser_s(job, mesh, device, reached)
    busy = compute + traffic + tensor + expert + context
    bubble = busy * (mesh.pipeline - 1) / (pieces * mesh.chunks)
    overhead = reached.step_overhead * (busy + bubble + data)
    return StepTime(matrices, attention, traffic, tensor, expert, context, data, bubble, overhead)


def utilisation(job: Job, step_s: Number, chips: Number, device: Device) -> Number:
    """MFU: the model's own operations, attention causal, over what the chips could do."""
    flops = training_flops(job.shape, job.sequence_tokens) * job.batch_tokens
    return flops / (step_s * chips * device.flops_per_s)


def _passes(mesh: Mesh) -> Number:
    """Forward passes that a step's time amounts to: backwards is two, recomputing one more."""
    passes: Number = np.where(mesh.recompute > 1, BACKWARD + 1.0, float(BACKWARD))
    return passes


def _matrices_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Products with weights: arithmetic, or reading the weights where there are few tokens."""
    shape = job.shape
    stage = np.ceil(shape.layers / mesh.pipeline) / shape.layers
    counted = weights(shape)
    head = shape.vocabulary * shape.width
    body = multiplied_weights(shape) - head
    routed = 0.0
    if shape.experts is not None:
        routed = counted.experts * shape.experts.chosen / shape.experts.count
    plain = (body - routed) * stage + head / mesh.pipeline
    uneven = np.where(mesh.expert > 1, reached.imbalance, 1.0)
    flops = 2 * tokens * (plain + routed * stage * uneven) / mesh.tensor
    dense, expert = chip_weights(shape, mesh)
    read = job.compute_bytes * (dense + expert)
    passes = _passes(mesh)
    arithmetic = passes * flops / (device.flops_per_s * reached.matrix)
    reading = passes * read / (device.memory_bytes_per_s * reached.memory)
    slower: Number = np.maximum(arithmetic, reading)
    return slower


def _attention_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Attention's own products. Kernels that keep no scores compute them again backwards."""
    keys = mean_seen_keys(job.shape, job.sequence_tokens) / mesh.pipeline
    flops = score_flops(job.shape, keys) * tokens / mesh.tensor
    # always in bf16, whatever the matrices are in
    bf16 = device.flops_per_s * job.compute_bytes / ACTIVATION_BYTES
    return _passes(mesh) * _SCORES_REDONE * flops / (bf16 * reached.attention)


def _traffic_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Reading and writing activations between the products."""
    layers = np.ceil(job.shape.layers / mesh.pipeline)
    kept = layer_activation_bytes(job.shape, 0.0, job.scores_tokens / mesh.context)
    moved = _TRAFFIC_PER_KEPT_BYTE * kept * layers * tokens / mesh.tensor
    redone = np.where(mesh.recompute == 1, 0.5, 0.0)  # of a pass: norms and products once more
    return (_passes(mesh) + redone) * moved / (device.memory_bytes_per_s * reached.memory)


def _optimiser_s(job: Job, mesh: Mesh, device: Device, reached: Reached) -> Number:
    """Read and write master weights and moments, read gradients, write weights."""
    dense, expert = chip_weights(job.shape, mesh)
    copies = mesh.data * mesh.context
    own = dense / copies + expert / np.maximum(copies / mesh.expert, 1.0)
    return 30 * own * job.trained_share / (device.memory_bytes_per_s * reached.memory)


def _tensor_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Sequence-parallel gathers and scatters: two of each a layer, forwards and again backwards."""
    rate, hop = link(device, reached, mesh.tensor)
    layers = np.ceil(job.shape.layers / mesh.pipeline)
    whole = tokens * job.shape.width * ACTIVATION_BYTES
    once = gather_s(whole, mesh.tensor, rate, hop)
    rounds = np.where(mesh.recompute > 1, 3.0, 2.0) * 4 * layers
    exposed: Number = np.where(mesh.tensor > 1, rounds * once, 0.0)
    return exposed


def _expert_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Each token goes to its experts and back, forwards and backwards."""
    experts = job.shape.experts
    if experts is None:
        return np.zeros_like(tokens)
    rate, hop = link(device, reached, mesh.expert * mesh.tensor)
    layers = job.shape.expert_layers / mesh.pipeline
    there = job.compute_bytes + ACTIVATION_BYTES  # dispatched as computed, combined in bf16
    sent = copies(experts, mesh.expert * mesh.tensor / device.scale_up_chips)
    own = tokens / mesh.tensor * sent * job.shape.width * there * reached.imbalance
    rounds = np.where(mesh.recompute > 1, 3.0, 2.0) * layers
    taken: Number = np.where(mesh.expert > 1, rounds * exchange_s(own, mesh.expert, rate, hop), 0.0)
    return taken


def copies(experts: Experts, domains: Number) -> Number:
    """How often a token's vector leaves for other scale-up domains: once for each that holds one of
    its experts (they pass it on inside), at most so many as routing allows.
    """
    spread = np.maximum(domains, 1.0)
    met = spread * (1 - (1 - 1 / spread) ** experts.chosen)
    limit = float(experts.groups_chosen or experts.chosen)
    sent: Number = np.where(domains > 1, np.minimum(met, limit), float(experts.chosen))
    return sent


def _context_s(job: Job, mesh: Mesh, device: Device, reached: Reached, tokens: Number) -> Number:
    """Keys and values of all parts of the sequence pass every chip, thrice with their gradients."""
    rate, hop = link(device, reached, mesh.context * mesh.tensor)
    shape = job.shape
    each = shape.kv_heads * (shape.score_size + shape.value_size) * ACTIVATION_BYTES
    whole = tokens * mesh.context * each / mesh.tensor * shape.layers / mesh.pipeline
    taken: Number = np.where(
        mesh.context > 1, BACKWARD * gather_s(whole, mesh.context, rate, hop), 0.0
    )
    return taken


def _data_s(job: Job, mesh: Mesh, device: Device, reached: Reached, pieces: Number) -> Number:
    """Gradients are reduced and weights gathered: once a step, or for every piece."""
    dense, expert = chip_weights(job.shape, mesh)
    everyone = mesh.data * mesh.context
    expert_copies = np.maximum(everyone / mesh.expert, 1.0)
    rate, hop = link(device, reached, everyone * mesh.tensor)
    gathers = 2.0 * np.where(mesh.sharding > 2, 2 * pieces, 1.0)  # bf16 weights
    reductions = 4.0 * np.where(mesh.sharding > 1, pieces, 1.0)  # fp32 gradients
    each = gathers + reductions
    shared = gather_s(each * dense, everyone, rate, hop)
    return shared + gather_s(each * expert, expert_copies, rate, hop)
