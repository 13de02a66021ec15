"""Bursts that are being watched, and how those of one story become one trend."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from fairwitness.index.trends.items import COPIES, LINK
from fairwitness.index.trends.sketch import TICK_MS, WINDOWS
from fairwitness.index.trends.trend import Shown, Trend

SHOWN = 6
"""So many posts of a burst are remembered: the first and examples."""

_TICKS_A_MINUTE = 60_000 // TICK_MS
_TELLING = 60
"""With fewer posts in the last minute, ten minutes tell better."""
_FADED = 1 / 8
"""Of its peak; below this a burst is over."""
_ABOVE = 2.0
"""Times what was usual before; below this a burst is over."""
_SETTLED = 2.0
"""Times what is usual by now; below this it is a burst no more, for it has lasted."""
_LEAST_BEFORE = 1 / 30
_TOGETHER_MS = 600_000
"""Of bursts that begin further apart, the later one is a trend of its own."""
_SHARED = 0.5
_TERMS = 8
_CHARTED = 200


class Sample(msgspec.Struct, frozen=True):
    """A post of a burst, and all that it says."""

    shown: Shown
    voice: int
    """Hash of the author, 32 bits."""
    copy: int
    items: frozenset[int]


class Burst(msgspec.Struct):
    """One item in one scope, watched since it became surprising."""

    item: int
    scope: int
    name: str
    window: int
    """Which of WINDOWS found it first."""
    before_per_minute: float
    samples: list[Sample]
    """The oldest first; all of different authors."""
    counts: list[int]
    """Of the last ticks, the newest last."""
    posts: int = 0
    score: float = 0.0
    peak_per_minute: float = 0.0
    peak_ms: int = 0

    def tick(self, count: int, at_ms: int, floors: Sequence[float]) -> None:
        """Take in the count of a tick that ended at `at_ms`.

        floors: what makes no difference, by window; as in the sketch.
        """
        self.counts.append(count)
        del self.counts[: -WINDOWS[-1]]
        self.posts += count
        per_minute = self.per_minute
        if per_minute > self.peak_per_minute:
            self.peak_per_minute, self.peak_ms = per_minute, at_ms
        window = self._telling()
        minutes = WINDOWS[window] / _TICKS_A_MINUTE
        now, before = per_minute * minutes, self.before_per_minute * minutes
        self.score = (now - max(before, floors[window])) / (before**0.5 + floors[window])

    @property
    def per_minute(self) -> float:
        """Posts a minute now."""
        counts = self.counts[-WINDOWS[self._telling()] :]
        return sum(counts) * _TICKS_A_MINUTE / max(1, len(counts))

    def _telling(self) -> int:
        """Return the window that says best how often it is said: the minute or the ten."""
        few = self.window == 2 and sum(self.counts[-_TICKS_A_MINUTE:]) < _TELLING
        return 2 if few else 1

    def over(self, usual_per_minute: float) -> bool:
        """Say whether it has ended."""
        now = self.per_minute
        return (
            not self.samples
            or now < self.peak_per_minute * _FADED
            or now < self.before_per_minute * _ABOVE
            or now < usual_per_minute * _SETTLED
        )

    @property
    def since_ms(self) -> int:
        """When the first post that is still there was seen."""
        return self.samples[0].shown.seen_ms


def trends_of(bursts: Iterable[Burst], lang_of: Callable[[int], str]) -> tuple[Trend, ...]:
    """Return bursts as trends, those that are said together as one, most surprising first."""
    shown = [burst for burst in bursts if burst.samples]
    shown.sort(key=lambda burst: (-burst.score, burst.scope, burst.name))
    by_key = {(burst.scope, burst.item): burst for burst in shown}
    stories: dict[int, list[Burst]] = {}
    head_of: dict[int, Burst] = {}
    for burst in shown:
        head = _head(burst, by_key, head_of) or burst
        head_of[id(burst)] = head
        stories.setdefault(id(head), []).append(burst)
    ordered = list(stories.values())[:_CHARTED]
    return tuple(_trend(story, lang_of) for story in ordered)


def _head(
    burst: Burst, by_key: dict[tuple[int, int], Burst], head_of: dict[int, Burst]
) -> Burst | None:
    """Return the more surprising burst that this one belongs to, None when it stands alone."""
    said = {item for sample in burst.samples for item in sample.items}
    others = [by_key[burst.scope, item] for item in said if (burst.scope, item) in by_key]
    heads = [head_of[id(other)] for other in others if id(other) in head_of]
    heads = [head for head in heads if abs(head.since_ms - burst.since_ms) <= _TOGETHER_MS]
    heads = [head for head in heads if _shared(burst, head) or _shared(head, burst)]
    return max(heads, key=lambda head: (head.score, head.item), default=None)


def _shared(one: Burst, other: Burst) -> bool:
    """Say whether most posts that show `one` say what `other` is, too."""
    both = sum(other.item in sample.items for sample in one.samples)
    return both > _SHARED * len(one.samples)


def _trend(story: Sequence[Burst], lang_of: Callable[[int], str]) -> Trend:
    head = story[0]
    terms = tuple(dict.fromkeys(burst.name for burst in story if burst.item & 3 != COPIES))
    before = max(head.before_per_minute, _LEAST_BEFORE)
    samples = {each.shown.id: each for burst in story for each in burst.samples}
    ordered = sorted(samples.values(), key=lambda each: (each.shown.seen_ms, each.shown.id))
    return Trend(
        name=head.name,
        kind=_kind(head),
        terms=terms[:_TERMS] or (head.name,),
        lang=lang_of(head.scope - 1) if head.scope else "",
        per_minute=head.per_minute,
        before_per_minute=head.before_per_minute,
        growth=head.per_minute / before,
        score=head.score,
        posts=head.posts,
        since_ms=ordered[0].shown.seen_ms,
        first=ordered[0].shown,
        peak_per_minute=head.peak_per_minute,
        peak_ms=head.peak_ms,
        examples=tuple(each.shown for each in head.samples[1:] or head.samples),
    )


def _kind(burst: Burst) -> str:
    if burst.item & 3 == LINK:
        return "link"
    if burst.item & 3 == COPIES:
        return "copies"
    return "hashtag" if burst.name.startswith("#") else "word"
