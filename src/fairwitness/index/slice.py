"""A slice: the index of one stretch of posts, as words, columns and stored texts.

The hot slice takes new rows; a sealed one never gets any, only its columns change. A row's place
in the whole index is its ordinal: `first` of its slice plus its row there.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.index import words
from fairwitness.index.columns import GONE, WIPED, WITH_ACCOUNT, Columns, Row
from fairwitness.index.errors import IndexCorrupt, room_on_disk
from fairwitness.index.growing import GrowingFile
from fairwitness.index.manifest import SliceExtent
from fairwitness.index.reports import REPORT_BYTES, Reports
from fairwitness.index.words import Words
from fairwitness.posts.post import FOREVER_MS, Post

_ORDER = "ids.npy"
"""Rows in the order of their id's hash."""
EMPTY = SliceExtent(0, 0, 0)

_posts = msgspec.msgpack.Decoder(Post)
_encode = msgspec.msgpack.Encoder().encode


class Record(NamedTuple):
    """What of a row is stored in the texts."""

    id: bytes
    post: bytes


def record_of(post: Post) -> Record:
    """Write a post as it is stored; the id stands apart so that it outlives the post."""
    return Record(post.id.encode(), _encode(post))


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

        `index_rows` is how many ordinals there are in all slices together.
        """
        self.folder = folder
        self.first = first
        self.rows = extent.rows
        self.searchable_rows = extent.rows
        self._rows_max = rows_max
        if not read_only:
            with room_on_disk(folder):
                folder.mkdir(parents=True, exist_ok=True)
        self._newest: dict[int, int] = {}
        self._order: NDArray[np.int32] | None = None
        self._to_wipe: list[int] = []
        self.visible = 0
        """How many rows are some post's present version."""
        self.latest_ms = 0
        """As of this moment or later, the past is the present."""
        with ExitStack() as files:
            self._open_files(files, extent, read_only=read_only)
            self._check(extent)
            if not read_only:
                self._discard_after(extent, index_rows)
            self._tally()
            if sealed:
                self._order = self._load_order()
            else:
                self._learn_ids(0)
            self._files = files.pop_all()

    @property
    def full(self) -> bool:
        """Whether no row is left."""
        return self.rows == self._rows_max

    @property
    def extent(self) -> SliceExtent:
        """How far the files are in use."""
        return SliceExtent(self.rows, self.texts.size_bytes, self.reports.size_bytes)

    def append(self, row: Row, record: Record, post: Post) -> int:
        """Add a version and return its ordinal; raise IndexDiskFull with nothing changed."""
        at = self.rows
        self.columns.put(at, row)
        self.texts.append(record.id)
        self.texts.append(record.post)
        self._newest[row.id_hash] = at
        self.words.add(at, post)
        self.rows = at + 1
        self.visible += 1
        self.latest_ms = max(self.latest_ms, row.since_ms)
        return self.first + at

    def supersede(self, row: int, by: int, from_ms: int) -> None:
        """Say that from `from_ms` on the version with ordinal `by` holds, no longer this one."""
        self.columns.until_ms[row] = from_ms
        self.columns.next[row] = by
        self.visible -= 1
        self.latest_ms = max(self.latest_ms, from_ms)

    def newest(self, id_hash: int) -> int:
        """Return the ordinal of the last row with this hash, -1 when there is none."""
        newest = self._newest  # first: sealing sets the order before it empties this
        if self._order is None:
            row = newest.get(id_hash, -1)
            return self.first + row if row >= 0 else -1
        return self.newest_of(np.array([id_hash], np.uint64)).item()

    def newest_of(self, id_hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return `newest` of each hash."""
        if self._order is None:
            return np.array([self.newest(h) for h in id_hashes.tolist()], np.int64)
        keys = self.columns.id_hash[: self.rows]
        # Equal hashes stand in row order, so the one before the right edge is the newest.
        at = np.searchsorted(keys, id_hashes, side="right", sorter=self._order) - 1
        rows = self._order[np.maximum(at, 0)].astype(np.int64)
        return np.where((at >= 0) & (keys[rows] == id_hashes), self.first + rows, -1)

    def rows_of_author(self, author_hash: int) -> NDArray[np.intp]:
        """Return the rows of an account that are not gone: one pass over a column, ~1 ms a million.

        Accounts vanish rarely, so a structure to find their posts would cost more than it saves.
        """
        columns, n = self.columns, self.rows
        rows = np.flatnonzero(columns.author_hash[:n] == np.uint64(author_hash))
        alive: NDArray[np.intp] = rows[columns.flags[rows] & GONE == 0]
        return alive

    def id_at(self, row: int) -> bytes:
        """Return the id of a row's post; it stays when the post is gone."""
        columns = self.columns
        return self.texts.read(int(columns.offset[row]), int(columns.id_bytes[row]))

    def post_at(self, row: int) -> Post | None:
        """Return the post of a row as first stored, or None when it is gone."""
        columns = self.columns
        offset = int(columns.offset[row]) + int(columns.id_bytes[row])
        stored = self.texts.read(offset, int(columns.post_bytes[row]))
        # Looked at after reading: the flag is set before the bytes are overwritten.
        if columns.flags[row] & GONE:
            return None
        try:
            return _posts.decode(stored)
        except msgspec.DecodeError as error:
            raise IndexCorrupt(self.texts.path, f"no post at byte {offset}: {error}") from error

    def bury(self, row: int, *, account_gone_ms: int | None = None) -> None:
        """Make a row invisible for every moment, at once; `purge` destroys its text.

        `account_gone_ms`: it only goes because its account went then.
        """
        flags = self.columns.flags
        if flags[row] & GONE:
            if account_gone_ms is None:
                flags[row] &= ~np.uint32(WITH_ACCOUNT)
            return
        if account_gone_ms is not None:
            self.columns.made_ms[row] = account_gone_ms
            flags[row] |= WITH_ACCOUNT
        flags[row] |= GONE
        self.visible -= int(self.columns.next[row] < 0)
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
        """Overwrite the texts of buried rows, drop their words, and make all of it durable.

        What was added must have been committed.
        """
        rows, self._to_wipe = self._to_wipe, []
        try:
            self._wipe(rows)
            self.texts.sync()
            self.reports.sync()
        except BaseException:
            self._to_wipe = rows + self._to_wipe
            raise
        for row in rows:
            self.columns.flags[row] |= WIPED
        self.columns.sync()

    def seal(self) -> None:
        """Take no more rows: what finds ids moves from a dict to a sorted array on disk."""
        self.commit()
        order = np.argsort(self.columns.id_hash[: self.rows], kind="stable").astype(np.int32)
        path = self.folder / _ORDER
        with room_on_disk(path), path.open("wb") as file:
            np.save(file, order)
            file.flush()
            os.fsync(file.fileno())
        self._order = self._load_order()
        self._newest = {}
        self.words.finish()

    def grow_to(self, extent: SliceExtent) -> None:
        """For a reader: see what the writing process has committed."""
        self.texts.grow_to(extent.texts_bytes)
        self.reports.grow_to(extent.reports_bytes)
        self.words.reload()
        before, self.rows = self.rows, extent.rows
        self._learn_ids(before)
        self._tally()
        self.searchable_rows = self.rows

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()

    def _open_files(self, files: ExitStack, extent: SliceExtent, *, read_only: bool) -> None:
        folder, opened = self.folder, files.enter_context
        columns = Columns(folder / "columns", self._rows_max, extent.rows, read_only=read_only)
        self.columns = opened(closing(columns))
        texts = GrowingFile(folder / "texts", extent.texts_bytes, read_only=read_only)
        self.texts = opened(closing(texts))
        reports = GrowingFile(folder / "reports", extent.reports_bytes, read_only=read_only)
        self.reports = Reports(opened(closing(reports)), columns)
        self.words = opened(closing(Words(folder / "words", read_only=read_only)))

    def _wipe(self, rows: Sequence[int]) -> None:
        columns = self.columns
        for row in rows:
            offset = int(columns.offset[row]) + int(columns.id_bytes[row])
            self.texts.wipe(offset, int(columns.post_bytes[row]))
        if rows:
            self.words.drop(words.rows_among(rows))
            self.commit()
        if self._order is not None:
            self.words.finish()

    def _add_words_again(self) -> None:
        self.words.start_again()
        for row in range(self.searchable_rows, self.rows):
            post = self.post_at(row)
            if post is not None:
                self.words.add(row, post)

    def _load_order(self) -> NDArray[np.int32]:
        path = self.folder / _ORDER
        try:
            order: NDArray[np.int32] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise IndexCorrupt(path, f"cannot be read ({error})") from error
        if order.shape != (self.rows,) or order.dtype != np.int32:
            raise IndexCorrupt(path, f"{order.shape} {order.dtype} where {self.rows} rows are")
        return order

    def _tally(self) -> None:
        columns, n = self.columns, self.rows
        current = (columns.next[:n] < 0) & (columns.flags[:n] & GONE == 0)
        self.visible = int(np.count_nonzero(current))
        ends_ms = columns.until_ms[:n][columns.next[:n] >= 0]
        self.latest_ms = int(max(columns.since_ms[:n].max(initial=0), ends_ms.max(initial=0)))

    def _learn_ids(self, start: int) -> None:
        hashes = self.columns.id_hash[start : self.rows].tolist()
        self._newest.update(zip(hashes, range(start, self.rows), strict=True))

    def _check(self, extent: SliceExtent) -> None:
        columns, n = self.columns, extent.rows
        ends = columns.offset[:n] + columns.id_bytes[:n] + columns.post_bytes[:n]
        if n and (ends.max() > extent.texts_bytes or columns.offset[:n].min() < 0):
            raise IndexCorrupt(columns.path, "a row points outside the texts")
        if extent.reports_bytes % REPORT_BYTES:
            raise IndexCorrupt(self.folder / "reports", "ends within a report")

    def _discard_after(self, extent: SliceExtent, index_rows: int) -> None:
        columns = self.columns
        discarded = np.flatnonzero(columns.next[: extent.rows] >= index_rows)
        columns.next[discarded] = -1
        columns.until_ms[discarded] = FOREVER_MS
        if not self.full:
            self.words.drop(words.rows_between(extent.rows, FOREVER_MS))
            self.words.commit()
        self.reports.mend(extent.rows)
        flags = columns.flags[: extent.rows]
        self._to_wipe = np.flatnonzero((flags & GONE != 0) & (flags & WIPED == 0)).tolist()
