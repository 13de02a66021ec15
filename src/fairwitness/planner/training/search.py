"""The best mesh for a job: every legal way to divide it at once, the fastest that fits.

Candidates are a grid of some hundred thousand meshes held as arrays; memory and time are the same
formulas as for one mesh. Where nothing fits, the error names what is missing on the mesh that comes
closest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fairwitness.planner.device import Device, Reached
from fairwitness.planner.errors import PlanError
from fairwitness.planner.shapes import ModelShape
from fairwitness.planner.training.memory import ChipMemory, chip_memory
from fairwitness.planner.training.mesh import Job, Mesh
from fairwitness.planner.training.step import step_time

Floats = NDArray[np.float64]
RESERVED_BYTES = 4e9  # driver, buffers of collectives, fragmentation
_LEAST_SEQUENCE_PART = 1024  # tokens of a sequence on one chip, under context parallelism


class DoesNotFit(PlanError):
    """A model that fits on no mesh: says what is missing, and of what."""

    def __init__(self, job: Job, mesh: Mesh, memory: ChipMemory, room_bytes: float) -> None:
        self.missing_bytes = float(memory.total) - room_bytes
        parts = {field.name: float(getattr(memory, field.name)) for field in fields(memory)}
        largest = sorted(parts, key=lambda name: -parts[name])[:2]
        told = " and ".join(f"{name} {parts[name] / 1e9:.1f} GB" for name in largest)
        super().__init__(
            f"{job.shape.name}: fits on no mesh of {float(mesh.chips):.0f} chips; the closest, "
            f"{mesh.told()}, needs {float(memory.total) / 1e9:.1f} GB a chip of "
            f"{room_bytes / 1e9:.1f} GB free: {self.missing_bytes / 1e9:.1f} GB are missing "
            f"({told})"
        )


@dataclass(frozen=True)
class Found:
    """The best mesh, and how many were looked at and fitted."""

    mesh: Mesh
    step_s: float
    tried: int
    fitted: int
    runners_up: tuple[tuple[Mesh, float], ...]  # next best, each with its step's seconds


def find_mesh(job: Job, chips: int, device: Device, reached: Reached, *, keep: int = 5) -> Found:
    """Search meshes of at most `chips` chips; what a mesh leaves over are spares.

    Raises:
        DoesNotFit: no mesh holds the model.
    """
    meshes = candidates(job, chips, device)
    memory = np.broadcast_to(chip_memory(job, meshes).total, np.shape(meshes.data))
    room = device.memory_bytes - RESERVED_BYTES
    if not np.any(memory <= room):
        closest = at(meshes, int(np.argmin(memory)))
        raise DoesNotFit(job, closest, chip_memory(job, closest), room)
    fitting = _chosen(meshes, memory <= room)
    step_s = np.asarray(step_time(job, fitting, device, reached).total_s)
    # of equally fast meshes the one with fewer chips
    order = np.lexsort((np.asarray(fitting.chips), np.round(step_s, 9)))[: keep + 1]
    best = [(at(fitting, int(place)), float(step_s[place])) for place in order]
    return Found(*best[0], len(memory), len(step_s), tuple(best[1:]))


def candidates(job: Job, chips: int, device: Device) -> Mesh:
    """Every legal mesh, as arrays."""
    shape = job.shape
    grid = np.meshgrid(
        _tensor_sizes(shape, device.scale_up_chips),
        _pipeline_sizes(shape.layers),
        _context_sizes(job.sequence_tokens),
        _expert_sizes(shape),
        [1.0, 2.0, 4.0, 8.0],  # micro-batch
        [1.0, 2.0, 4.0, 8.0],  # chunks
        [1.0, 2.0, 3.0],  # sharding
        [1.0, 2.0],  # recompute: what norms and products make is never worth its memory
        [0.0, 1.0],  # as many replicas as fit, or as divide the batch evenly
        indexing="ij",
    )
    tensor, pipeline, context, expert, micro, chunks, sharding, again, even = (
        axis.ravel() for axis in grid
    )
    most = np.minimum(chips // (tensor * pipeline * context), job.batch_sequences // micro)
    data = np.where(even > 0, _dividing(most, job.batch_sequences, micro), most)
    meshes = Mesh(data, tensor, pipeline, context, expert, micro, chunks, sharding, again)
    legal = (data >= 1) & (data * context % expert == 0)
    legal &= (chunks == 1) | ((pipeline > 1) & (pipeline * chunks <= shape.layers))
    legal &= (even == 0) | (data != most)
    return _chosen(meshes, legal)


def at(meshes: Mesh, place: int) -> Mesh:
    """One of the meshes, with plain numbers."""
    return Mesh(*(float(getattr(meshes, field.name)[place]) for field in fields(meshes)))


def _chosen(meshes: Mesh, mask: NDArray[np.bool_]) -> Mesh:
    return Mesh(*(getattr(meshes, field.name)[mask] for field in fields(meshes)))


def _dividing(most: Floats, batch: int, micro: Floats) -> Floats:
    """The largest number of replicas, at most `most`, that shares the batch without rest."""
    divisors = np.array([d for d in range(1, batch + 1) if batch % d == 0], float)
    data = np.zeros_like(most)
    for size in np.unique(micro):
        if batch % size:
            continue
        fits = divisors[(batch / size) % divisors == 0]
        here = micro == size
        place = np.searchsorted(fits, most[here], side="right") - 1
        data[here] = np.where(place >= 0, fits[np.maximum(place, 0)], 0.0)
    return data


def _tensor_sizes(shape: ModelShape, most: int) -> list[float]:
    sizes = (t for t in range(1, most + 1) if most % t == 0)  # whole groups in a scale-up domain
    return [float(t) for t in sizes if shape.query_heads % t == 0]


def _pipeline_sizes(layers: int) -> list[float]:
    """Divisors of the layers, and powers of two (the last stage is then shorter)."""
    sizes = {p for p in range(1, layers + 1) if layers % p == 0}
    return sorted(float(p) for p in sizes | {2**n for n in range(11) if 2**n <= layers})


def _context_sizes(sequence_tokens: int) -> list[float]:
    most = max(1, sequence_tokens // _LEAST_SEQUENCE_PART)
    return [float(2**n) for n in range(most.bit_length()) if 2**n <= most]


def _expert_sizes(shape: ModelShape) -> list[float]:
    if shape.experts is None:
        return [1.0]
    count = shape.experts.count
    return [float(e) for e in range(1, count + 1) if count % e == 0]
