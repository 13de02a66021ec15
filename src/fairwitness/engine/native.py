"""The model on this machine's processor, through the native step: nothing to compile, no copies.

A row's bits follow from what stands before it alone, so prompts may be cut anywhere, pages shared,
and sequences run together, and nobody's answer changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.sample import Logits
from fairwitness.engine.scheduler import AHEAD, DRAFT_ROWS, Rules
from fairwitness.engine.sequence import Piece, Shown
from fairwitness.kernels.pages import PAGE, Kind, Pages
from fairwitness.kernels.stack import Row, Stack, Weights
from fairwitness.models import Model
from fairwitness.models.adapters import Adapter, packed_adapter
from fairwitness.models.packed import shape_of

THREADS = 2  # memory bandwidth is the limit of a stream, and few threads reach it

CACHE_KIND: Kind = "f32"


class NativeRunner:
    """Runs pieces of sequences. Not for several threads at once: one thread steps."""

    def __init__(
        self,
        model: Model,
        weights: Weights,
        cache_bytes: int,
        kind: Kind,
        drafts: bool,
        adapters: Mapping[str, Adapter],
    ) -> None:
        self.config = model.config
        self._adapters = {
            name: packed_adapter(each, model.config) for name, each in adapters.items()
        }
        threads = min(THREADS, _cores())
        shape = shape_of(model.config)
        self._last_norm = weights.norm
        self.stack = Stack(shape, model.config.norm_epsilon, weights, threads)
        page_bytes = PAGE * Pages(shape, 1, kind).bytes_per_position
        budget = max(1, cache_bytes // page_bytes)
        pages = max(budget, -(-model.config.context // PAGE))  # what nobody touches takes no memory
        self.pages = Pages(shape, pages, kind)
        draft_rows = DRAFT_ROWS if drafts else 0
        self.rules = Rules(PAGE, pages, budget, draft_rows=draft_rows, ahead=AHEAD - 1)
        self.news = np.zeros(1, np.int32)

    def step(self, pieces: Sequence[Piece]) -> list[Shown]:
        """Run the pieces in one step; return what each wants. One that is alone may go on by
        itself."""
        if len(pieces) == 1 and pieces[0].more:
            return [self._gone_on(pieces[0])]
        rows: list[Row] = []
        wanted: tuple[list[int], list[int]] = [], []  # logits, and what the head would see
        for piece in pieces:
            sequence = piece.sequence
            adapter = self._adapters.get(sequence.adapter)
            for place, token in enumerate(piece.ids, piece.start):
                rows.append(Row(token, place, sequence.table, adapter))
            wanted[sequence.shows_hidden].extend(range(len(rows) - piece.wants, len(rows)))
        out = self.stack.run(rows, *wanted, self.pages)
        told = out.likeliest_w.tolist(), out.log_total_w.tolist()
        logits = map(Logits, out.logits_wv, *told)
        hidden_wd = self._normed(out.hidden_sd) if wanted[True] else out.hidden_sd
        shown, taken = [], 0
        for piece in pieces:
            if piece.sequence.shows_hidden:
                shown.append(Shown(hidden_wd=hidden_wd[taken : taken + piece.wants]))
                taken += piece.wants
            else:
                shown.append(Shown(list(islice(logits, piece.wants))))
        return shown

    def _gone_on(self, piece: Piece) -> Shown:
        sequence = piece.sequence
        adapter = self._adapters.get(sequence.adapter)
        row = Row(piece.ids[0], piece.start, sequence.table, adapter)
        most, ends = 1 + piece.more, sequence.ends or ()
        return Shown(likeliest=self.stack.go_on(row, most, ends, self.pages, self.news))

    def _normed(self, x_wd: NDArray[np.float32]) -> NDArray[np.float32]:
        mean_square_w1 = np.mean(np.square(x_wd), axis=1, keepdims=True)
        scale_w1 = 1 / np.sqrt(mean_square_w1 + np.float32(self.config.norm_epsilon))
        normed_wd: NDArray[np.float32] = x_wd * scale_w1 * self._last_norm
        return normed_wd

    def warm_up(self, positions: int) -> list[Callable[[], None]]:
        """Run the step once on nothing, so that its memory is there."""
        table = [0]
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
