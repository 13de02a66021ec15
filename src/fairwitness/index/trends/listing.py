"""Trends as people see them: with their posts, as far as these are still there."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fairwitness.index.trends.trend import Chart, Trend, read_chart
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import Post


class Listed(msgspec.Struct, frozen=True):
    """A trend with its posts; see `Trend` for what its numbers mean. Times are ISO 8601."""

    name: str
    kind: str
    terms: tuple[str, ...]
    lang: str
    per_minute: float
    before_per_minute: float
    growth: float
    score: float
    posts: int
    since: str
    peak_per_minute: float
    peak_at: str
    first: Post
    examples: tuple[Post, ...]


class Listing(msgspec.Struct, frozen=True):
    """What was trending at a moment."""

    at: str
    """Up to when posts were counted; empty when none were."""
    trends: tuple[Listed, ...]


def listing(
    chart: Chart, get: Callable[[str], Post | None], limit: int, langs: Sequence[str]
) -> Listing:
    """Return the first trends of a chart; what has no post left that shows it is left out."""
    listed = (_listed(trend, get) for trend in chart.top(limit, langs))
    return Listing(
        to_iso(chart.at_ms) if chart.at_ms else "",
        tuple(trend for trend in listed if trend is not None),
    )


def chart_of(home: Path) -> Chart:
    """Return the chart that whoever writes the home in this folder drew last."""
    return read_chart(chart_path(home / "index"))


def chart_path(index: Path) -> Path:
    """Return where the chart of the index in this folder lies."""
    return index / "trends.json"


def _listed(trend: Trend, get: Callable[[str], Post | None]) -> Listed | None:
    found = [get(shown.id) for shown in (trend.first, *trend.examples)]
    posts = list({post.id: post for post in found if post}.values())
    if not posts:
        return None
    return Listed(
        name=trend.name,
        kind=trend.kind,
        terms=trend.terms,
        lang=trend.lang,
        per_minute=round(trend.per_minute, 1),
        before_per_minute=round(trend.before_per_minute, 2),
        growth=round(trend.growth, 1),
        score=round(trend.score, 1),
        posts=trend.posts,
        since=to_iso(trend.since_ms),
        peak_per_minute=round(trend.peak_per_minute, 1),
        peak_at=to_iso(trend.peak_ms),
        first=posts[0],
        examples=tuple(posts[1:]),
    )
