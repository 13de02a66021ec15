"""Engagement as it was reported over time: so many likes at this moment, so many at that.

The columns hold the newest report of each row. Every report is also kept in a file, each pointing
to the one before it, so that a search as of some moment counts what was known then.
"""

from typing import NamedTuple

import numpy as np

from fairwitness.index.columns import COUNT_MAX, Columns
from fairwitness.index.growing import GrowingFile
from fairwitness.posts.post import Engagement

_REPORT = np.dtype(
    [
        (name, np.int64)
        for name in ("row", "prev", "seen_ms", "likes", "reposts", "replies", "views")
    ]
)
REPORT_BYTES = _REPORT.itemsize
_MOST = 2**62  # what a network may claim; more does not fit the file
UNSAID = Engagement()


class Standing(NamedTuple):
    """The engagement of a post, and when it was reported."""

    engagement: Engagement
    counted_ms: int


UNCOUNTED = Standing(UNSAID, 0)


class Reports:
    """The reports about one slice's rows."""

    def __init__(self, file: GrowingFile, columns: Columns) -> None:
        self._file = file
        self._columns = columns
        self.sync = file.sync
        self.grow_to = file.grow_to

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        return self._file.size_bytes

    def add(self, row: int, standing: Standing) -> None:
        """Make `standing` the newest report of `row`; the file keeps it in memory until `flush`."""
        columns = self._columns
        engagement, counted_ms = standing
        number = self._file.size_bytes // REPORT_BYTES
        report = (row, int(columns.report[row]), counted_ms, *_numbers(engagement))
        self._file.append(np.array(report, np.int64).tobytes())
        self._show(row, number, standing)

    def at(self, row: int, as_of_ms: int | None = None) -> Engagement:
        """Return what was known of a row's engagement as of a moment, None for the newest."""
        columns = self._columns
        if as_of_ms is None or columns.counted_ms[row] <= as_of_ms:
            return self.standing(row).engagement
        number = int(columns.report[row])
        while number >= 0:
            stored = self._file.read(number * REPORT_BYTES, REPORT_BYTES)
            _, number, seen_ms, *counts = np.frombuffer(stored, np.int64).tolist()
            if seen_ms <= as_of_ms:
                return Engagement(*counts)
        return UNSAID

    def standing(self, row: int) -> Standing:
        """Return the newest report of a row."""
        columns = self._columns
        engagement = Engagement(
            int(columns.likes[row]),
            int(columns.reposts[row]),
            int(columns.replies[row]),
            int(columns.views[row]),
        )
        return Standing(engagement, int(columns.counted_ms[row]))

    def flush(self) -> None:
        """Hand what was added to the operating system."""
        self._file.flush()

    def mend(self, rows: int) -> None:
        """Bring columns that tell of discarded reports back to the newest one that is kept."""
        kept = self._file.size_bytes // REPORT_BYTES
        ahead = np.flatnonzero(self._columns.report[:rows] >= kept)
        if not len(ahead):
            return
        stored = np.frombuffer(self._file.read(0, kept * REPORT_BYTES), _REPORT)
        for row in ahead.tolist():
            mine = np.flatnonzero(stored["row"] == row)
            if not len(mine):
                self._show(row, -1, UNCOUNTED)
                continue
            last = stored[mine[-1]]
            counts = (int(last[name]) for name in ("likes", "reposts", "replies", "views"))
            self._show(row, int(mine[-1]), Standing(Engagement(*counts), int(last["seen_ms"])))

    def _show(self, row: int, number: int, standing: Standing) -> None:
        columns = self._columns
        likes, reposts, replies, views = _numbers(standing.engagement)
        # The moment first: a reader of an earlier moment then looks into the file from here on.
        columns.counted_ms[row] = standing.counted_ms
        columns.report[row] = number
        columns.likes[row] = min(likes, COUNT_MAX)
        columns.reposts[row] = min(reposts, COUNT_MAX)
        columns.replies[row] = min(replies, COUNT_MAX)
        columns.views[row] = views


def merged(before: Standing, now: Engagement, seen_ms: int) -> Standing:
    """Return what is known after `now` was said: what it leaves unsaid stays as before.

    An older report says nothing new. Of two from the same moment each larger count holds, so that
    it does not matter which comes first, or comes again.
    """
    engagement, counted_ms = before
    if now == UNSAID or seen_ms < counted_ms:
        return before
    pairs = zip(_numbers(engagement), _numbers(now), strict=True)
    if seen_ms == counted_ms:
        counts = [max(old, new) for old, new in pairs]
    else:
        counts = [new if new >= 0 else old for old, new in pairs]
    return Standing(Engagement(*(min(count, _MOST) for count in counts)), seen_ms)


def _numbers(engagement: Engagement) -> tuple[int, int, int, int]:
    return engagement.likes, engagement.reposts, engagement.replies, engagement.views
