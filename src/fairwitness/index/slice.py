"""A slice: the index of one stretch of posts, as words, columns and stored texts.

The hot slice takes new rows; a sealed one never gets any, only its marks change. A row's place in
the whole index is its ordinal: `first` of its slice plus its row there.
"""

import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index import words
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
from fairwitness.index.errors import IndexCorrupt, IndexFault, room_on_disk
from fairwitness.index.growing import GrowingFile
from fairwitness.index.ids import Hashes, SealedIds
from fairwitness.index.manifest import SliceExtent
from fairwitness.index.reports import REPORT_BYTES, UNCOUNTED, UNSAID, Reports, Standing, some
from fairwitness.index.texts import Texts
from fairwitness.index.words import Words
from fairwitness.posts.post import FOREVER_MS, Engagement, Post

EMPTY = SliceExtent(0, 0, 0, 0, 0)

Rows = NDArray[np.int64]


class NewRows(NamedTuple):
    """Rows to add, as arrays of one length, named as the columns are."""

    id_hash: Hashes
    since_ms: NDArray[np.int64]
    made_ms: NDArray[np.int64]
    text_hash: NDArray[np.uint32]
    author: NDArray[np.uint32]
    handle: NDArray[np.uint32]
    cluster: NDArray[np.uint32]
    lang: NDArray[np.uint16]
    network: NDArray[np.uint16]
    quality: NDArray[np.uint8]
    flags: NDArray[np.uint16]


class Slice:
    """One thread writes. Others may read rows that were committed before they look."""

    def __init__(
        self,
        folder: Path,
        first: int,
        rows_max: int,
        extent: SliceExtent,
        *,
        index_rows: int,
        sealed: bool,
        read_only: bool,
    ) -> None:
        """Open the slice as it was at `extent`, discarding what came after; or begin it.

        `index_rows` is the first ordinal that no slice has.
        """
        self.folder = folder
        self.first = first
        self.rows = extent.rows
        self.searchable_rows = extent.rows
        self._rows_max = rows_max
        self._read_only = read_only
        if not read_only:
            with room_on_disk(folder):
                folder.mkdir(parents=True, exist_ok=True)
        self._newest: dict[int, int] = {}
        self._sealed: SealedIds | None = None
        self._sealing: threading.Thread | None = None
        self._to_wipe: list[int] = []
        self._check = extent.check
        self._unsynced = not read_only
        """Whether there may be something that a power cut would take away."""
        self._changed = 0
        """How many changes there are, the free ones among them included."""
        self._free_changes: list[int] = []
        self.visible = 0
        """How many rows are some post's present version."""
        self.latest_ms = 0
        """As of this moment or later, the past is the present."""
        with ExitStack() as files:
            self._open_files(files, extent)
            if extent.reports_bytes % REPORT_BYTES:
                raise IndexCorrupt(folder / "reports", "ends within a report")
            if not read_only:
                if self.columns.hash_of(self.rows) != extent.check:
                    raise IndexCorrupt(self.columns.path, "not what was written")
                self._discard_after(extent, index_rows)
            self._tally()
            if sealed:
                self._sealed = self._sort_ids()
            else:
                self._learn_ids(0)
            self._files = files.pop_all()

    @property
    def room(self) -> int:
        """How many rows are left."""
        return self._rows_max - self.rows

    @property
    def extent(self) -> SliceExtent:
        """How far the files are in use."""
        texts = self.texts
        reports_bytes = self.reports.size_bytes
        return SliceExtent(self.rows, texts.blocks, texts.size_bytes, reports_bytes, self._check)

    def extend(self, rows: NewRows, posts: Sequence[Post]) -> int:
        """Add versions and return the ordinal of the first.

        There must be room for them. Raises IndexDiskFull with nothing changed.
        """
        at, end = self.rows, self.rows + len(posts)
        self._unsynced = True
        self.columns.reserve(at, len(posts))
        self.marks.reserve(at, len(posts))
        for name, values in zip(NewRows._fields[:-1], rows[:-1], strict=True):
            getattr(self.columns, name)[at:end] = values
        self.marks.change[at:end] = 0
        self.marks.flags[at:end] = rows.flags
        self.texts.add(posts)
        self._newest.update(zip(rows.id_hash.tolist(), range(at, end), strict=True))
        self.words.add(at, posts)
        self.rows = end
        self.visible += len(posts)
        self.latest_ms = max(self.latest_ms, int(rows.since_ms.max(initial=0)))
        return self.first + at

    def follow(self, row: int, prev: int) -> None:
        """Say that `prev` is the ordinal of the row before `row` with the same id hash."""
        self.changes.prev[self._change(row)] = prev + 1
        self.marks.flags[row] |= LATER

    def supersede(self, row: int, by: int, from_ms: int) -> None:
        """Say that from `from_ms` on the version with ordinal `by` holds, no longer this one."""
        change = self._change(row)
        self.changes.until_ms[change] = from_ms
        self.changes.next[change] = by + 1
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

    def prev(self, row: int) -> int:
        """Return the ordinal of the row before it with the same id hash, -1 without one."""
        if not self.marks.flags[row] & LATER:
            return -1
        return int(self.changes.prev[self.marks.change[row] - 1]) - 1

    def newest(self, id_hash: int) -> int:
        """Return the ordinal of the last row with this hash, -1 when there is none."""
        newest = self._newest  # first: sealing sets the order before it empties this
        if self._sealed is None:
            row = newest.get(id_hash, -1)
            return self.first + row if row >= 0 else -1
        return self.newest_of(np.array([id_hash], np.uint64)).item()

    def newest_of(self, id_hashes: Hashes) -> Rows:
        """Return `newest` of each hash."""
        if self._sealed is None:
            return np.array([self.newest(each) for each in id_hashes.tolist()], np.int64)
        rows = self._sealed.newest(id_hashes)
        return np.where(rows >= 0, rows + self.first, -1)

    def rows_of(self, author: int) -> NDArray[np.intp]:
        """Return the rows that are not gone with this author hash, ~1 ms a million.

        Accounts vanish rarely, so a structure to find their posts would cost more than it saves.
        """
        rows = np.flatnonzero(self.columns.author[: self.rows] == np.uint32(author))
        alive: NDArray[np.intp] = rows[self.marks.flags[rows] & GONE == 0]
        return alive

    def shows(self, rows: Rows | slice, index_rows: int, as_of_ms: int | None) -> NDArray[np.bool_]:
        """Return which of `rows` some reader of a moment would see, who knows `index_rows`."""
        flags = self.marks.flags[rows]
        shown: NDArray[np.bool_] = flags & (GONE | SUPERSEDED) == 0
        replaced = np.flatnonzero(flags & (GONE | SUPERSEDED) == SUPERSEDED)
        if len(replaced):
            changes = self._changes_of(rows)[replaced]
            shown[replaced] = self.changes.next[changes] > index_rows
            if as_of_ms is not None:
                shown[replaced] |= self.changes.until_ms[changes] > as_of_ms
        if as_of_ms is not None:
            shown &= self.columns.since_ms[rows] <= as_of_ms
        return shown

    def counts(self, rows: Rows, as_of_ms: int | None) -> NDArray[np.int64]:
        """Return likes, reposts, replies and views of `rows`, shape [4, rows]; unsaid is 0."""
        counts = np.zeros((4, len(rows)), np.int64)
        counted = np.flatnonzero(self.marks.flags[rows] & COUNTED)
        if not len(counted):
            return counts
        at, changes = self._changes_of(rows[counted]), self.changes
        for count, name in zip(counts, ("likes", "reposts", "replies", "views"), strict=True):
            count[counted] = getattr(changes, name)[at].astype(np.int64) - 1
        if as_of_ms is not None:
            for i in counted[changes.counted_ms[at] > as_of_ms].tolist():
                then = self.engagement(int(rows[i]), as_of_ms)
                counts[:, i] = (then.likes, then.reposts, then.replies, then.views)
        return np.maximum(counts, 0)

    def engagement(self, row: int, as_of_ms: int | None = None) -> Engagement:
        """Return what was known of a row's engagement at a moment, None for now."""
        if self.marks.flags[row] & COUNTED:
            then = self.reports.at(int(self.marks.change[row]) - 1, as_of_ms)
            if then is not None:
                return then
        return self.texts.post_at(row).engagement

    def standing(self, row: int) -> Standing:
        """Return what is known of a row's engagement, and since when."""
        if self.marks.flags[row] & COUNTED:
            return self.reports.standing(int(self.marks.change[row]) - 1)
        said = self.texts.post_at(row).engagement
        return Standing(said, int(self.columns.since_ms[row])) if said != UNSAID else UNCOUNTED

    def post_at(self, row: int) -> Post | None:
        """Return the post of a row as first stored, or None when it is gone."""
        if self.marks.flags[row] & GONE:
            return None
        post = self.texts.post_at(row)
        # Looked at after reading, too: the flag is set before the text is destroyed.
        return None if self.marks.flags[row] & GONE else post

    def gone_ms(self, row: int) -> int:
        """Return when the account of a row went, 0 when it did not."""
        change = int(self.marks.change[row])
        return int(self.changes.gone_ms[change - 1]) if change else 0

    def bury(self, row: int, *, account_gone_ms: int | None = None) -> None:
        """Make a row invisible for every moment, at once; `purge` destroys its text.

        `account_gone_ms`: it only goes because its account went then.
        """
        flags = self.marks.flags
        self._unsynced = True
        if flags[row] & GONE:
            if account_gone_ms is None:
                flags[row] &= ~np.uint16(WITH_ACCOUNT)
            return
        if account_gone_ms is not None:
            self.changes.gone_ms[self._change(row)] = account_gone_ms
            flags[row] |= WITH_ACCOUNT
        flags[row] |= GONE
        self.visible -= int(not flags[row] & SUPERSEDED)
        self._to_wipe.append(row)

    def flush(self) -> None:
        """Hand what was stored to the operating system; raise IndexDiskFull and lose nothing."""
        self.texts.flush()
        self.reports.flush()

    def commit(self) -> None:
        """Make the rows that were added searchable."""
        self.flush()
        if self.words.lost:
            self._add_words_again()
        self.words.commit()
        self.searchable_rows = self.rows

    def purge(self) -> None:
        """Destroy the texts of buried rows, drop their words, and make all of it durable.

        What was added must have been committed.
        """
        if not self._unsynced:
            return
        rows, self._to_wipe = self._to_wipe, []
        try:
            self._wipe(rows)
            self.texts.sync()
            self.reports.sync()
        except BaseException:
            self._to_wipe = rows + self._to_wipe
            raise
        self.marks.flags[np.array(rows, np.int64)] |= WIPED
        for each in (self.columns, self.marks, self.changes):
            each.sync()
        self._check = self.columns.hash_of(self.rows)
        self._unsynced = False

    def seal(self) -> None:
        """Take no more rows; what sealed slices have is made in the background."""
        self.commit()
        self.words.finish()
        self._sealing = threading.Thread(target=self._become_sealed, name="sealing")
        self._sealing.start()

    def grow_to(self, extent: SliceExtent) -> None:
        """For a reader: see what the writing process has committed."""
        self.texts.grow_to(extent.rows, extent.blocks, extent.texts_bytes)
        self.reports.grow_to(extent.reports_bytes)
        self.words.reload()
        before, self.rows = self.rows, extent.rows
        self._learn_ids(before)
        self._tally()
        self.searchable_rows = self.rows

    def close(self) -> None:
        """Let go of the files."""
        if self._sealing is not None:
            self._sealing.join()
        self._files.close()

    def _open_files(self, files: ExitStack, extent: SliceExtent) -> None:
        folder, opened, read_only = self.folder, files.enter_context, self._read_only
        rows_max = self._rows_max
        self.columns = opened(closing(Columns(folder / "columns", rows_max, read_only=read_only)))
        self.marks = opened(closing(Marks(folder / "marks", rows_max, read_only=read_only)))
        self.changes = opened(closing(Changes(folder / "changes", rows_max, read_only=read_only)))
        self.texts = opened(
            closing(
                Texts(folder, extent.rows, extent.blocks, extent.texts_bytes, read_only=read_only)
            )
        )
        reports = GrowingFile(folder / "reports", extent.reports_bytes, read_only=read_only)
        self.reports = Reports(opened(closing(reports)), self.changes)
        self.words = opened(closing(Words(folder / "words", read_only=read_only)))

    def _changes_of(self, rows: Rows | slice) -> Rows:
        """Return the numbers of the changes of rows, -1 where there is none."""
        return self.marks.change[rows].astype(np.int64) - 1

    def _change(self, row: int) -> int:
        """Return the number of a row's change, for something to be written there."""
        self._unsynced = True
        known = int(self.marks.change[row])
        if known:
            return known - 1
        number = self._free_changes[-1] if self._free_changes else self._changed
        self.changes.reserve(number, 1)
        for name in Changes.FIELDS:
            getattr(self.changes, name)[number] = 0
        self.changes.row[number] = row
        self.marks.change[row] = number + 1
        if number == self._changed:
            self._changed += 1
        else:
            self._free_changes.pop()
        return number

    def _become_sealed(self) -> None:
        try:
            self._sealed = self._sort_ids()
        except IndexFault:
            return  # no room: the dict goes on, and the next opening tries again
        self._newest = {}

    def _sort_ids(self) -> SealedIds:
        hashes = self.columns.id_hash[: self.rows]
        return SealedIds(self.folder, hashes, read_only=self._read_only)

    def _wipe(self, rows: Sequence[int]) -> None:
        if rows:
            self.texts.forget(rows)
            self.words.drop(words.rows_among(rows))
            self.commit()
        if self._sealing is not None or self._sealed is not None:
            self.words.finish()

    def _add_words_again(self) -> None:
        self.words.start_again()
        for row in range(self.searchable_rows, self.rows):
            post = self.post_at(row)
            if post is not None:
                self.words.add(row, [post])

    def _tally(self) -> None:
        n = self.rows
        self.visible = int(np.count_nonzero(self.marks.flags[:n] & (GONE | SUPERSEDED) == 0))
        ends_ms = self.changes.until_ms[: int(self.marks.change[:n].max(initial=0))]
        since_ms = self.columns.since_ms[:n]
        self.latest_ms = int(max(since_ms.max(initial=0), ends_ms.max(initial=0)))

    def _learn_ids(self, start: int) -> None:
        hashes = self.columns.id_hash[start : self.rows].tolist()
        self._newest.update(zip(hashes, range(start, self.rows), strict=True))

    def _discard_after(self, extent: SliceExtent, index_rows: int) -> None:
        """Bring back what held at `extent`, as far as the log does not say it again."""
        n, flags, changes = extent.rows, self.marks.flags[: extent.rows], self.changes
        change = self.marks.change[:n]
        rows = np.flatnonzero(change)
        lost = rows[changes.row[self._changes_of(rows)] != rows]
        change[lost] = 0
        flags[lost] &= ~np.uint16(SUPERSEDED | LATER | COUNTED | WITH_ACCOUNT)
        self._changed = int(change.max(initial=0))
        used = np.zeros(self._changed, bool)
        used[self._changes_of(np.flatnonzero(change))] = True
        free = np.flatnonzero(~used)
        for name in Changes.FIELDS:
            getattr(changes, name)[free] = 0
        self._free_changes = free.tolist()
        later = np.flatnonzero(changes.next[: self._changed] > index_rows)
        changes.next[later], changes.until_ms[later] = 0, 0
        flags[changes.row[later]] &= ~np.uint16(SUPERSEDED)
        for number in self.reports.mend(self._changed):
            row = int(changes.row[number])
            flags[row] &= ~np.uint16(COUNTED)
            self.count(row, self.standing(row))
        if self.room:
            self.words.drop(words.rows_between(n, FOREVER_MS))
            self.words.commit()
        self._to_wipe = np.flatnonzero(flags & (GONE | WIPED) == GONE).tolist()
