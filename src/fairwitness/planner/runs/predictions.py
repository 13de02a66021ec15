"""Published times and rates from hardware, shape and layout alone.

Efficiencies are the defaults of `Reached`; one of them (matrices) was fitted on Megatron's 175B
step, so that step is not among these. Layouts are the published ones, not the search's.
"""

from __future__ import annotations

from fairwitness.planner.device import Device, Reached
from fairwitness.planner.runs.identities import MEGATRON
from fairwitness.planner.serving.pace import Served, answers_s, pace_of
from fairwitness.planner.shapes import find_shape
from fairwitness.planner.training.mesh import Job, Mesh
from fairwitness.planner.training.step import step_time, utilisation

_GIB = 2**30
# data sheets, as in the catalogue: peak, memory, its rate, links up and out
A100 = Device(312e12, 80 * _GIB, 2.04e12, 300e9, 8, 25e9)
H100 = Device(989e12, 80 * _GIB, 3.35e12, 450e9, 8, 50e9)
H800_FP8 = Device(1979e12, 80 * _GIB, 3.35e12, 200e9, 8, 50e9)
_TPU_V4 = Device(275e12, 32 * _GIB, 1.2e12, 300e9, 64, 25e9)  # a 4 x 4 x 4 torus of one pod
_TPU_HOP_S = 1e-6


def steps() -> dict[str, float]:
    """Megatron's steps: tensor parallel 8, batch and stages as published, scores written down."""
    found = {}
    for size, (stages, chunks, micro, batch, _, _) in MEGATRON.items():
        job = Job(find_shape(f"megatron-{size}"), 2048, batch, scores_tokens=2048)
        mesh = Mesh(1.0, 8.0, stages, micro_batch=micro, chunks=chunks)
        found[f"megatron-{size}-step"] = float(step_time(job, mesh, A100, Reached()).total_s)
    return found


def llama_steps() -> dict[str, float]:
    """405B's MFU in its three layouts (arXiv 2407.21783, table 4).

    The paper does not say how many chunks a stage has: eight, one layer in each, is the most.
    """
    shape = find_shape("llama-3.1-405b")
    layouts = {
        "llama-3.1-405b-mfu-8k": (64, 1, 8192, 2048),
        "llama-3.1-405b-mfu-16k": (128, 1, 8192, 2048),
        "llama-3.1-405b-mfu-long": (8, 16, 131_072, 128),
    }
    found = {}
    for name, (data, context, sequence, batch) in layouts.items():
        job = Job(shape, sequence, batch)
        mesh = Mesh(data, 8.0, 16.0, context, chunks=8.0)
        step_s = step_time(job, mesh, H100, Reached()).total_s
        found[name] = float(utilisation(job, step_s, mesh.chips, H100))
    return found


def deepseek() -> dict[str, float]:
    """DeepSeek-V3: hours a trillion tokens, and decoding.

    arXiv 2412.19437, section 3.2: pipeline 16, experts over 64 chips, batch 15,360 x 4,096; its
    two-way pipeline is taken as two chunks.
    """
    shape = find_shape("deepseek-v3")
    job = Job(shape, 4096, 15_360, compute_bytes=1.0)
    mesh = Mesh(128.0, pipeline=16.0, expert=64.0, chunks=2.0)
    step_s = step_time(job, mesh, H800_FP8, Reached()).total_s
    hours = float(step_s) * 2048 / 3600 / job.batch_tokens * 1e12
    # day 6 of open-infra-index: 18 nodes, 4,989 tokens of context, 1,850 tokens/s a chip at 21 each
    served = Served(shape, 1.0, 2.0, copies=144)  # attention on every chip
    pace = pace_of(served, 144, H800_FP8, Reached(), 0.0)
    batch = 144 * 1850 / 21
    rate = batch / float(answers_s(served, pace, batch, 4989)) / 144
    return {"deepseek-v3-hours-a-trillion": hours, "deepseek-day-decode": rate}


def palm() -> dict[str, float]:
    """A step of PaLM 540B in int8 on 64 TPU v4, batch 64, context 2,048 (arXiv 2211.05102)."""
    served = Served(find_shape("palm-540b"), 1.0, 2.0)
    pace = pace_of(served, 64, _TPU_V4, Reached(up_latency_s=_TPU_HOP_S), 0.0)
    return {"palm-decode": float(answers_s(served, pace, 64.0, 2048.0)) * 1e3}


def all_predictions() -> dict[str, float]:
    """Every predicted figure, by id."""
    return steps() | llama_steps() | deepseek() | palm()
