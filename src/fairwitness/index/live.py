"""The door of the index: events go in, posts are found.

Three moments matter for an event. Applied: columns know it (a deletion shows at once). Refreshed:
its words are searchable. Checkpointed: it survives a power cut, and recovery reads the log from
after it. What a crash takes away is discarded in whole at the next opening, and comes again from
the log.
"""

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fairwitness.index import manifest as manifests
from fairwitness.index.apply import Applier
from fairwitness.index.ask import rarest_of
from fairwitness.index.beside import at_once
from fairwitness.index.errors import IndexCorrupt, IndexFault, IndexMissing, room_on_disk
from fairwitness.index.folder import discard_slices_after, lock, size_bytes, slice_folder
from fairwitness.index.ids import id_hash
from fairwitness.index.manifest import FORMAT, Manifest
from fairwitness.index.names import Names
from fairwitness.index.notice import noticed_in
from fairwitness.index.query import Applied, IndexStats, Query, Results
from fairwitness.index.search import Search, as_of, statistics, take_view
from fairwitness.index.slice import EMPTY, Slice
from fairwitness.index.table import Table
from fairwitness.kernels.postings import RunDamaged
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.post import Event, Post

SLICE_ROWS = 1_000_000
_SEARCHED_S = 60.0
"""Longer than any search takes."""


class LiveIndex:
    """Every post, findable. Made by `open`; any thread may search while one or more write."""

    position: int
    """Log position up to which events are durably in the index: recovery replays from here."""

    def __init__(self, folder: Path, state: Manifest, lock_fd: int | None) -> None:
        """Use `open`."""
        self._folder = folder
        self._lock_fd = lock_fd
        self._writing = threading.RLock()
        self.position = state.position
        self._applied_position = state.position
        self._writer = state.writer if lock_fd is None else time.time_ns()
        self._followed = state
        """What a reader took up last."""
        self._retired: list[tuple[float, Slice]] = []
        """Slices that are no more, since when: somebody may be searching them yet."""
        self._owed: list[tuple[Sequence[Event], int]] = []
        table = Table([], state.slice_rows, Names(state.networks), Names(state.langs))
        self._table = table
        try:
            self._open_slices(state)
            self._applier = None if lock_fd is None else Applier(folder, table, self._roll)
        except BaseException:
            self._close_slices()
            raise
        self._view = take_view(table)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        read_only: bool = False,
        at_checkpoint: bool = False,
        slice_rows: int = SLICE_ROWS,
    ) -> "LiveIndex":
        """Open the index in `folder` as of its last checkpoint, or begin one.

        A reader sees the writer's last refresh, and a later one after its own `refresh`; with
        `at_checkpoint` first only what a killed writer that comes back leaves as it is.
        `slice_rows` is when a slice is sealed; it is fixed when the index is begun.
        Raises IndexMissing (reading where none is), IndexBusy (another process writes),
        IndexCorrupt (delete the folder, it is rebuilt from the log) or IndexDiskFull.
        """
        if read_only:
            state = manifests.read(folder) if at_checkpoint else manifests.read_live(folder)
            if state is None:
                raise IndexMissing(f"no index in {folder}")
            return cls(folder, state, None)
        with room_on_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock_fd = lock(folder)
        try:
            state = manifests.read(folder)
            if state is not None:
                manifests.raise_damage(folder, state.writer)
            else:
                state = Manifest(FORMAT, 0, 0, slice_rows, 0, (EMPTY,), (), ())
            discard_slices_after(folder, state)
            index = cls(folder, state, lock_fd)
            index.checkpoint()
        except BaseException:
            os.close(lock_fd)
            raise
        return index

    def novel(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events that change something, for the log to hold no others.

        Dropped: what is known, also from earlier in `events`; and anything about a post that was
        deleted, also if that was heard before the post. What went with its account is new again
        when it is said again. A Posted whose
        text differs from what we have becomes an Edited; one with new engagement stays a Posted.
        """
        with self._writing:
            return self._must_write().novel(events)

    def apply(self, events: Sequence[Event], position: int) -> Applied:
        """Take in `events`, which end at log `position`; words show at the next refresh.

        Events that are in already change nothing; those up to `position` are not even looked at: a
        kill could take half of what an account's end and return do again. After IndexDiskFull the
        index still owes these events and works them off at its next call; `position` cannot pass
        them.
        """
        self._must_write()
        with self._writing:
            if position > self.position:
                owed = events if isinstance(events, Encoded) else tuple(events)
                self._owed.append((owed, position))
            return self._work_off()

    def refresh(self) -> None:
        """Make what was applied searchable. A reader takes up the writer's last refresh.

        Raises IndexDiskFull; searching goes on as before and a later refresh makes up for it.
        """
        with self._writing, self._noting_damage():
            self._let_go()
            if self._lock_fd is None:
                self._follow()
            else:
                self._work_off()
                self._table.hot.commit()
                self._view = take_view(self._table)
                manifests.publish(self._folder, self._state())
                self._must_write().noticing.draw()

    def checkpoint(self) -> None:
        """Make all that was applied durable, destroy the texts of what is gone, move `position`.

        Raises IndexDiskFull, or IndexCorrupt when somebody has come upon damage.
        """
        self._must_write()
        with self._writing, self._noting_damage():
            self.raise_damage()
            self.refresh()
            at_once(part.purge for part in self._table.slices)
            self._view = take_view(self._table)
            state = self._state()
            manifests.write(self._folder, state)
            self.position = state.position
            self._must_write().noticing.save()
            for part in self._table.slices[:-1]:
                part.drop_grown()
            for _, part in self._retired:
                shutil.rmtree(part.folder, ignore_errors=True)

    def raise_damage(self) -> None:
        """Raise IndexCorrupt when anybody has come upon damage: it has to be made anew."""
        manifests.raise_damage(self._folder, self._writer)

    def drop_before(self, moment_ms: int) -> int:
        """Forget sealed slices in which nothing happened since a moment; return how many posts.

        Their files are removed at the next checkpoint. What was in them is unknown: if a source
        says it again it is new.
        """
        self._must_write()
        with self._writing:
            slices, dropped = self._table.slices, 0
            while len(slices) > 1 and slices[0].history.latest_ms < moment_ms:
                dropped += slices[0].history.visible
                self._retired.append((time.monotonic(), slices.pop(0)))
            self._view = take_view(self._table)
            return dropped

    def search(self, query: Query, *, as_of_ms: int | None = None, limit: int = 50) -> Results:
        """Find posts, best first, as they were at a moment, None for now.

        A deletion holds for every moment. Never blocks on the writer and never raises for what
        is asked; raises IndexCorrupt when a file turns out to be damaged.
        """
        with self._noting_damage():
            return Search(self._table, self._view, query, as_of_ms, limit).results()

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return in how many posts each of `words` occurs, at most; 0 for what is no word.

        Of a word that is several tokens (`津波警報`) it is the count of the rarest pair or token.
        """
        with self._noting_damage():
            now = statistics(self._view)
            return [rarest_of(word, now) for word in words]

    def newest_seen_ms(self, *, as_of_ms: int | None = None) -> int:
        """Return when the newest post that shows at a moment was seen; 0 when there is none."""
        newest_ms = 0
        for part in reversed(list(self._table.slices)):
            if part.history.latest_ms > newest_ms:
                shown = part.history.shown(part.rows, self._table.rows, as_of_ms)
                seen_ms = part.columns.since_ms[: len(shown)][shown]
                newest_ms = max(newest_ms, int(seen_ms.max(initial=0)))
        return newest_ms

    def get(self, post_id: str, *, as_of_ms: int | None = None) -> Post | None:
        """Return a post as it was at a moment, None when it is gone, not yet seen or unknown.

        Unlike `search` it knows what was applied but not refreshed.
        """
        table = self._table
        with self._noting_damage():
            newest = table.newest(id_hash(post_id))
            for ordinal in table.versions(post_id, newest):
                part, row = table.locate(ordinal)
                if part.history.shows(np.array([row]), table.rows, as_of_ms)[0]:
                    post = part.post_at(row)
                    return None if post is None else as_of(post, part, row, as_of_ms)
        return None

    @property
    def versions(self) -> int:
        """How many rows there are: every version of every post, deleted ones too."""
        return self._table.rows

    def stats(self) -> IndexStats:
        """Count what is applied; a pass over some columns, about 10 ms a million rows."""
        table, networks, noticed = self._table, Counter[str](), Counter[str]()
        names = table.networks.all()
        newest_ms, oldest_ms = [], []
        for part in list(table.slices):
            rows = slice(0, part.rows)
            columns = part.columns
            shown = part.history.shown(part.rows, table.rows, None)
            counts = np.bincount(columns.network[rows][shown], minlength=len(names))
            networks.update(dict(zip(names, counts.tolist(), strict=False)))
            noticed.update(noticed_in(part, np.flatnonzero(shown)))
            if part.rows:
                newest_ms.append(int(columns.since_ms[rows].max()))
                oldest_ms.append(int(columns.since_ms[rows].min()))
        return IndexStats(
            posts=networks.total(),
            versions=table.rows,
            slices=len(table.slices),
            newest_seen_ms=max(newest_ms, default=0),
            oldest_seen_ms=min(oldest_ms, default=0),
            size_bytes=size_bytes(self._folder),
            networks={name: count for name, count in networks.items() if count},
            copies=noticed["copies"],
            author_floods=noticed["author_floods"],
            copy_floods=noticed["copy_floods"],
            low_quality=noticed["low_quality"],
        )

    def close(self) -> None:
        """Let go of the index, as of the last checkpoint; what came after is in the log."""
        with self._writing:
            if self._applier is not None:
                if self.position == self._applied_position:
                    self._applier.noticing.save(at_end=True)
                self._applier.noticing.close()
                self._applier = None  # 300 MB that would wait for the garbage to be collected
            self._close_slices()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
                self._lock_fd = None

    def _state(self) -> Manifest:
        table = self._table
        return Manifest(
            format=FORMAT,
            writer=self._writer,
            position=self._applied_position,
            slice_rows=table.slice_rows,
            first_slice=table.slices[0].first // table.slice_rows,
            slices=tuple(part.extent for part in table.slices),
            networks=table.networks.all(),
            langs=table.langs.all(),
        )

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        """Write down what is damaged, for the writer to make the index anew from the log."""
        try:
            yield
        except RunDamaged as error:
            damage = IndexCorrupt(self._folder / "slices", f"words are damaged ({error})")
            manifests.note_damage(self._folder, self._writer, damage)
            raise damage from error
        except IndexCorrupt as error:
            manifests.note_damage(self._folder, self._writer, error)
            raise

    def _let_go(self) -> None:
        """Close what nobody can be searching any more."""
        long_ago_s = time.monotonic() - _SEARCHED_S
        while self._retired and self._retired[0][0] < long_ago_s:
            self._retired.pop(0)[1].close()

    def _work_off(self) -> Applied:
        """Apply what is owed and return what the last batch did."""
        applied = Applied()
        while self._owed:
            events, position = self._owed[0]
            applied = self._must_write().apply(events)
            self._applied_position = max(self._applied_position, position)
            del self._owed[0]
        return applied

    def _must_write(self) -> Applier:
        if self._applier is None:
            raise IndexFault(f"index {self._folder} is open for reading only")
        return self._applier

    def _open_slices(self, state: Manifest) -> None:
        table = self._table
        sealed = len(state.slices) - 1
        total = (state.first_slice + sealed) * state.slice_rows + state.slices[-1].rows
        for number in range(len(table.slices), len(state.slices)):
            first = (state.first_slice + number) * state.slice_rows
            part = Slice(
                slice_folder(self._folder, first),
                first,
                state.slice_rows,
                state.slices[number],
                index_rows=total,
                sealed=number < sealed,
                read_only=self._lock_fd is None,
            )
            table.slices.append(part)

    def _close_slices(self) -> None:
        for part in (*self._table.slices, *(part for _, part in self._retired)):
            part.close()

    def _follow(self) -> None:
        state = manifests.read_live(self._folder)
        if state is None:
            raise IndexMissing(f"no index in {self._folder} any more")
        if state == self._followed:
            return
        table = self._table
        first = state.first_slice * state.slice_rows
        while table.slices and (state.writer != self._writer or table.slices[0].first < first):
            self._retired.append((time.monotonic(), table.slices.pop(0)))
        for part, extent in zip(table.slices, state.slices, strict=False):
            part.grow_to(extent)
        table.networks, table.langs = Names(state.networks), Names(state.langs)
        self._writer = state.writer
        self._open_slices(state)
        self.position = state.position
        self._followed = state
        self._view = take_view(table)

    def _roll(self) -> None:
        table = self._table
        centres = table.hot.codes.learned(table.hot.rows)
        table.hot.seal()
        first = table.rows
        folder = slice_folder(self._folder, first)
        table.slices.append(
            Slice(
                folder,
                first,
                table.slice_rows,
                EMPTY,
                index_rows=first,
                sealed=False,
                read_only=False,
                centres=centres,
            )
        )
