"""A slice: the index of one stretch of posts, as words, columns and stored texts.

The hot slice takes new rows; a sealed one never gets any, only its marks change. A row's place in
the whole index is its ordinal: `first` of its slice plus its row there.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.columns import GONE, Columns
from fairwitness.index.errors import IndexCorrupt, IndexFault, room_on_disk
from fairwitness.index.history import History, Rows
from fairwitness.index.ids import Hashes, SealedIds
from fairwitness.index.manifest import SliceExtent
from fairwitness.index.slice_codes import SliceCodes
from fairwitness.index.texts import Texts
from fairwitness.index.words import Words
from fairwitness.kernels.fields import Fields
from fairwitness.kernels.words import Words as Told
from fairwitness.posts.post import Post

EMPTY = SliceExtent(0, 0, 0, 0, 0)
_LOOK_S = 10.0
"""How old a reader's count of what shows of a sealed slice may be."""


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
    code: NDArray[np.uint8]
    """Shape (rows, CODE_BYTES)."""


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
        centres: NDArray[np.uint8] | None = None,
    ) -> None:
        """Open the slice as it was at `extent`, discarding what came after; or begin it.

        `index_rows` is the first ordinal that no slice has. `centres` is what the posts of a slice
        that begins will probably be about: `SliceCodes.learned` of the one before.
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
        self._check = extent.check
        self._grown, self._looked_s = extent, time.monotonic()
        with ExitStack() as files:
            self._open_files(files, extent, centres)
            if not read_only:
                if self.columns.hash_of(self.rows) != extent.check:
                    raise IndexCorrupt(self.columns.path, "not what was written")
                self.history.discard_after(self.rows, index_rows)
            self.history.tally(self.rows)
            if not sealed and not read_only:
                SealedIds.forget(folder)
                self.codes.unseal(self.rows)
            if sealed:
                self._sealed = self._sort_ids()
                self.codes.seal(self.rows, self.history.gone_rows(self.rows))
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
        texts, reports = self.texts, self.history.reports
        return SliceExtent(
            self.rows, texts.blocks, texts.size_bytes, reports.size_bytes, self._check
        )

    def extend(self, rows: NewRows, posts: Sequence[Post], fields: Fields, told: Told) -> int:
        """Add versions and return the ordinal of the first.

        There must be room for them. Raises IndexDiskFull with nothing changed.
        """
        at, end = self.rows, self.rows + len(posts)
        self.columns.reserve(at, len(posts))
        self.codes.add(at, rows.code)
        self.history.add(at, rows.flags, int(rows.since_ms.max(initial=0)))
        for name, values in zip(NewRows._fields[:-2], rows[:-2], strict=True):
            getattr(self.columns, name)[at:end] = values
        self.texts.add(posts, fields)
        self._newest.update(zip(rows.id_hash.tolist(), range(at, end), strict=True))
        self.words.add(posts, told)
        self.rows = end
        return self.first + at

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
            newest = map(self._newest.get, id_hashes.tolist(), repeat(-1))
            rows = np.fromiter(newest, np.int64, len(id_hashes))
        else:
            rows = self._sealed.newest(id_hashes)
        return np.where(rows >= 0, rows + self.first, -1)

    def rows_of(self, author: int) -> NDArray[np.intp]:
        """Return the rows that are not gone with this author hash, ~1 ms a million.

        Accounts vanish rarely, so a structure to find their posts would cost more than it saves.
        """
        rows = np.flatnonzero(self.columns.author[: self.rows] == np.uint32(author))
        alive: NDArray[np.intp] = rows[self.history.marks.flags[rows] & GONE == 0]
        return alive

    def post_at(self, row: int) -> Post | None:
        """Return the post of a row as first stored, or None when it is gone."""
        if self.history.is_gone(row):
            return None
        post = self.texts.post_at(row)
        # Looked at after reading, too: the flag is set before the text is destroyed.
        return None if self.history.is_gone(row) else post

    def flush(self) -> None:
        """Hand what was stored to the operating system; raise IndexDiskFull and lose nothing."""
        self.texts.flush()
        self.history.reports.flush()

    def commit(self) -> None:
        """Make the rows that were added searchable."""
        self.flush()
        self.words.commit()
        self.searchable_rows = self.rows

    def purge(self) -> None:
        """Destroy the texts of buried rows, and make all of it durable.

        What was added must have been committed.
        """
        if self._sealing is not None or self._sealed is not None:
            self.words.tidy()
        history = self.history
        if not history.unsynced:
            return
        rows, history.to_wipe = history.to_wipe, []
        try:
            self._wipe(rows)
            self.texts.sync()
        except BaseException:
            history.to_wipe = rows + history.to_wipe
            raise
        history.wiped(rows)
        history.sync()
        self.words.sync()
        self.codes.sync()
        self.columns.sync()
        self._check = self.columns.hash_of(self.rows)
        history.unsynced = False

    def seal(self) -> None:
        """Take no more rows; what sealed slices have is made in the background."""
        self.commit()
        self._sealing = threading.Thread(target=self._become_sealed, name="sealing")
        self._sealing.start()

    def grow_to(self, extent: SliceExtent) -> None:
        """For a reader: see what the writing process has committed.

        A sealed slice is looked at seldom: there may be many, and readers refresh often.
        """
        if extent == self._grown and self._sealed is not None and self.codes.are_sorted:
            if len(self.words.runs) > 1:
                self.words.grow_to(extent.rows)
            if time.monotonic() < self._looked_s + _LOOK_S:
                return
        self._grown, self._looked_s = extent, time.monotonic()
        self.texts.grow_to(extent.rows, extent.blocks, extent.texts_bytes)
        self.history.reports.grow_to(extent.reports_bytes)
        self.words.grow_to(extent.rows)
        before, self.rows = self.rows, extent.rows
        self._learn_ids(before)
        if not self.room and self._sealed is None:
            self._become_sealed()
        elif not self.room:
            self.codes.seal(self.rows, self.history.gone_rows(self.rows))
        self.history.tally(self.rows)
        self.searchable_rows = self.rows

    def close(self) -> None:
        """Let go of the files."""
        if self._sealing is not None:
            self._sealing.join()
        self._files.close()

    def _open_files(
        self, files: ExitStack, extent: SliceExtent, centres: NDArray[np.uint8] | None
    ) -> None:
        folder, opened, read_only = self.folder, files.enter_context, self._read_only
        rows_max = self._rows_max
        self.columns = opened(closing(Columns(folder / "columns", rows_max, read_only=read_only)))
        self.texts = opened(
            closing(
                Texts(folder, extent.rows, extent.blocks, extent.texts_bytes, read_only=read_only)
            )
        )
        codes = SliceCodes(folder, rows_max, read_only=read_only, centres=centres)
        self.codes = opened(closing(codes))
        history = History(
            folder, rows_max, extent.reports_bytes, self.columns, self.texts, read_only=read_only
        )
        self.history = opened(closing(history))
        self.words = opened(
            closing(Words(folder / "words", extent.rows, self._gone, read_only=read_only))
        )

    def _gone(self, first: int, end: int) -> NDArray[np.bool_]:
        gone: NDArray[np.bool_] = self.history.marks.flags[first:end] & GONE != 0
        return gone

    def _become_sealed(self) -> None:
        try:
            self._sealed = self._sort_ids()
        except IndexFault:
            return  # no room: the dict goes on, and the next opening tries again
        self._newest = {}
        self.codes.seal(self.rows, self.history.gone_rows(self.rows))

    def _sort_ids(self) -> SealedIds:
        hashes = self.columns.id_hash[: self.rows]
        return SealedIds(self.folder, hashes, read_only=self._read_only)

    def _wipe(self, rows: Sequence[int]) -> None:
        if rows:
            self.texts.forget(rows)
            self.codes.forget(rows)
            self.words.drop(len(rows))

    def _learn_ids(self, start: int) -> None:
        hashes = self.columns.id_hash[start : self.rows].tolist()
        self._newest.update(zip(hashes, range(start, self.rows), strict=True))
