"""How fresh an answer is: its newest witness, how far sources lag, what was missed meanwhile."""

from collections.abc import Sequence

from fairwitness.answers.answer import Freshness, SourceFreshness
from fairwitness.answers.when import TimeWindow
from fairwitness.index import LiveIndex
from fairwitness.posts.clock import to_iso
from fairwitness.posts.health import HealthReport
from fairwitness.posts.post import FOREVER_MS


def freshness_of(
    index: LiveIndex,
    reports: Sequence[HealthReport],
    window: TimeWindow,
    as_of_ms: int,
    searched: int,
) -> Freshness:
    """Return how fresh an answer from `searched` posts is; of gaps those in its window are told."""
    newest_ms = index.newest_seen_ms(as_of_ms=as_of_ms)
    sources = []
    for report in reports:
        gaps = tuple(
            {"from": to_iso(g.from_ms), "until": to_iso(g.until_ms), "reason": g.reason}
            for g in report.gaps
            if g.from_ms < window.until_ms
            and g.until_ms > window.since_ms
            and g.from_ms <= as_of_ms
        )
        sources.append(SourceFreshness(report.name, round(report.lag_s, 1), report.state, gaps))
    known = -FOREVER_MS < newest_ms < FOREVER_MS and newest_ms > 0
    return Freshness(
        newest_seen_at=to_iso(newest_ms) if known else "",
        age_s=round((as_of_ms - newest_ms) / 1000, 1) if known else 0.0,
        posts_searched=searched,
        sources=tuple(sources),
    )
