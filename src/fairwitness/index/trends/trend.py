"""What is trending, as it is shown and as it lies on disk for whoever does not write the index."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairwitness.index.whole import replacing


class Shown(msgspec.Struct, frozen=True):
    """A post that shows a trend. Its text is looked up when it is shown, or it is gone."""

    id: str
    author: str
    seen_ms: int


class Trend(msgspec.Struct, frozen=True):
    """Something that is said much more than it was. Copies and repetitions do not count."""

    name: str
    kind: str
    """`word`, `hashtag`, `link`, or `copies` of one text, of which `name` is the beginning."""
    terms: tuple[str, ...]
    """What is trending in the same posts, `name` first."""
    lang: str
    """In which language; empty over all."""
    per_minute: float
    """Posts in the last minute, or in a tenth of the last ten where that is too short to tell."""
    before_per_minute: float
    growth: float
    """How many times more it is than before; before counts as one in half an hour at least."""
    score: float
    """How surprising it is, in standard deviations."""
    posts: int
    """How many posts so far."""
    since_ms: int
    first: Shown
    """The first post that shows it and is still there."""
    peak_per_minute: float
    peak_ms: int
    examples: tuple[Shown, ...]
    """Posts of different authors, no copies of each other, the oldest first."""


class Chart(msgspec.Struct, frozen=True):
    """All trends of one moment, the most surprising first."""

    at_ms: int
    """Up to when posts were counted; 0 when none were."""
    trends: tuple[Trend, ...] = ()

    def top(self, limit: int, langs: Sequence[str] = ()) -> list[Trend]:
        """Return the first trends: of some languages, or over all and then of small languages."""
        if langs:
            return [trend for trend in self.trends if trend.lang in langs][:limit]
        found = [trend for trend in self.trends if not trend.lang]
        said = {term for trend in found for term in trend.terms}
        for trend in self.trends:
            if trend.lang and said.isdisjoint(trend.terms):
                found.append(trend)
                said.update(trend.terms)
        found.sort(key=lambda trend: -trend.score)
        return found[:limit]


def write_chart(path: Path, chart: Chart) -> None:
    """Replace the chart at `path`, whole or not at all; raises IndexDiskFull.

    It is not synced: the next tick draws another.
    """
    with replacing(path, sync=False) as file:
        file.write(msgspec.json.encode(chart))


def read_chart(path: Path) -> Chart:
    """Return the chart at `path`; an empty one where there is none, or one that is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Chart)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return Chart(0)
