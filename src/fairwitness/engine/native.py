"""The model on this machine's processor, through the native step: nothing to compile, no copies.

A row's bits follow from what stands before it alone, so prompts may be cut anywhere, caches shared,
and sequences run together, and nobody's answer changes.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.sample import log_total
from fairwitness.engine.sequence import CHUNK, MIN_CAPACITY, Sequence, capacity_for
from fairwitness.kernels.pages import PAGE, Pages
from fairwitness.kernels.stack import Row, Stack, Weights
from fairwitness.models import Model
from fairwitness.models.packed import shape_of

THREADS = 2  # memory bandwidth is the limit of a stream, and few threads reach it


class NativeRunner:
    """Feeds tokens to the model. Not for several threads at once: the engine takes turns."""

    def __init__(self, model: Model, weights: Weights) -> None:
        self.config = model.config
        threads = min(THREADS, _cores())
        epsilon = model.config.norm_epsilon
        self.stack = Stack(shape_of(model.config), epsilon, weights, threads)

    def new_sequence(self) -> Sequence:
        """An empty sequence."""
        return Sequence(self._pages(MIN_CAPACITY))

    def feed(self, sequence: Sequence, ids: tuple[int, ...]) -> NDArray[np.float32]:
        """Append at most one chunk of tokens; return the logits after the last, logits_v."""
        rows = self._rows(sequence, ids)
        logits_1v: NDArray[np.float32] = self.stack.step(rows, [len(ids) - 1], sequence.cache)
        is_whole_chunk = len(ids) == CHUNK and sequence.length == len(sequence.chunk_ids)
        if is_whole_chunk:
            sequence.chunk_ids += ids
        sequence.length += len(ids)
        return logits_1v.reshape(-1)

    def score(
        self, sequence: Sequence, ids: tuple[int, ...], targets: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Append at most one chunk; return log p(targets[i] | everything up to ids[i])."""
        logits_tv = self.stack.step(self._rows(sequence, ids), range(len(ids)), sequence.cache)
        sequence.length += len(ids)
        pairs = zip(logits_tv, targets, strict=True)
        return np.array([_logprob(logits_v, target) for logits_v, target in pairs], np.float32)

    def programs(self, positions: int) -> list[tuple[int, int]]:
        """Capacity and piece of what is worth a run before anyone waits: there is one step."""
        return [(MIN_CAPACITY, CHUNK)]

    def try_out(self, capacity: int, piece: int) -> None:
        """Run the step once on nothing, so that its memory is there."""
        self.feed(self.new_sequence(), (0,) * piece)

    def _rows(self, sequence: Sequence, ids: tuple[int, ...]) -> list[Row]:
        capacity = capacity_for(sequence.length + len(ids))
        if capacity != sequence.capacity:
            pages = self._pages(capacity)
            kept = min(len(pages.data), len(sequence.cache.data))
            pages.data[:kept] = sequence.cache.data[:kept]
            sequence.cache, sequence.capacity = pages, capacity
        table, start = np.arange(sequence.cache.count, dtype=np.int32), sequence.length
        return [Row(token, start + i, table) for i, token in enumerate(ids)]

    def _pages(self, capacity: int) -> Pages:
        """A sequence's own pages, in order."""
        return Pages(self.stack.shape, capacity // PAGE, "f16")


def _cores() -> int:
    """How many this process may use, where the system says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _logprob(logits_v: NDArray[np.float32], target: int) -> float:
    if not np.isfinite(logits_v).all():
        return float("nan")  # as the reference has it: the engine refuses it
    return float(logits_v[target]) - log_total(logits_v)
