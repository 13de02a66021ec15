"""How a source is doing: what an answer must say about the window that it looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import msgspec
import numpy as np

from fairwitness.posts.encoded import Encoded
from fairwitness.posts.post import Event, Post, Posted
from fairwitness.posts.records import Batch, SourceState
from fairwitness.posts.source import Gap

State = Literal["idle", "live", "waiting", "refused", "ended"]

_GAPS_KEPT = 64
_times_ms = attrgetter("created_ms", "seen_ms")
_created_ms, _seen_ms = attrgetter("created_ms"), attrgetter("seen_ms")


class HealthReport(msgspec.Struct, frozen=True):
    """One source at one moment, as people and machines read it."""

    name: str
    state: State
    lag_s: float
    """From the author's claimed time of its newest post to when we saw it; or, while it is not
    connected, since we last heard from it."""
    events: int
    duplicates: int
    dropped: int
    reconnects: int
    gaps: tuple[Gap, ...]
    problem: str
    """Why it is waiting or refused; empty when all is well."""


@dataclass
class SourceHealth:
    """The counts of one source, kept by the one who listens and the one who writes."""

    name: str
    state: State = "idle"
    events: int = 0
    duplicates: int = 0
    dropped: int = 0
    reconnects: int = 0
    gaps: tuple[Gap, ...] = ()
    problem: str = ""
    last_ms: int = 0
    """When it last said anything, if only that it is there; our clock."""
    newest_ms: int = 0
    """When the newest of its posts was made, as far as its authors can be believed."""
    delay_ms: int = 0

    @classmethod
    def remembered(cls, name: str, state: SourceState) -> "SourceHealth":
        """Return what the log remembers of a source that is not running."""
        return cls(
            name,
            events=state.events,
            dropped=state.dropped,
            gaps=state.gaps,
            last_ms=state.last_ms,
        )

    def told(self, told: Sequence[Event], record: Batch) -> None:
        """Count what was told, of which `record` is what is new."""
        self.events += len(record.events)
        self.duplicates += len(told) - len(record.events)
        self.dropped += record.dropped
        self.gaps = (self.gaps + record.gaps)[-_GAPS_KEPT:]
        self.last_ms = max(self.last_ms, record.clock_ms)
        newest = _newest_in(told)
        # Only what is newer than all before tells of a delay: an old post is told again when its
        # engagement changes or a cursor goes back, and a time to come is a mistake.
        if newest is not None and newest[0] > self.newest_ms:
            made_ms, seen_ms = newest
            self.newest_ms, self.delay_ms = made_ms, seen_ms - made_ms

    def report(self, now_ms: int) -> HealthReport:
        """Return how the source is doing at `now_ms`."""
        is_away = self.state in ("waiting", "refused") and self.last_ms > 0
        away_ms = now_ms - self.last_ms if is_away else 0
        return HealthReport(
            name=self.name,
            state=self.state,
            lag_s=max(self.delay_ms, away_ms) / 1000,
            events=self.events,
            duplicates=self.duplicates,
            dropped=self.dropped,
            reconnects=self.reconnects,
            gaps=self.gaps,
            problem=self.problem,
        )


def _newest_in(told: Sequence[Event]) -> tuple[int, int] | None:
    """Return when the newest of the new posts was made and seen; None where there is none."""
    if isinstance(told, Encoded) and told.posts is not None:
        said = told.posts.told
        seen_ms = said.seen_ms[~said.edited]
        if not len(seen_ms):
            return None
        # An author's clock may be ahead, but a post is never seen before it is made.
        made_ms = np.minimum(said.created_ms[~said.edited], seen_ms)
        newest_ms = made_ms.max()
        return int(newest_ms), int(seen_ms[made_ms == newest_ms].max())
    posts = [event.post for event in told if type(event) is Posted]
    return _newest(posts) if posts else None


def _newest(posts: Sequence[Post]) -> tuple[int, int]:
    """Return when the newest post was made, at the latest when it was seen, and when that was."""
    newest_ms = max(map(_created_ms, posts))
    if newest_ms > min(map(_seen_ms, posts)):  # some author's clock is ahead
        return max([(min(made, seen), seen) for made, seen in map(_times_ms, posts)])
    return newest_ms, max([post.seen_ms for post in posts if post.created_ms == newest_ms])
