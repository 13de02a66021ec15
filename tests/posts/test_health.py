"""Health says how far behind a source is, and is not fooled by old posts or wrong clocks."""

from fairwitness.posts.health import SourceHealth
from fairwitness.posts.log import Batch, SourceState
from fairwitness.posts.post import Deleted, Edited, Event, Post, Posted
from fairwitness.posts.source import Gap


def posted(created_ms: int, seen_ms: int) -> Posted:
    return Posted(
        Post(
            id=f"{created_ms}",
            network="n",
            author="a",
            author_id="a",
            text="t",
            created_ms=created_ms,
            seen_ms=seen_ms,
        )
    )


def tell(
    health: SourceHealth,
    told: list[Event],
    at_ms: int,
    fresh: int = 1,
    dropped: int = 0,
    gaps: tuple[Gap, ...] = (),
) -> None:
    health.told(told, Batch("s", "", tuple(told[:fresh]), at_ms, False, gaps, dropped))


def lag_s(health: SourceHealth, now_ms: int = 0) -> float:
    return health.report(now_ms).lag_s


def test_counts_add_up() -> None:
    health = SourceHealth("s")
    events: list[Event] = [posted(1, 2), Deleted("x", 2), Edited(posted(1, 2).post)]
    tell(health, events, 10, fresh=2, dropped=3)
    tell(health, events, 20, fresh=0)
    report = health.report(30)
    assert (report.events, report.duplicates, report.dropped) == (2, 4, 3)
    assert health.last_ms == 20


def test_lag_is_that_of_the_newest_post() -> None:
    health = SourceHealth("s")
    tell(health, [posted(1_000, 60_000), posted(50_000, 60_000)], 60_000)
    assert lag_s(health) == 10.0
    tell(health, [posted(59_000, 61_000)], 61_000)
    assert lag_s(health) == 2.0


def test_an_old_post_told_again_is_no_lag() -> None:
    health = SourceHealth("s")
    tell(health, [posted(59_000, 60_000)], 60_000)
    tell(health, [posted(1_000, 90_000)], 90_000)
    assert lag_s(health) == 1.0


def test_a_post_from_the_future_is_made_when_it_is_seen() -> None:
    health = SourceHealth("s")
    tell(health, [posted(10**13, 60_000)], 60_000)
    assert lag_s(health) == 0.0
    tell(health, [posted(60_500, 61_500)], 61_500)
    assert lag_s(health) == 1.0


def test_a_source_that_is_not_heard_falls_behind_until_it_is() -> None:
    health = SourceHealth("s", state="live")
    tell(health, [], 10_000)
    assert lag_s(health, 70_000) == 0.0
    health.state = "waiting"
    assert lag_s(health, 70_000) == 60.0
    health.state = "refused"
    assert lag_s(health, 70_000) == 60.0
    assert lag_s(SourceHealth("never", state="waiting"), 70_000) == 0.0


def test_only_the_last_gaps_are_kept() -> None:
    health = SourceHealth("s")
    for n in range(100):
        tell(health, [], n, gaps=(Gap(n, n + 1, "x"),))
    assert len(health.report(0).gaps) == 64
    assert health.report(0).gaps[-1].from_ms == 99


def test_a_source_that_is_not_running_is_as_the_log_remembers_it() -> None:
    state = SourceState("c", events=5, dropped=2, gaps=(Gap(1, 2, "x"),), last_ms=77)
    report = SourceHealth.remembered("s", state).report(100_000)
    assert (report.state, report.events, report.dropped) == ("idle", 5, 2)
    assert report.gaps == (Gap(1, 2, "x"),)
