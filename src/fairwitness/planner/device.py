"""What the formulas know of an accelerator: its peak, its memory, its links, and how much of each
is reached in practice.

Peaks are dense, of the format that is computed in; links are one direction, a chip.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairwitness.planner.ranges import Number


@dataclass(frozen=True)
class Device:
    """One chip of many. Amounts may be draws; the size of the scale-up domain is a count."""

    flops_per_s: Number
    memory_bytes: float
    memory_bytes_per_s: Number
    scale_up_bytes_per_s: Number
    scale_up_chips: int
    scale_out_bytes_per_s: Number


@dataclass(frozen=True)
class Reached:
    """Shares of the peaks that kernels and networks reach, and how much hides behind compute.

    Defaults are priors. `matrix` was fitted on one published step (Megatron 175B on A100, arXiv
    2205.05198, table 5: 13.75 s) and nothing else; the others are what kernels and NCCL commonly
    measure, and are not fitted.
    """

    matrix: Number = 0.67  # of the peak, by large matrix products
    attention: Number = 0.50  # of the peak, by attention's own products
    memory: Number = 0.80  # of the memory's rate
    scale_up: Number = 0.75  # of a link's rate, by collectives
    scale_out: Number = 0.80
    tensor_hidden: Number = 0.0  # share of tensor-parallel traffic that hides behind compute
    data_hidden: Number = 0.9  # most of the compute time behind which sharded weights can hide
    expert_hidden: Number = 0.5  # the same for the experts' all-to-all
    up_latency_s: Number = 4e-6  # a hop inside the scale-up domain
    out_latency_s: Number = 10e-6  # and outside of it
    imbalance: Number = 1.1  # busiest expert group over the mean
    step_overhead: Number = 0.02  # data, logging, stragglers: share of a step
