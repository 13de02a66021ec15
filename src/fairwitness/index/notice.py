"""What is noticed of posts as they come: what they mean, whom they copy, who floods, what bursts.

All of it is known from the order of posts alone, so the log gives it again. Clusters, quality,
flags and codes go into the rows. Tables and counts stay in memory; now and then they are saved, and
an opening shows them the rows that came since.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.index import floods, meaning, saved
from fairwitness.index.columns import AUTHOR_FLOODS, COPIES_FLOOD, REPOST
from fairwitness.index.copies import Copies
from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.floods import AUTHOR_FLOOD, CLUSTER_FLOOD
from fairwitness.index.history import Rows
from fairwitness.index.ids import id_hash
from fairwitness.index.keeping import Keeper
from fairwitness.index.rows import Fresh
from fairwitness.index.slice import NewRows, Slice
from fairwitness.index.table import Table
from fairwitness.index.trends import Trends, chart_path, items_in, items_of, read_chart, write_chart
from fairwitness.index.trends.sketch import TICK_MS
from fairwitness.kernels import fields
from fairwitness.kernels.copies import FIRST
from fairwitness.kernels.texts import pack
from fairwitness.kernels.words import Words
from fairwitness.posts.post import Post

_SAVE_ROWS = 500_000
"""So many rows an opening has to look at again, at most."""
_SAVE_S = 60.0
"""How much of what trends an opening has to look at again where posts come more slowly."""
_TOGETHER = 2_000
_HASTY = 64
_THIN = 4

_log = logging.getLogger(__name__)


class Noticing:
    """Looks at each row once, in order. One thread."""

    def __init__(self, folder: Path, table: Table) -> None:
        """Go on where it was saved."""
        self._path = folder / "copies"
        self._trends_path = folder / "trends"
        self._chart_path = chart_path(folder)
        self._table = table
        self._copies = self._load_copies()
        known = self._copies.next_ordinal
        self._drawn_ms = read_chart(self._chart_path).at_ms
        self._look_again()
        self.trends, seen = self._load_trends()
        self._count_again(seen)
        self._keepers = (
            Keeper(self._path, self._copies, known, every_rows=_SAVE_ROWS, every_s=0.0),
            Keeper(self._trends_path, self.trends, seen, every_rows=1, every_s=_SAVE_S),
        )

    def notice(self, new: Fresh, rows: NewRows, first_ordinal: int, told: Words) -> NewRows:
        """Return `rows`, which will have these ordinals, with what is noticed of their posts."""
        said = new.fields
        seen = self._copies.see(said.texts, first_ordinal, self._originals(new), self._clusters_of)
        authors = rows.author.astype(np.uint64) + np.uint64(1)
        sources = rows.network.astype(np.uint64) + np.uint64(1)
        judged = floods.judge(self._copies, seen, authors, rows.since_ms, sources)
        copied = np.where(seen.how == FIRST, 0, seen.cluster + 1).astype(np.uint64)
        if not _is_old_and_thin(rows.since_ms):
            self.trends.see(items_of(said, told, first_ordinal, rows.lang, copied))
        flags = np.where(judged.flags & AUTHOR_FLOOD, AUTHOR_FLOODS, 0)
        flags |= np.where(judged.flags & CLUSTER_FLOOD, COPIES_FLOOD, 0)
        return rows._replace(
            cluster=seen.cluster.astype(np.uint32),
            quality=judged.quality,
            flags=rows.flags | flags.astype(np.uint16),
            code=meaning.codes(said.texts),
        )

    def draw(self) -> None:
        """Write down what is trending, where there is something new, for readers to see."""
        if self.trends.chart.at_ms != self._drawn_ms:
            write_chart(self._chart_path, self.trends.chart)
            self._drawn_ms = self.trends.chart.at_ms

    def save(self, *, at_end: bool = False) -> None:
        """Save what is known when much has come since; after a checkpoint of all rows."""
        for keeper in self._keepers:
            keeper.save(self._table.rows, at_end=at_end)

    def close(self) -> None:
        """Wait until what is being saved is."""
        for keeper in self._keepers:
            keeper.close()

    def _load_copies(self) -> Copies:
        copies = Copies()
        if self._path.exists():
            try:
                copies.next_ordinal = saved.load(self._path, copies)
            except IndexCorrupt as error:
                _log.warning("what was known of copies is lost: %s", error)
                return Copies()
        return copies if copies.next_ordinal <= self._table.rows else Copies()

    def _load_trends(self) -> tuple[Trends, int]:
        """Return what was trending, and the first ordinal that was not yet counted."""
        if self._trends_path.exists():
            trends = self._new_trends()
            try:
                seen = saved.load(self._trends_path, trends)
            except IndexCorrupt as error:
                _log.warning("what was trending is counted again: %s", error)
            else:
                if seen <= self._table.rows:
                    if gone := {id for id in trends.shown() if self._is_gone(id)}:
                        trends.forget(gone)
                        self._drawn_ms = 0
                    return trends, seen
        return self._new_trends(), 0

    def _ordinal_of(self, post_id: str) -> int:
        """Return the ordinal of the newest version of an id, -1 if none."""
        return self._table.newest(id_hash(post_id))

    def _new_trends(self) -> Trends:
        table = self._table  # not this object, which knows the trends: memory would stay behind
        return Trends(table.post, lambda number: table.langs.all()[number])

    def _is_gone(self, post_id: str) -> bool:
        return self._table.post(self._ordinal_of(post_id)) is None

    def _count_again(self, seen: int) -> None:
        """Let trends see the rows that came after they were saved."""
        for at, part, rows, posts in self._rows_from(seen):
            columns = part.columns
            clusters = columns.cluster[rows].astype(np.int64)
            is_first = clusters == np.arange(at, at + len(posts))
            copied = np.where(is_first, 0, clusters + 1).astype(np.uint64)
            if not _is_old_and_thin(columns.since_ms[rows]):
                self.trends.see(items_in(posts, at, self._table.langs.number, copied))

    def _rows_from(self, at: int) -> Iterator[tuple[int, Slice, slice, list[Post]]]:
        """Yield the newest rows from an ordinal on, some at a time: theirs, their slice, posts."""
        table = self._table
        at = max(at, table.slices[0].first, table.rows - _SAVE_ROWS)
        while at < table.rows:
            part, row = table.locate(at)
            rows = slice(row, min(row + _TOGETHER, part.rows))
            posts = part.texts.posts_between(rows.start, rows.stop)
            yield at, part, rows, posts
            at += len(posts)

    def _look_again(self) -> None:
        """See the rows that came after the last save; of older ones copies are no longer told."""
        for at, part, rows, posts in self._rows_from(self._copies.next_ordinal):
            texts = pack([post.text for post in posts])
            clusters = part.columns.cluster[rows].astype(np.int64)
            original = np.where(clusters < at, clusters, -1)
            seen = self._copies.see(texts, at, original, lambda ordinals: ordinals)
            authors = part.columns.author[rows].astype(np.uint64) + np.uint64(1)
            sources = part.columns.network[rows].astype(np.uint64) + np.uint64(1)
            floods.judge(self._copies, seen, authors, part.columns.since_ms[rows], sources)

    def _originals(self, new: Fresh) -> NDArray[np.int64]:
        """Return the ordinals of what posts repeat whole, -1 where it is nothing we know."""
        originals = np.full(len(new.posts), -1, np.int64)
        for at in np.flatnonzero(new.fields.has & fields.REPOST).tolist():
            originals[at] = self._ordinal_of(new.posts[at].repost_of)
        return originals

    def _clusters_of(self, ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        clusters = ordinals.copy()
        for at, ordinal in enumerate(ordinals.tolist()):
            if ordinal >= self._table.slices[0].first:
                part, row = self._table.locate(ordinal)
                clusters[at] = part.columns.cluster[row]
        return clusters


def noticed_in(part: Slice, rows: Rows) -> dict[str, int]:
    """Return how many of some rows are copies, of a flood, or worth little."""
    columns, flags = part.columns, part.history.marks.flags[rows]
    is_copy = (columns.cluster[rows] != rows + part.first) & (flags & REPOST == 0)
    found = {
        "copies": is_copy,
        "author_floods": flags & AUTHOR_FLOODS,
        "copy_floods": flags & COPIES_FLOOD,
        "low_quality": columns.quality[rows] < floods.LOW_QUALITY,
    }
    return {name: int(np.count_nonzero(each)) for name, each in found.items()}


def _is_old_and_thin(seen_ms: NDArray[np.int64]) -> bool:
    """Return whether a batch is a thin past that is played fast: many ticks of a few posts each.

    Nobody watches such trends, and each tick costs as much as a hundred posts.
    """
    ticks = len(np.unique(seen_ms // TICK_MS))
    return len(seen_ms) >= _HASTY and len(seen_ms) < _THIN * ticks
