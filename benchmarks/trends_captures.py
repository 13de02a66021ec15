"""Trends over real captures: when each thing was listed, and what the listed was about.

The fight and three disasters whose instant is known are played in their own time. The others are
shifted to begin within one day, among each other and a post of chatter a second; a trend is of an
event when most posts that it shows are. The captures of disasters are thin samples of what was
said, so three are also played faster: as if more had been kept, of something that went faster.
"""

import asyncio
import gzip
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.index.trends import PostItems, Trend, Trends, items_in
from fairwitness.index.trends.sketch import TICK_MS
from fairwitness.posts.clock import VirtualClock, from_iso
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.sources.replay import Replay

SEED = 7
BATCH = 4_000
START_MS = 1_700_000_000_000
DAY_MS = 86_400_000
SPEEDS = (1, 20)

# When it happened, UTC, where it was an instant; from the articles that events.json names.
INSTANTS = {
    "2013_Boston_Bombings": "2013-04-15T18:49:00Z",
    "2013_West_Texas_Explosion": "2013-04-18T00:50:38Z",
    "2013_Oklahoma_Tornado": "2013-05-20T19:56:00Z",
}
# The fight ended in its tenth round; the capture's own posts say so from then on.
KNOCKOUT = "2017-08-27T04:51:30Z"


@dataclass
class Stream:
    """Trends over posts that stay in a list, and every trend that was ever on the chart."""

    posts: Sequence[Post]
    langs: list[str] = field(default_factory=list)
    listed: dict[tuple[str, str], tuple[int, Trend]] = field(default_factory=dict)
    """By name and language: up to when the chart was drawn that first had it."""
    see_s: float = 0.0

    def __post_init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.trends = Trends(self.look, self.langs.__getitem__)
        self._drawn_ms = 0

    def look(self, ordinal: int) -> Post | None:
        return self.posts[ordinal]

    def number(self, lang: str) -> int:
        if lang not in self._numbers:
            self._numbers[lang] = len(self.langs)
            self.langs.append(lang)
        return self._numbers[lang]

    def see(self, items: PostItems) -> None:
        """Take posts in tick by tick, so that no chart is missed."""
        ticks = items.seen_ms // TICK_MS
        for part in np.split(np.arange(len(ticks)), np.flatnonzero(np.diff(ticks)) + 1):
            some = items if len(part) == len(ticks) else items.part(part)
            started = time.thread_time()
            self.trends.see(some)
            self.see_s += time.thread_time() - started
            self._note()

    def play(self) -> None:
        """Take in all posts, in order."""
        for at in range(0, len(self.posts), BATCH):
            self.see(items_in(self.posts[at : at + BATCH], at, self.number))
        self.trends.advance(self.posts[-1].seen_ms + 2 * TICK_MS)
        self._note()

    def _note(self) -> None:
        chart = self.trends.chart
        if chart.at_ms == self._drawn_ms:
            return
        self._drawn_ms = chart.at_ms
        for trend in chart.trends:
            self.listed.setdefault((trend.name, trend.lang), (chart.at_ms, trend))


def capture(path: Path) -> list[Post]:
    """Return the posts of a capture, each seen when it was made."""

    async def read() -> list[Post]:
        played = Replay(path, VirtualClock(0), None).batches("")
        return [e.post async for b in played for e in b.events if isinstance(e, Posted)]

    return asyncio.run(read())


def fight(folder: Path) -> dict[str, object]:
    """Return what was listed when, in the seventy minutes of the fight."""
    posts = capture(folder / "fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz")
    stream = Stream(posts)
    stream.play()
    end_ms = from_iso(KNOCKOUT)
    lines = []
    for at_ms, trend in sorted(stream.listed.values(), key=lambda each: each[0]):
        lines.append(
            {
                "after_knockout_s": (at_ms - end_ms) / 1_000,
                "terms": trend.terms,
                "lang": trend.lang,
                "per_minute": round(trend.per_minute, 1),
                "growth": round(trend.growth, 1),
                "first_after_knockout_s": (trend.first.seen_ms - end_ms) / 1_000,
            }
        )
    told = ("50", "tko", "won", "wins", "undefeated", "congrats", "knockout", "round")
    first = {w: [x["after_knockout_s"] for x in lines if w in x["terms"]][:1] for w in told}
    return {"posts": len(posts), "first_listed_after_knockout_s": first, "listed": lines}


def labels(path: Path) -> dict[str, tuple[str, bool]]:
    """Return event and whether it is about it, by the post's id."""
    found = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            about = row.get("label", row.get("informativeness", "")).lower()
            if row.get("event"):
                off = about in ("off-topic", "not related", "not applicable")
                found[f"x:{row['id']}"] = (row["event"], not off)
    return found


def instants(folder: Path) -> dict[str, object]:
    """Return how long after the instant a crisis was listed, in seconds of its own time."""
    path = folder / "crisislex/t6_labeled.jsonl.gz"
    known, posts = labels(path), capture(path)
    figures = {}
    for event, moment in INSTANTS.items():
        for speed in SPEEDS:
            figures[f"{event} x{speed}"] = _instant(posts, known, event, from_iso(moment), speed)
    return figures


def _instant(
    posts: Sequence[Post],
    known: dict[str, tuple[str, bool]],
    event: str,
    moment_ms: int,
    speed: int,
) -> dict[str, object]:
    some = [post for post in posts if known[post.id][0] == event]
    stream = Stream([msgspec.structs.replace(post, seen_ms=post.seen_ms // speed) for post in some])
    stream.play()
    moment_ms //= speed
    about = [p.seen_ms for p in stream.posts if known[p.id][1] and p.seen_ms >= moment_ms]
    after = [
        (at_ms, trend)
        for at_ms, trend in stream.listed.values()
        if at_ms >= moment_ms and _about(trend, known)
    ]
    told: dict[str, object] = {"first_post_after_s": (about[0] - moment_ms) * speed / 1_000}
    if after:
        at_ms, trend = min(after, key=lambda each: each[0])
        told["listed_after_s"] = (at_ms - moment_ms) * speed / 1_000
        told["posts_about_it_before"] = sum(seen_ms < at_ms for seen_ms in about)
        told["terms"] = trend.terms
    told["listed_before"] = sum(at_ms < moment_ms for at_ms, _ in stream.listed.values())
    return told


def crises(folder: Path, pool: Sequence[Post]) -> dict[str, object]:
    """Return how soon crises are listed among each other and a post of chatter a second."""
    path = folder / "crisislex/t26_labeled.dev.jsonl.gz"
    known = labels(path)
    theirs = {*known, *labels(folder / "crisislex/t6_labeled.jsonl.gz")}
    return mixed(capture(path), known, [post for post in pool if post.id not in theirs])


def rumours(folder: Path, pool: Sequence[Post]) -> dict[str, object]:
    """Return the same for events around which rumours spread."""
    path = folder / "rumoureval2017/posts.dev.jsonl.gz"
    return mixed(capture(path), labels(path), pool)


def mixed(
    posts: Sequence[Post], known: dict[str, tuple[str, bool]], chatter: Sequence[Post]
) -> dict[str, object]:
    drawn = random.Random(SEED)
    by_event: dict[str, list[Post]] = {}
    for post in posts:
        if post.id in known:
            by_event.setdefault(known[post.id][0], []).append(post)
    moved: list[Post] = []
    for some in by_event.values():
        begins_ms = START_MS + drawn.randrange(DAY_MS // 12, DAY_MS)
        moved += _moved(some, begins_ms)
    moved += _chatter(chatter, 2 * DAY_MS // 1_000, drawn)
    moved.sort(key=lambda post: post.seen_ms)
    stream = Stream(moved)
    stream.play()
    figures = {event: _found(stream, known, event) for event in sorted(by_event)}
    about = Counter(_about(trend, known) for _, trend in stream.listed.values())
    found = [each for each in figures.values() if "after_first_post_s" in each]
    return {
        "events": len(figures),
        "found": len(found),
        "median_after_first_post_s": statistics.median(f["after_first_post_s"] for f in found),
        "median_posts_about_it_before": statistics.median(f["posts_before"] for f in found),
        "median_since_ten_posts_in_ten_minutes_s": statistics.median(
            f["after_ten_in_ten_minutes_s"] for f in found if "after_ten_in_ten_minutes_s" in f
        ),
        "listed": len(stream.listed),
        "listed_of_an_event": round(1 - about[""] / max(1, len(stream.listed)), 3),
        "see_us": round(1e6 * stream.see_s / len(moved), 1),
        "by_event": figures,
    }


def _moved(some: Sequence[Post], begins_ms: int) -> Iterator[Post]:
    """Yield the first day of an event, beginning at another time."""
    first_ms = min(post.seen_ms for post in some)
    for post in some:
        if post.seen_ms < first_ms + DAY_MS:
            yield msgspec.structs.replace(post, seen_ms=post.seen_ms - first_ms + begins_ms)


def _chatter(pool: Sequence[Post], seconds: int, drawn: random.Random) -> Iterator[Post]:
    for second in range(seconds):
        post, seen_ms = drawn.choice(pool), START_MS + 1_000 * second
        yield msgspec.structs.replace(post, id=f"chatter:{second}", seen_ms=seen_ms)


def _found(stream: Stream, known: dict[str, tuple[str, bool]], event: str) -> dict[str, object]:
    seen = [p.seen_ms for p in stream.posts if known.get(p.id) == (event, True)]
    listed = [each for each in stream.listed.values() if _about(each[1], known) == event]
    dense = [b for a, b in zip(seen, seen[9:], strict=False) if b - a <= 600_000]
    figures: dict[str, object] = {"posts": len(seen)}
    if listed:
        at_ms, trend = min(listed, key=lambda each: each[0])
        figures["after_first_post_s"] = (at_ms - seen[0]) / 1_000
        figures["posts_before"] = sum(seen_ms < at_ms for seen_ms in seen)
        figures["terms"] = trend.terms
        if dense:
            figures["after_ten_in_ten_minutes_s"] = (at_ms - dense[0]) / 1_000
    else:
        figures["ten_in_ten_minutes"] = bool(dense)
    return figures


def _about(trend: Trend, known: dict[str, tuple[str, bool]]) -> str:
    """Return the event that most shown posts are about; empty when there is none."""
    shown = {trend.first.id, *(each.id for each in trend.examples)}
    events = Counter(known[id][0] for id in shown if id in known and known[id][1])
    event, count = events.most_common(1)[0] if events else ("", 0)
    return event if count > len(shown) / 2 else ""
