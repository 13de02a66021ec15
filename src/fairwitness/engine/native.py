"""The model on this machine's processor, through the native step: nothing to compile, no copies.

A row's bits follow from what stands before it alone, so prompts may be cut anywhere, pages shared,
and sequences run together, and nobody's answer changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.scheduler import DRAFT_ROWS, Rules
from fairwitness.engine.sequence import Piece
from fairwitness.kernels.pages import PAGE, Kind, Pages
from fairwitness.kernels.stack import Row, Stack, Weights
from fairwitness.models import Model
from fairwitness.models.packed import shape_of

THREADS = 2  # memory bandwidth is the limit of a stream, and few threads reach it

CACHE_KIND: Kind = "f32"


class NativeRunner:
    """Runs pieces of sequences. Not for several threads at once: one thread steps."""

    def __init__(
        self, model: Model, weights: Weights, cache_bytes: int, kind: Kind, drafts: bool
    ) -> None:
        self.config = model.config
        threads = min(THREADS, _cores())
        shape = shape_of(model.config)
        self.stack = Stack(shape, model.config.norm_epsilon, weights, threads)
        page_bytes = PAGE * Pages(shape, 1, kind).bytes_per_position
        budget = max(1, cache_bytes // page_bytes)
        pages = max(budget, -(-model.config.context // PAGE))  # what nobody touches takes no memory
        self.pages = Pages(shape, pages, kind)
        self.rules = Rules(PAGE, pages, budget, draft_rows=DRAFT_ROWS if drafts else 0)

    def step(self, pieces: Sequence[Piece]) -> list[NDArray[np.float32]]:
        """Run the pieces in one step; return the logits that each wants, (wants, vocabulary)."""
        rows: list[Row] = []
        wants: list[int] = []
        for piece in pieces:
            table = np.array(piece.sequence.table, np.int32)
            rows += [Row(token, piece.start + i, table) for i, token in enumerate(piece.ids)]
            wants += range(len(rows) - piece.wants, len(rows))
        logits_wv = self.stack.step(rows, wants, self.pages)
        ends = list(accumulate((piece.wants for piece in pieces), initial=0))
        return [logits_wv[first:end] for first, end in pairwise(ends)]

    def warm_up(self, positions: int) -> list[Callable[[], None]]:
        """Run the step once on nothing, so that its memory is there."""
        table = np.zeros(1, np.int32)
        rows = [Row(0, place, table) for place in range(PAGE)]
        spare = Pages(self.stack.shape, 1, "f32")
        return [partial(self._try_out, rows, spare)]

    def _try_out(self, rows: list[Row], spare: Pages) -> None:
        self.stack.step(rows, [len(rows) - 1], spare)


def _cores() -> int:
    """How many this process may use, where the system says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
