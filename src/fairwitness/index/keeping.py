"""Saves what is kept in memory now and then: from a copy, in the background."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fairwitness.index import beside, saved
from fairwitness.index.errors import IndexDiskFull
from fairwitness.index.saved import Arrays, Kept

_LEFT_ROWS = 20_000
"""So many rows an opening may have to look at again after an end in good order."""

_log = logging.getLogger(__name__)


class Keeper:
    """Saves `kept` to `path`; rows tell how much it knows. One thread calls."""

    def __init__(
        self, path: Path, kept: Kept, known_rows: int, *, every_rows: int, every_s: float
    ) -> None:
        """`known_rows` is how many rows the file knows; both of `every` have to have passed."""
        self._path, self._kept = path, kept
        self._saved_rows, self._saved_s = known_rows, time.monotonic()
        self._every_rows, self._every_s = every_rows, every_s
        self._copy: Arrays = {}
        """Room that is kept: to fill it takes a tenth of a second, to have it from the system for
        the first time six times as long."""
        self._working: threading.Thread | None = None

    def save(self, rows: int, *, at_end: bool = False) -> None:
        """Save if it is time, and no other save is under way; all that matters `at_end`."""
        if at_end:
            self.close()
        elif self._working is not None and self._working.is_alive():
            return
        since_rows, since_s = rows - self._saved_rows, time.monotonic() - self._saved_s
        if since_rows >= _LEFT_ROWS and not self._copy and not at_end:
            self._begin(self._make_room)
        elif (at_end and since_rows >= _LEFT_ROWS) or (
            since_rows >= self._every_rows and since_s >= self._every_s
        ):
            self._take_copy()
            self._saved_s = time.monotonic()
            self._begin(partial(self._write, rows))

    def close(self) -> None:
        """Wait until what is being saved is."""
        if self._working is not None:
            self._working.join()

    def _begin(self, work: Callable[[], None]) -> None:
        self._working = beside.thread(work, "save noticed")

    def _make_room(self) -> None:
        self._copy = {name: np.full_like(of, 0) for name, of in self._kept.arrays().items()}

    def _take_copy(self) -> None:
        for name, array in self._kept.arrays().items():
            room = self._copy.get(name)
            if room is not None and room.shape == array.shape:
                np.copyto(room, array)
            else:
                self._copy[name] = array.copy()

    def _write(self, rows: int) -> None:
        try:
            saved.save(self._path, self._kept.layout, self._copy, rows)
        except IndexDiskFull as error:
            _log.warning("what was noticed is not saved: %s", error)
        else:
            self._saved_rows = rows
