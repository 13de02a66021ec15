"""Engagement as it was reported over time: so many likes at this moment, so many at that.

What a post said of itself when it came is in the stored post. What was reported later is in the
row's change, the newest, and in a file, all of it, each report pointing to the one before it; so a
search as of some moment counts what was known then.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.columns import COUNT_MAX, Changes
from fairwitness.index.growing import GrowingFile
from fairwitness.posts.post import Engagement

_REPORT = np.dtype(
    [
        (name, np.int64)
        for name in ("change", "prev", "seen_ms", "likes", "reposts", "replies", "views")
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
    """The reports about one slice's rows, and the changes that hold the newest of each."""

    def __init__(self, file: GrowingFile, changes: Changes) -> None:
        self._file = file
        self._changes = changes
        self.sync = file.sync
        self.grow_to = file.grow_to
        self.flush = file.flush

    @property
    def size_bytes(self) -> int:
        """How much of the file is in use."""
        return self._file.size_bytes

    def add(self, change: int, standing: Standing) -> None:
        """Make `standing` the newest report of a change; the file keeps it until `flush`."""
        changes = self._changes
        number = self._file.size_bytes // REPORT_BYTES
        before = int(changes.report[change]) - 1
        report = (change, before, standing.counted_ms, *_numbers(standing.engagement))
        self._file.append(np.array(report, np.int64).tobytes())
        self._show(change, number, standing)

    def begin(self, change: int, standing: Standing) -> None:
        """Let a change hold what its stored post said, of which no report is kept."""
        self._show(change, -1, standing)

    def begin_all(
        self, changes: NDArray[np.int64], counted_ms: NDArray[np.int64], said: NDArray[np.int64]
    ) -> None:
        """Do `begin` for new changes; what was `said` has the shape (4, changes)."""
        self._changes.counted_ms[changes] = counted_ms
        bounds = (COUNT_MAX, COUNT_MAX, COUNT_MAX, _MOST)
        names = ("likes", "reposts", "replies", "views")
        for name, counts, most in zip(names, said, bounds, strict=True):
            getattr(self._changes, name)[changes] = np.minimum(counts, most) + 1

    def at(self, change: int, as_of_ms: int | None = None) -> Engagement | None:
        """Return what was reported of a row up to a moment, None where there was no report yet."""
        changes = self._changes
        if as_of_ms is None or changes.counted_ms[change] <= as_of_ms:
            return self.standing(change).engagement
        number = int(changes.report[change]) - 1
        while number >= 0:
            stored = self._file.read(number * REPORT_BYTES, REPORT_BYTES)
            _, number, seen_ms, *counts = np.frombuffer(stored, np.int64).tolist()
            if seen_ms <= as_of_ms:
                return Engagement(*counts)
        return None

    def standing(self, change: int) -> Standing:
        """Return the newest report of a change."""
        changes = self._changes
        counts = (changes.likes, changes.reposts, changes.replies, changes.views)
        engagement = Engagement(*(int(each[change]) - 1 for each in counts))
        return Standing(engagement, int(changes.counted_ms[change]))

    def mend(self, count: int) -> list[int]:
        """Bring changes that tell of discarded reports back to the newest that is kept.

        Returns those of the first `count` changes of which no report is left.
        """
        changes = self._changes
        kept = self._file.size_bytes // REPORT_BYTES
        ahead = np.flatnonzero(changes.report[:count] > kept)
        if not len(ahead):
            return []
        stored = np.frombuffer(self._file.read(0, kept * REPORT_BYTES), _REPORT)
        bare = []
        for change in ahead.tolist():
            mine = np.flatnonzero(stored["change"] == change)
            if not len(mine):
                self._show(change, -1, UNCOUNTED)
                bare.append(change)
                continue
            last = stored[mine[-1]]
            counts = (int(last[name]) for name in ("likes", "reposts", "replies", "views"))
            self._show(change, int(mine[-1]), Standing(Engagement(*counts), int(last["seen_ms"])))
        return bare

    def _show(self, change: int, number: int, standing: Standing) -> None:
        changes = self._changes
        likes, reposts, replies, views = _numbers(standing.engagement)
        # The moment first: a reader of an earlier moment then looks into the file from here on.
        changes.counted_ms[change] = standing.counted_ms
        changes.report[change] = number + 1
        changes.likes[change] = min(likes, COUNT_MAX) + 1
        changes.reposts[change] = min(reposts, COUNT_MAX) + 1
        changes.replies[change] = min(replies, COUNT_MAX) + 1
        changes.views[change] = views + 1


def some(said: Engagement) -> bool:
    """Return whether anybody reacted."""
    return said.likes > 0 or said.reposts > 0 or said.replies > 0 or said.views > 0


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
