"""What happened to the rows of a slice after they were added.

A row may be replaced by a later version, deleted, or reacted to. Its marks say so; the few to which
more happened have a change with the details, and every report of engagement is kept in a file.
Each store is whole and comes in an order in which readers without a lock see a row before or after.
"""

from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.columns import (
    COUNTED,
    GONE,
    LATER,
    SUPERSEDED,
    WIPED,
    WITH_ACCOUNT,
    Changes,
    Columns,
    Marks,
)
from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.frozen import Frozen
from fairwitness.index.growing import GrowingFile
from fairwitness.index.mapped import Stretch
from fairwitness.index.reports import (
    REPORT_BYTES,
    UNCOUNTED,
    UNSAID,
    Reports,
    Standing,
    some,
)
from fairwitness.index.texts import Texts
from fairwitness.kernels import masks
from fairwitness.posts.post import Engagement

Rows = NDArray[np.int64]


class History:
    """One thread writes, any reads."""

    def __init__(
        self,
        folder: Path,
        rows_max: int,
        reports_bytes: int,
        columns: Columns | Frozen,
        texts: Texts,
        *,
        read_only: bool,
    ) -> None:
        """Open it as it is on the disk; a writer then calls `discard_after`."""
        if reports_bytes % REPORT_BYTES:
            raise IndexCorrupt(folder / "reports", "ends within a report")
        self.columns = columns
        self._texts = texts
        self._rows_max = rows_max
        self._changed = 0
        """How many changes there are, the free ones among them included."""
        self._free: list[int] = []
        self.to_wipe: list[int] = []
        """Rows that are gone and whose text is still there."""
        self.unsynced = not read_only
        """Whether there may be something that a power cut would take away."""
        self.visible = 0
        """How many rows are some post's present version."""
        self.latest_ms = 0
        """As of this moment or later, the past is the present."""
        with ExitStack() as files:
            opened = files.enter_context
            self.marks = opened(closing(Marks(folder / "marks", rows_max, read_only=read_only)))
            changes = opened(closing(Changes(folder / "changes", rows_max, read_only=read_only)))
            file = GrowingFile(folder / "reports", reports_bytes, read_only=read_only)
            self._changes = changes
            self.reports = Reports(opened(closing(file)), changes)
            self._files = files.pop_all()

    def reserve(self, first: int, rows: int, said: NDArray[np.int64]) -> None:
        """Make sure that rows can be added and what they `said` counted; raise IndexDiskFull."""
        self.marks.reserve(first, rows)
        self._changes.reserve(self._changed, max(len(_counted(said)) - len(self._free), 0))

    def add(self, first: int, flags: NDArray[np.uint16], latest_ms: int) -> None:
        """Add rows. Raises IndexDiskFull with nothing changed."""
        self.marks.reserve(first, len(flags))
        self.unsynced = True
        self.marks.change[first : first + len(flags)] = 0
        self.marks.flags[first : first + len(flags)] = flags
        self.visible += len(flags)
        self.latest_ms = max(self.latest_ms, latest_ms)

    def follow(self, row: int, prev: int) -> None:
        """Say that `prev` is the ordinal of the row before `row` with the same id hash."""
        self._changes.prev[self._change(row)] = prev + 1
        self.marks.flags[row] |= LATER

    def supersede(self, row: int, by: int, from_ms: int) -> None:
        """Say that from `from_ms` on the version with ordinal `by` holds, no longer this one."""
        change = self._change(row)
        self._changes.until_ms[change] = from_ms
        self._changes.next[change] = by + 1
        self.marks.flags[row] |= SUPERSEDED
        self.visible -= 1
        self.latest_ms = max(self.latest_ms, from_ms)

    def report(self, row: int, standing: Standing) -> None:
        """Make `standing` the newest engagement of a row."""
        self.reports.add(self._change(row), standing)
        self.marks.flags[row] |= COUNTED

    def count(self, row: int, standing: Standing) -> None:
        """Let what a post said of itself when it came count, where that is more than nothing."""
        if some(standing.engagement):
            self.reports.begin(self._change(row), standing)
            self.marks.flags[row] |= COUNTED

    def count_all(self, first_row: int, said: NDArray[np.int64]) -> None:
        """Do `count` for posts that were just added, from `first_row` on.

        `said` has their likes, reposts, replies and views, shape (4, posts).
        """
        counted = _counted(said)
        if not len(counted):
            return
        rows = first_row + counted
        numbers = self._new_changes(rows)
        self.reports.begin_all(numbers, self.columns.since_ms[rows], said[:, counted])
        self.marks.flags[rows] |= COUNTED

    def prev(self, row: int) -> int:
        """Return the ordinal of the row before it with the same id hash, -1 without one."""
        if not self.marks.flags[row] & LATER:
            return -1
        return int(self._changes.prev[self.marks.change[row] - 1]) - 1

    def shows(self, rows: Rows, index_rows: int, as_of_ms: int | None) -> NDArray[np.bool_]:
        """Return which of `rows` some reader of a moment would see, who knows `index_rows`."""
        flags = self.marks.flags[rows]
        shown: NDArray[np.bool_] = flags & (GONE | SUPERSEDED) == 0
        replaced = np.flatnonzero(flags & (GONE | SUPERSEDED) == SUPERSEDED)
        shown[replaced] = self._held_yet(rows[replaced], index_rows, as_of_ms)
        if as_of_ms is not None:
            shown &= self.columns.seen_until(as_of_ms, rows)
        return shown

    def shown(self, rows: int, index_rows: int, as_of_ms: int | None) -> NDArray[np.bool_]:
        """Return `shows` of the first rows."""
        flags = self.marks.flags[:rows]
        mask, replaced = masks.unmarked(flags, GONE | SUPERSEDED, SUPERSEDED)
        if replaced:
            found = np.flatnonzero(flags & (GONE | SUPERSEDED) == SUPERSEDED)
            mask[found] = self._held_yet(found, index_rows, as_of_ms)
        if as_of_ms is not None and as_of_ms < self.latest_ms:
            mask &= self.columns.seen_until(as_of_ms, slice(0, rows))
        return mask

    def counts(self, rows: Rows, as_of_ms: int | None) -> NDArray[np.int64]:
        """Return likes, reposts, replies and views of `rows`, shape [4, rows]; unsaid is 0."""
        counts = np.zeros((4, len(rows)), np.int64)
        counted = np.flatnonzero(self.marks.flags[rows] & COUNTED)
        if not len(counted):
            return counts
        at, changes = self._changes_of(rows[counted]), self._changes
        for count, name in zip(counts, ("likes", "reposts", "replies", "views"), strict=True):
            count[counted] = getattr(changes, name)[at].astype(np.int64) - 1
        if as_of_ms is not None:
            for i in counted[changes.counted_ms[at] > as_of_ms].tolist():
                then = self.engagement(int(rows[i]), as_of_ms)
                counts[:, i] = (then.likes, then.reposts, then.replies, then.views)
        return np.maximum(counts, 0)

    def engagement(
        self, row: int, as_of_ms: int | None = None, said: Engagement | None = None
    ) -> Engagement:
        """Return what was known of a row's engagement at a moment, None for now.

        `said` is what its post said of itself, where the caller has it.
        """
        if self.marks.flags[row] & COUNTED:
            then = self.reports.at(int(self.marks.change[row]) - 1, as_of_ms)
            if then is not None:
                return then
        return self._texts.post_at(row).engagement if said is None else said

    def standing(self, row: int) -> Standing:
        """Return what is known of a row's engagement, and since when."""
        if self.marks.flags[row] & COUNTED:
            return self.reports.standing(int(self.marks.change[row]) - 1)
        said = self._texts.post_at(row).engagement
        return Standing(said, int(self.columns.since_ms[row])) if said != UNSAID else UNCOUNTED

    def gone_ms(self, row: int) -> int:
        """Return when the account of a row went, 0 when it did not."""
        change = int(self.marks.change[row])
        return int(self._changes.gone_ms[change - 1]) if change else 0

    def bury(self, row: int, *, account_gone_ms: int | None = None) -> None:
        """Make a row invisible for every moment, at once; `purge` destroys its text.

        `account_gone_ms`: it only goes because its account went then.
        """
        flags = self.marks.flags
        self.unsynced = True
        if flags[row] & GONE:
            if account_gone_ms is None:
                flags[row] &= ~np.uint16(WITH_ACCOUNT)
            return
        if account_gone_ms is not None:
            self._changes.gone_ms[self._change(row)] = account_gone_ms
            flags[row] |= WITH_ACCOUNT
        flags[row] |= GONE
        self.visible -= int(not flags[row] & SUPERSEDED)
        self.to_wipe.append(row)

    def is_gone(self, row: int) -> bool:
        """Return whether a row is deleted."""
        return bool(self.marks.flags[row] & GONE)

    def gone_rows(self, rows: int) -> Rows:
        """Return which of the first rows are deleted."""
        return np.flatnonzero(self.marks.flags[:rows] & GONE)

    def wiped(self, rows: list[int]) -> None:
        """Say that the texts of `rows` are destroyed."""
        self.marks.flags[np.array(rows, np.int64)] |= WIPED

    def sync(self) -> None:
        """Return once all of it would survive a power cut."""
        self.reports.sync()
        self.marks.sync()
        self._changes.sync()

    def in_use(self) -> dict[str, list[Stretch]]:
        """Say which parts of the files are in use, by the names of the files."""
        return {
            "marks": [*self.marks.stretches(self._rows_max)],
            "changes": [*self._changes.stretches(self._changed)],
            "reports": [(0, self.reports.size_bytes)],
        }

    def tally(self, rows: int) -> None:
        """Count what the first rows show."""
        showing, _ = masks.unmarked(self.marks.flags[:rows], GONE | SUPERSEDED, SUPERSEDED)
        self.visible = int(np.count_nonzero(showing))
        ends_ms = self._changes.until_ms[: int(self.marks.change[:rows].max(initial=0))]
        self.latest_ms = max(self.columns.latest_seen_ms(rows), int(ends_ms.max(initial=0)))

    def discard_after(self, rows: int, index_rows: int) -> None:
        """Bring back what held when there were so many, as far as the log does not say it again."""
        flags, changes = self.marks.flags[:rows], self._changes
        self._drop_lost(rows)
        later = np.flatnonzero(changes.next[: self._changed] > index_rows)
        changes.next[later], changes.until_ms[later] = 0, 0
        flags[changes.row[later]] &= ~np.uint16(SUPERSEDED)
        for number in self.reports.mend(self._changed):
            row = int(changes.row[number])
            flags[row] &= ~np.uint16(COUNTED)
            self.count(row, self.standing(row))
        self.to_wipe = np.flatnonzero(flags & (GONE | WIPED) == GONE).tolist()

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()

    def _drop_lost(self, rows: int) -> None:
        """Let go of changes of rows that are no more, and of those that a power cut took."""
        change = self.marks.change[:rows]
        changed = np.flatnonzero(change)
        numbers = np.minimum(self._changes_of(changed), self._rows_max - 1)
        lost = changed[self._changes.row[numbers] != changed]
        change[lost] = 0
        self.marks.flags[lost] &= ~np.uint16(SUPERSEDED | LATER | COUNTED | WITH_ACCOUNT)
        self._changed = int(change.max(initial=0))
        used = np.zeros(self._changed, bool)
        used[self._changes_of(np.flatnonzero(change))] = True
        free = np.flatnonzero(~used)
        for name in Changes.FIELDS:
            getattr(self._changes, name)[free] = 0
        self._free = free.tolist()

    def _held_yet(self, rows: Rows, index_rows: int, as_of_ms: int | None) -> NDArray[np.bool_]:
        """Return which of `rows`, all of them replaced, were not yet for such a reader."""
        changes = self._changes_of(rows)
        held: NDArray[np.bool_] = self._changes.next[changes] > index_rows
        if as_of_ms is not None:
            held |= self._changes.until_ms[changes] > as_of_ms
        return held

    def _changes_of(self, rows: Rows) -> Rows:
        """Return the numbers of the changes of rows, -1 where there is none."""
        return self.marks.change[rows].astype(np.int64) - 1

    def _change(self, row: int) -> int:
        """Return the number of a row's change, for something to be written there."""
        self.unsynced = True
        known = int(self.marks.change[row])
        return known - 1 if known else int(self._new_changes(np.array([row]))[0])

    def _new_changes(self, rows: Rows) -> Rows:
        """Return the numbers of new changes of rows that have none: first those that are free."""
        reused = self._free[: len(rows)]
        fresh = len(rows) - len(reused)
        self._changes.reserve(self._changed, fresh)
        numbers = np.array([*reused, *range(self._changed, self._changed + fresh)], np.int64)
        for name in Changes.FIELDS:
            getattr(self._changes, name)[numbers] = 0
        self._changes.row[numbers] = rows
        self.marks.change[rows] = numbers + 1
        del self._free[: len(reused)]
        self._changed += fresh
        return numbers


def _counted(said: NDArray[np.int64]) -> Rows:
    """Return which posts somebody reacted to; `said` has the shape (4, posts)."""
    return np.flatnonzero((said > 0).any(axis=0))
