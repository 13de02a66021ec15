"""The words of one slice: runs of postings, each of a stretch of its rows.

A commit writes the rows since the last one as a run; runs of like size are merged in the
background, all of a sealed slice into one. A run's name says its rows, and a longer run stands for
the shorter ones inside it, so the folder's list of names is all that a reader has to know.
"""

import logging
import mmap
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index import beside, tokens
from fairwitness.index.errors import IndexCorrupt, IndexDiskFull, room_on_disk
from fairwitness.index.whole import replacing, sync_folder
from fairwitness.kernels import postings
from fairwitness.kernels.postings import Oversize, Run, RunDamaged
from fairwitness.kernels.texts import Texts
from fairwitness.kernels.words import Words as Told
from fairwitness.posts.post import Post

FAN_IN = 8
"""So many runs of a size become one: each word is written once more for every factor of eight."""
_STALE_SHARE = 1 / 64
"""A sealed slice is written anew when so many of its rows have gone since."""
_NAME = re.compile(r"(\d{10})-(\d{10})\.run")
_TRIES, _MERGED_S = 5, 0.01
"""How often, and how far apart, a reader looks for runs that are merged while it looks."""

Mask = NDArray[np.bool_]

_log = logging.getLogger(__name__)


class RunFile(NamedTuple):
    """A run, and the file that it looks at."""

    path: Path
    run: Run


Runs = tuple[RunFile, ...]


class Words:
    """The runs in `folder`. One thread writes, any thread searches `runs`."""

    def __init__(
        self, folder: Path, rows: int, gone: Callable[[int, int], Mask], *, read_only: bool
    ) -> None:
        """Open the words of the first `rows` rows; a writer discards those of later ones.

        `gone` tells which rows from one up to another are deleted: a merge leaves them out.
        """
        self._folder = folder
        self._gone = gone
        self._waiting: list[tuple[Told, Told]] = []
        """Words of the texts and of what is beside them, of rows that no run has."""
        self._merging: threading.Thread | None = None
        self._merged: RunFile | None = None
        self._damage: IndexCorrupt | None = None
        """What a merge has come upon."""
        self._unsynced: list[Path] = []
        self._stale = 0
        """Rows that went since this process merged last."""
        if not read_only:
            folder.mkdir(exist_ok=True)
        self.runs = _opened(folder, rows, ())
        if not read_only:
            self._discard_after(rows)

    @property
    def rows(self) -> int:
        """How many rows' words are in runs."""
        return self.runs[-1].run.end_row if self.runs else 0

    def add(self, posts: Sequence[Post], told: Told, asides: Texts) -> None:
        """Add the next rows, the words of whose texts are `told`; `asides` as of `Fields`."""
        self._waiting.append((told, tokens.beside(posts, asides)))

    def drop(self, count: int) -> None:
        """Hear that `count` rows are gone; sooner or later no run has their words."""
        self._stale += count

    def commit(self) -> None:
        """Make what was added searchable; raise IndexDiskFull and lose nothing."""
        self._take_merged()
        if self._waiting:
            texts = _joined([texts for texts, _ in self._waiting])
            asides = _joined([asides for _, asides in self._waiting])
            asides = asides._replace(hashes=asides.hashes ^ postings.ASIDE)
            run = _written(self._folder, postings.build(self.rows, texts, asides), sync=False)
            self._waiting = []
            self._unsynced.append(run.path)
            self.runs = (*self.runs, run)
        self._merge_some(_of_like_size(self.runs))

    def sync(self) -> None:
        """Return once all that was committed would survive a power cut."""
        if not self._unsynced:
            return
        with room_on_disk(self._folder):
            beside.at_once(partial(_sync_if_there, path) for path in self._unsynced)
            sync_folder(self._folder)
        self._unsynced = []

    def tidy(self) -> None:
        """Make one run of all, in the background; nothing will be added any more."""
        self._take_merged()
        stale = self._stale > _STALE_SHARE * self.rows
        if len(self.runs) > 1 or (self.runs and stale):
            self._merge_some(self.runs)

    def grow_to(self, rows: int) -> None:
        """For a reader: see what the writing process has committed."""
        if rows > self.rows or len(self.runs) > 1:
            self.runs = _opened(self._folder, rows, self.runs)

    def close(self) -> None:
        """Wait for a merge and let go of the folder; what was not committed is lost."""
        if self._merging is not None:
            self._merging.join()

    def _merge_some(self, runs: Runs) -> None:
        if not runs or self._merging is not None:
            return
        self._stale = 0
        self._merging = beside.thread(partial(self._merge, runs), "merge words")

    def _merge(self, runs: Runs) -> None:
        first, end = runs[0].run.first_row, runs[-1].run.end_row
        try:
            made = postings.merge([each.run for each in runs], self._gone(first, end))
            self._merged = _written(self._folder, made, sync=True)
        except (IndexDiskFull, Oversize) as error:
            _log.info("runs stay as they are: %s", error)
        except RunDamaged as error:
            self._damage = IndexCorrupt(self._folder, str(error))

    def _take_merged(self) -> None:
        """Take up what the last merge made, once it has ended."""
        if self._merging is None or self._merging.is_alive():
            return
        self._merging.join()
        self._merging, merged, self._merged = None, self._merged, None
        if self._damage is not None:
            raise self._damage
        if merged is None:
            return
        before = [each for each in self.runs if each.run.end_row <= merged.run.first_row]
        after = [each for each in self.runs if each.run.first_row >= merged.run.end_row]
        replaced = self.runs[len(before) : len(self.runs) - len(after)]
        self.runs = (*before, merged, *after)
        for each in replaced:
            if each.path != merged.path:
                each.path.unlink(missing_ok=True)

    def _discard_after(self, rows: int) -> None:
        """Leave nothing in the folder but the runs of the first `rows` rows, and nothing later."""
        if self.rows > rows:
            cut = postings.merge([self.runs[-1].run], end_row=rows)
            self.runs = (*self.runs[:-1], _written(self._folder, cut, sync=True))
        kept = {each.path for each in self.runs}
        for path in self._folder.iterdir():
            if path not in kept:
                path.unlink()


def _opened(folder: Path, rows: int, known: Runs) -> Runs:
    """Return runs for the first `rows` rows, of `known` those that still stand for themselves.

    The last may have later rows, too. Raises IndexCorrupt where a row's words are missing.
    """
    by_path = {each.path: each for each in known}
    problem: Exception | None = None
    for _ in range(_TRIES):
        try:
            paths = _covering(folder, rows)
            return tuple(by_path.get(path) or RunFile(path, _open(path)) for path in paths)
        except (FileNotFoundError, IndexCorrupt) as error:
            problem = error  # perhaps the writer is merging at this moment
            time.sleep(_MERGED_S)
    raise problem if isinstance(problem, IndexCorrupt) else IndexCorrupt(folder, str(problem))


def _covering(folder: Path, rows: int) -> list[Path]:
    """Return the files of the longest runs that stand for the first `rows` rows."""
    longest: dict[int, tuple[int, Path]] = {}
    for path in folder.iterdir():
        if name := _NAME.fullmatch(path.name):
            first, end = int(name[1]), int(name[2])
            longest[first] = max(longest.get(first, (0, path)), (end, path))
    found: list[Path] = []
    row = 0
    while row < rows:
        if row not in longest or longest[row][0] <= row:
            raise IndexCorrupt(folder, f"no words of row {row}")
        row, path = longest[row]
        found.append(path)
    return found


def _open(path: Path) -> Run:
    with path.open("rb") as file:
        try:
            run = Run(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (RunDamaged, ValueError) as error:
            raise IndexCorrupt(path, str(error)) from error
    if path.name != _name(run):
        raise IndexCorrupt(path, f"holds the rows {run.first_row} to {run.end_row}")
    return run


def _name(run: Run) -> str:
    return f"{run.first_row:010d}-{run.end_row:010d}.run"


def _written(folder: Path, data: bytes | memoryview, *, sync: bool) -> RunFile:
    """Write a run, whole or not at all, and open it."""
    path = folder / _name(Run(data))
    with replacing(path, sync=sync) as file:
        file.write(data)
    if sync:
        sync_folder(folder)
    return RunFile(path, _open(path))


def _sync_if_there(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # merged since, and that was synced
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _of_like_size(runs: Runs) -> Runs:
    """Return the last runs, where so many of a size are among them that they become one."""
    sizes = [_size(each.run.rows) for each in runs]
    for size in sorted(set(sizes)):
        first = len(runs)
        while first and sizes[first - 1] <= size:
            first -= 1
        if sizes[first:].count(size) >= FAN_IN:
            return runs[first:]
    return ()


def _size(rows: int) -> int:
    """Return how often `rows` can be divided by the number of runs that become one."""
    size = 0
    while rows >= FAN_IN:
        rows //= FAN_IN
        size += 1
    return size


class _Keys(NamedTuple):
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]


def _joined(told: Sequence[Told]) -> _Keys:
    """Return the words of several batches as of one."""
    firsts = np.cumsum([0, *(len(each.hashes) for each in told)])
    starts = [each.starts[:-1] + first for each, first in zip(told, firsts, strict=False)]
    hashes = np.concatenate([each.hashes for each in told])
    return _Keys(hashes, np.append(np.concatenate(starts), firsts[-1]))
