"""What is said much more than usual: posts go in batch by batch, a chart comes out each tick.

The clock is the one on which posts were seen, so a capture of 2013 trends as it did then. A tick in
which nothing was said counts as quiet; ten minutes of that are a time in which nobody listened, and
count as nothing. One thread writes; any may read `chart`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.trends import burst
from fairwitness.index.trends.detect import Entries, surprising
from fairwitness.index.trends.items import COPIES, LINK, WORD, PostItems, as_items
from fairwitness.index.trends.recent import Recent
from fairwitness.index.trends.sketch import TICK_MS, WINDOWS, Bounds, Sketch
from fairwitness.index.trends.trend import Chart, Trend
from fairwitness.index.trends.watch import Watch
from fairwitness.index.trends.window import SCOPES
from fairwitness.kernels.trends import Items, mixed
from fairwitness.posts.post import Post

_SET_BACK_TICKS = 12
"""A batch that is older than this by its newest post means that the clock was set back."""


class Trends:
    """Watches what posts say. `look` finds a post by ordinal, None when it is gone or unknown.

    `lang_of` gives the name of a language's number.
    """

    chart: Chart
    """What is trending, replaced in one piece at each tick."""

    def __init__(
        self,
        look: Callable[[int], Post | None],
        lang_of: Callable[[int], str],
        bounds: Bounds | None = None,
    ) -> None:
        bounds = bounds or Bounds()
        self._lang_of = lang_of
        self._sketch = Sketch(bounds)
        self._recent = Recent(bounds.recent_items, bounds.recent_posts)
        self._watch = Watch(look, self._recent)
        self._tick = -1
        """The open tick, in ticks since 1970; -1 before the first post."""
        self._heard = 0
        """Ticks that were heard, gaps left out."""
        self.chart = Chart(0)

    def see(self, posts: PostItems) -> None:
        """Take in posts in the order in which they came; some may be older than the open tick."""
        if not len(posts):
            return
        ticks = posts.seen_ms // TICK_MS
        self._follow_clock(int(ticks[0]), int(ticks.max()))
        ticks = np.maximum(ticks, self._tick)
        for tick in np.unique(ticks).tolist():
            self._advance(tick)
            at = np.flatnonzero(ticks == tick)
            self._take(posts if len(at) == len(posts) else posts.part(at))

    def advance(self, now_ms: int) -> None:
        """Let time pass up to `now_ms`, also when nothing is said."""
        if self._tick >= 0:
            self._advance(now_ms // TICK_MS)

    def top(self, limit: int, langs: Sequence[str] = ()) -> list[Trend]:
        """Return what was trending at the last tick; over all, or of some languages."""
        return self.chart.top(limit, langs)

    def forget(self, ids: Collection[str]) -> None:
        """Show these posts no more: they were deleted."""
        if self._watch.forget(ids):
            self._draw(self.chart.at_ms)

    def shown(self) -> set[str]:
        """Return the ids of all posts that show something."""
        bursts = self._watch.bursts.values()
        return {sample.shown.id for burst in bursts for sample in burst.samples}

    @property
    def layout(self) -> tuple[int, ...]:
        """What the numbers in `arrays` mean."""
        return (1, TICK_MS, *WINDOWS)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all state; the arrays are in use."""
        told = {**self._sketch.arrays(), **self._recent.arrays()}
        told["clock"] = np.array([self._tick, self._heard, self.chart.at_ms])
        told["bursts"] = np.frombuffer(self._watch.encoded(), np.uint8)
        return told

    def restore(self, told: dict[str, NDArray[Any]]) -> None:
        """Go on where `arrays` were taken, with the same bounds."""
        self._sketch.restore(told)
        self._recent.restore(told)
        self._watch.restore(told["bursts"].tobytes())
        self._tick, self._heard, at_ms = map(int, told["clock"])
        self._draw(at_ms)

    def _follow_clock(self, first: int, latest: int) -> None:
        if self._tick < 0:
            self._tick = first
        elif latest < self._tick - _SET_BACK_TICKS:
            self._close()
            self._begin_anew(latest)

    def _advance(self, tick: int) -> None:
        quiet = tick - self._tick - 1
        if quiet < 0:
            return
        self._close()
        if quiet >= WINDOWS[-1]:
            self._begin_anew(tick)
            return
        for passed in range(quiet):
            self._watch.follow(None, (self._tick + 2 + passed) * TICK_MS, self._sketch)
        if quiet:
            self._sketch.skip(quiet)
            self._heard += quiet
            self._draw(tick * TICK_MS)
        self._tick = tick

    def _begin_anew(self, tick: int) -> None:
        """Go on at another time, knowing what was usual and nothing of what is going on."""
        self._sketch.drop()
        self._watch.bursts.clear()
        self._tick = tick
        self._draw(self.chart.at_ms)

    def _take(self, posts: PostItems) -> None:
        """Count what posts of the open tick say."""
        nobody = np.zeros(len(posts), np.uint64)
        voices = np.where(posts.authors, posts.authors, mixed(posts.ordinals.astype(np.uint64)))
        scopes = np.where(posts.langs < SCOPES - 1, posts.langs + 1, 0).astype(np.uint16)
        first = self._recent.add_posts(posts.ordinals, scopes, self._heard, voices, posts.copies)
        self._sketch.count_posts(scopes)

        def count(items: Items, starts: NDArray[np.int64], copies: Items) -> None:
            told = self._sketch.tally(items, starts, voices, copies, scopes)
            self._recent.add_items(told.items, told.posts, first)

        count(as_items(posts.words, WORD), posts.word_starts, posts.copies)
        if len(posts.links):
            count(as_items(posts.links, LINK), posts.link_starts, posts.copies)
        copied = posts.copies != 0
        if copied.any():
            starts = np.concatenate(([0], np.cumsum(copied)))
            count(as_items(posts.copies[copied], COPIES), starts, nobody)

    def _close(self) -> None:
        """End the open tick: find what is surprising in it, and draw the chart."""
        end_ms = (self._tick + 1) * TICK_MS
        entries = Entries.of_tick(self._recent)
        self._sketch.gather(entries.touched(self._sketch.slots))
        hits = surprising(self._sketch, entries, self._watch.bursts)
        self._watch.refill(entries)
        counts = self._sketch.in_tick(self._watch.slots(self._sketch)).tolist()
        self._watch.follow(counts, end_ms, self._sketch)
        self._watch.begin(hits, self._heard, end_ms, self._sketch)
        self._sketch.close_tick()
        self._recent.begin_tick()
        self._heard += 1
        self._draw(end_ms)

    def _draw(self, at_ms: int) -> None:
        self.chart = Chart(at_ms, burst.trends_of(self._watch.bursts.values(), self._lang_of))
