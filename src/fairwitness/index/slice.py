"""A slice: the index of one stretch of posts, as words, columns and stored texts.

The hot slice takes new rows; a sealed one never gets any, only its marks change. A row's place in
the whole index is its ordinal: `first` of its slice plus its row there.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index import beside, changes, ids, rest
from fairwitness.index.beside import at_once
from fairwitness.index.columns import GONE, Columns
from fairwitness.index.errors import IndexCorrupt, IndexDiskFull, room_on_disk
from fairwitness.index.frozen import Frozen, freeze
from fairwitness.index.history import History, Rows
from fairwitness.index.ids import Hashes, SealedIds, id_hash
from fairwitness.index.lasting import Masks
from fairwitness.index.manifest import SliceExtent
from fairwitness.index.slice_codes import SliceCodes
from fairwitness.index.texts import Texts
from fairwitness.index.whole import sync_folder
from fairwitness.index.words import Words
from fairwitness.kernels.fields import Fields
from fairwitness.kernels.words import Words as Told
from fairwitness.posts.post import Post

EMPTY = SliceExtent(0, 0, 0, 0, 0)
_GROWN, _FROZEN = "columns", "frozen"
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
        self._has_grown = True
        self._check = extent.check
        self._grown, self._looked_s = extent, time.monotonic()
        self.masks = Masks(read_only=read_only)
        with ExitStack() as files:
            if not read_only:
                rest.take(folder)
            if not sealed and not read_only:
                self._forget_sealing()
            self._open_files(files, extent, centres)
            if not read_only:
                self._verify(extent)
                self.history.discard_after(self.rows, index_rows)
            self.history.tally(self.rows)
            if sealed:
                self._become_sealed()
            elif not read_only:
                self.codes.unseal(self.rows)
            if self._sealed is None:
                self._learn_ids(0)
            self._files = files.pop_all()

    @property
    def room(self) -> int:
        """How many rows are left."""
        return self._rows_max - self.rows

    @property
    def is_frozen(self) -> bool:
        """Whether its columns can change no more."""
        return isinstance(self.columns, Frozen)

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
        columns = self._growing()
        columns.reserve(at, len(posts))
        self.codes.add(at, rows.code)
        self.history.add(at, rows.flags, int(rows.since_ms.max(initial=0)))
        for name, values in zip(NewRows._fields[:-2], rows[:-2], strict=True):
            getattr(columns, name)[at:end] = values
        self.texts.add(posts, fields)
        self._newest.update(zip(rows.id_hash.tolist(), range(at, end), strict=True))
        self.words.add(posts, told, fields.asides)
        self.rows = end
        return self.first + at

    def newest(self, hash_of_id: int) -> int:
        """Return the ordinal of the last row with this hash, -1 when there is none."""
        newest = self._newest  # first: sealing sets the order before it empties this
        if self._sealed is None and not self._read_only:
            row = newest.get(hash_of_id, -1)
            return self.first + row if row >= 0 else -1
        return self.newest_of(np.array([hash_of_id], np.uint64)).item()

    def newest_of(self, id_hashes: Hashes) -> Rows:
        """Return `newest` of each hash."""
        newest, columns = self._newest, self.columns  # first, as above
        if self._sealed is not None:
            rows = self._sealed.newest(id_hashes)
        elif self._read_only and isinstance(columns, Columns):
            known = columns.id_hash[: self.rows]
            found = [np.flatnonzero(known == each)[-1:] for each in id_hashes]
            rows = np.array([each.max(initial=-1) for each in found], np.int64)
        else:
            found_rows = map(newest.get, id_hashes.tolist(), repeat(-1))
            rows = np.fromiter(found_rows, np.int64, len(id_hashes))
        return np.where(rows >= 0, rows + self.first, -1)

    def text_hash(self, row: int) -> int:
        """Return the hash by which a post's versions are told apart."""
        columns = self.columns
        if isinstance(columns, Columns):
            return int(columns.text_hash[row])
        return changes.text_hash(self.texts.post_at(row))

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
        at_once([history.sync, self.words.sync, self.codes.sync, self._sync_columns])
        history.unsynced = False

    def seal(self) -> None:
        """Take no more rows; what sealed slices have is made in the background."""
        self.commit()
        self._sealing = beside.thread(self._become_sealed, "sealing")

    def reserve(self, rows: int, said: NDArray[np.int64]) -> None:
        """Make sure that rows can be added and what they `said` counted; raise IndexDiskFull."""
        self._growing().reserve(self.rows, rows)
        self.codes.reserve(self.rows, rows)
        self.history.reserve(self.rows, rows, said)

    def drop_grown(self) -> None:
        """Remove the columns of growing, which nobody needs once a checkpoint says it is sealed."""
        if self._has_grown and not isinstance(self.columns, Columns):
            (self.folder / _GROWN).unlink(missing_ok=True)
            self._has_grown = False

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
        self.rows = extent.rows
        if not self.room:
            self._become_sealed()
        self.history.tally(self.rows)
        self.searchable_rows = self.rows

    def close(self) -> None:
        """Let go of the files."""
        if self._sealing is not None:
            self._sealing.join()
        if not self._read_only and not self.history.unsynced:
            rest.leave(self.folder, {**self.history.in_use(), **self.codes.in_use(self.rows)})
        self._files.close()

    def _open_files(
        self, files: ExitStack, extent: SliceExtent, centres: NDArray[np.uint8] | None
    ) -> None:
        folder, opened, read_only = self.folder, files.enter_context, self._read_only
        rows_max = self._rows_max
        self.columns = self._open_columns(extent.rows)
        files.callback(self._close_columns)
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

    def _open_columns(self, rows: int) -> Columns | Frozen:
        for is_frozen in (True, False, True):  # a reader, while the writer freezes them
            with suppress(FileNotFoundError):
                if is_frozen:
                    return Frozen(self.folder / _FROZEN, rows)
                return Columns(self.folder / _GROWN, self._rows_max, read_only=self._read_only)
        raise IndexCorrupt(self.folder / _FROZEN, "there are no columns")

    def _close_columns(self) -> None:
        if isinstance(self.columns, Columns):
            self.columns.close()

    def _sync_columns(self) -> None:
        columns = self.columns
        if isinstance(columns, Columns):
            columns.sync()
            self._check = columns.hash_of(self.rows)

    def _growing(self) -> Columns:
        assert isinstance(self.columns, Columns), "a sealed slice takes no rows"
        return self.columns

    def _verify(self, extent: SliceExtent) -> None:
        if isinstance(self.columns, Frozen):
            self.columns.verify()
        elif self.columns.hash_of(self.rows) != extent.check:
            raise IndexCorrupt(self.columns.path, "not what was written")

    def _forget_sealing(self) -> None:
        """Take rows again: the slice was sealed after the checkpoint that it is opened at."""
        ids.forget(self.folder)
        (self.folder / _FROZEN).unlink(missing_ok=True)

    def _become_sealed(self) -> None:
        """Make what sealed slices have, or take up what of it the writer has made."""
        if self._sealed is None:
            self._sealed = self._sorted_ids()
        self.codes.seal(self.rows, lambda: self.history.gone_rows(self.rows))
        if self._sealed is not None and isinstance(self.columns, Columns):
            self._newest = {}
            self._freeze(self.columns)

    def _sorted_ids(self) -> SealedIds | None:
        """Return the ids; None where there is no room for them, or no writer has made them yet."""
        if not ids.has_sorted(self.folder):
            if self._read_only:
                return None
            if not isinstance(self.columns, Columns):
                raise IndexCorrupt(self.folder / "ids", "is not there")
            try:
                ids.sort(self.folder, self.columns.id_hash[: self.rows])
            except IndexDiskFull:
                return None  # the dict goes on, and the next opening tries again
        found = SealedIds(self.folder, self.rows, self._id_hash)
        if not self._read_only:
            found.verify()
        return found

    def _freeze(self, grown: Columns) -> None:
        path = self.folder / _FROZEN
        if not self._read_only:
            try:
                freeze(path, grown, self.rows, self.first)
                sync_folder(self.folder)
            except IndexDiskFull:
                return
        elif not path.exists():
            return
        self.columns = self.history.columns = Frozen(path, self.rows)
        grown.close()  # whoever looks at its arrays has them in hand

    def _id_hash(self, row: int) -> int:
        columns = self.columns
        if isinstance(columns, Columns):
            return int(columns.id_hash[row])
        return id_hash(self.texts.post_at(row).id)

    def _wipe(self, rows: Sequence[int]) -> None:
        if rows:
            self.texts.forget(rows)
            self.codes.forget(rows)
            self.words.drop(len(rows))

    def _learn_ids(self, start: int) -> None:
        """Learn where ids are; a reader, who is asked seldom, looks at all of them when it is."""
        if not self._read_only:
            hashes = self._growing().id_hash[start : self.rows].tolist()
            self._newest.update(zip(hashes, range(start, self.rows), strict=True))
