"""How soon trends show what bursts, what else they show, and what they cost.

Run: python benchmarks/trends.py <folder of captures> [--minutes N] [--json]. Two kinds of streams:

- made: real texts drawn again and again at X's average rate, with fresh times and authors, into
  which bursts of a new word are put. Nothing else bursts, so any other trend is a false alarm.
- real: captures played in their own time. Crises overlap each other and chatter, each shifted to
  begin within one day. A trend is of a crisis when most posts that it shows are.
"""

import argparse
import asyncio
import gzip
import json
import random
import resource
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.index.trends import PostItems, Trend, Trends, items_in
from fairwitness.index.trends.sketch import TICK_MS, Bounds
from fairwitness.posts.clock import VirtualClock, from_iso
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.sources.replay import Replay

SEED = 7
X_AVERAGE_PER_S = 5_787
BATCH = 4_000
START_MS = 1_700_000_000_000
BURSTS_PER_S = (1, 5, 20, 100)
BURST_S = 120
WARM_MINUTES = 25
DAY_MS = 86_400_000

# When it happened, UTC, where it was an instant; from the articles that events.json names.
INSTANTS = {
    "2013_Boston_Bombings": "2013-04-15T18:49:00Z",
    "2013_West_Texas_Explosion": "2013-04-18T00:50:38Z",
    "2013_Oklahoma_Tornado": "2013-05-20T19:56:00Z",
}
# The fight ended in its tenth round; the capture's own posts say so from then on.
KNOCKOUT = "2017-08-27T04:51:30Z"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=int, default=60, help="of the made stream")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = texts(asked.folder)
    figures = {
        "made": made(found, asked.minutes),
        "cost": cost(found),
        "fight": fight(asked.folder),
        "instants": instants(asked.folder),
        "crises": crises(asked.folder, found),
        "rumours": rumours(asked.folder, found),
        "bound_mb": round(Bounds().size_bytes() / 1e6, 1),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }
    print(json.dumps(figures, indent=None if asked.json else 2, ensure_ascii=False))


# --- streams -------------------------------------------------------------------------------------


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


def texts(folder: Path) -> list[Post]:
    """Return posts of all kinds, to draw from: of each text one."""
    names = (
        *("crisislex/t6_labeled", "crisislex/t26_labeled.dev", "airline-tweets/posts"),
        *("usc-x-24-us-election/posts.dev", "telegram-ru-news/posts"),
        *("reddit-top-2013/posts_subset", "weibo-ced-rumour/originals.dev"),
    )
    found = {post.text: post for name in names for post in capture(folder / f"{name}.jsonl.gz")}
    posts = list(found.values())
    random.Random(SEED).shuffle(posts)
    return posts


# --- the made stream -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Injected:
    word: str
    per_s: int
    begins_ms: int


class Made:
    """Batches of posts drawn from a pool, with bursts put in. Ordinals are rows of the pool."""

    def __init__(self, pool: Sequence[Post], minutes: int) -> None:
        self.random = np.random.default_rng(SEED)
        self.minutes = minutes
        self.bursts = self._bursts()
        self.stream = Stream([*pool, *(self._shown(burst) for burst in self.bursts)])
        self._drawn = items_in(pool, 0, self.stream.number)
        self._pool = len(pool)
        self._words = [_word(burst.word) for burst in self.bursts]

    def _bursts(self) -> list[Injected]:
        begin_ms = START_MS + WARM_MINUTES * 60_000
        until_ms = START_MS + self.minutes * 60_000 - BURST_S * 1_000
        at_ms, found = begin_ms, []
        while at_ms < until_ms:
            per_s = BURSTS_PER_S[len(found) % len(BURSTS_PER_S)]
            found.append(Injected(f"zorb{len(found)}lat", per_s, at_ms))
            at_ms += int(self.random.integers(20_000, 40_000))
        return found

    def _shown(self, burst: Injected) -> Post:
        return Post(
            id=burst.word,
            network="x",
            author=burst.word,
            author_id="",
            text=burst.word,
            created_ms=burst.begins_ms,
            seen_ms=burst.begins_ms,
        )

    def run(self, per_s: int = X_AVERAGE_PER_S) -> None:
        batch_ms = 1_000 * BATCH // per_s
        for at_ms in range(START_MS, START_MS + self.minutes * 60_000, batch_ms):
            self.stream.see(self.batch(at_ms, batch_ms))
        self.stream.trends.advance(START_MS + self.minutes * 60_000 + TICK_MS)

    def batch(self, at_ms: int, long_ms: int) -> PostItems:
        rows = self.random.integers(0, self._pool, BATCH)
        drawn = self._drawn.part(rows)
        # A hundredth of the accounts write a fifth of all posts.
        authors = np.where(
            self.random.random(BATCH) < 0.2,
            self.random.integers(1, 20_000, BATCH),
            self.random.integers(20_000, 2_000_000, BATCH),
        ).astype(np.uint64)
        seen_ms = np.sort(self.random.integers(at_ms, at_ms + long_ms, BATCH))
        drawn = replace(drawn, authors=authors, seen_ms=seen_ms, copies=np.zeros_like(drawn.copies))
        for number, burst in enumerate(self.bursts):
            if burst.begins_ms - long_ms < at_ms < burst.begins_ms + BURST_S * 1_000:
                drawn = self._with(drawn, number, burst, at_ms, long_ms)
        return drawn

    def _with(
        self, drawn: PostItems, number: int, burst: Injected, at_ms: int, long_ms: int
    ) -> PostItems:
        """Put the burst's word in the place of the first word of some posts."""
        count = self.random.poisson(burst.per_s * long_ms / 1_000)
        chosen = self.random.choice(BATCH, min(count, BATCH), replace=False)
        starts = drawn.word_starts
        chosen = chosen[(starts[1:] > starts[:-1])[chosen]]
        chosen = chosen[drawn.seen_ms[chosen] >= burst.begins_ms]
        drawn.words[starts[chosen]] = self._words[number]
        drawn.ordinals[chosen] = self._pool + number
        return drawn


def _word(word: str) -> int:
    post = Post(id="", network="x", author="", author_id="", text=word, created_ms=0, seen_ms=0)
    return int(items_in([post], 0, lambda _: 0).words[0])


def made(pool: Sequence[Post], minutes: int) -> dict[str, object]:
    """Return delays of injected bursts by size, and what was listed beside them."""
    stream = Made(pool, minutes)
    stream.run()
    listed = stream.stream.listed
    first_ms: dict[str, int] = {}
    for (name, _), (at_ms, _) in listed.items():
        first_ms[name] = min(at_ms, first_ms.get(name, at_ms))
    injected = {burst.word for burst in stream.bursts}
    others = sorted(set(first_ms) - injected)
    hours = (minutes - 2) / 60
    return {
        "posts_per_s": X_AVERAGE_PER_S,
        "minutes": minutes,
        "delay_s": {str(n): _delays(stream.bursts, n, first_ms) for n in BURSTS_PER_S},
        "listed": len(first_ms),
        "false": len(others),
        "false_per_hour": round(len(others) / hours, 2),
        "precision": round(1 - len(others) / max(1, len(first_ms)), 3),
        "false_names": others[:10],
    }


def _delays(bursts: Sequence[Injected], per_s: int, first_ms: dict[str, int]) -> dict[str, object]:
    of_size = [burst for burst in bursts if burst.per_s == per_s]
    delays = [
        (first_ms[burst.word] - burst.begins_ms) / 1_000
        for burst in of_size
        if burst.word in first_ms
    ]
    found = {"bursts": len(of_size), "found": len(delays)}
    if delays:
        found |= {"median": statistics.median(delays), "max": max(delays)}
    return found


def cost(pool: Sequence[Post]) -> dict[str, object]:
    """Return what a post costs at X's average and at 30,000 a second, beside making its items."""
    started = time.thread_time()
    items_in(pool[:20_000], 0, lambda _: 0)
    figures: dict[str, object] = {"items_us": round((time.thread_time() - started) / 0.02, 2)}
    for per_s in (X_AVERAGE_PER_S, 30_000):
        stream = Made(pool, 2)
        stream.run(per_s)
        posts = stream.stream.trends._recent.posts_seen
        figures[f"see_us_at_{per_s}"] = round(1e6 * stream.stream.see_s / posts, 2)
    return figures | {"words_per_post": round(len(stream._drawn.words) / len(pool), 1)}


# --- captures ------------------------------------------------------------------------------------


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
    """Return how long after the instant a crisis was listed, each in its own capture."""
    path = folder / "crisislex/t6_labeled.jsonl.gz"
    known, posts = labels(path), capture(path)
    figures = {}
    for event, moment in INSTANTS.items():
        stream = Stream([post for post in posts if known[post.id][0] == event])
        stream.play()
        moment_ms = from_iso(moment)
        about = [p.seen_ms for p in stream.posts if known[p.id][1] and p.seen_ms >= moment_ms]
        after = [each for each in stream.listed.values() if each[0] >= moment_ms]
        at_ms, trend = min(after, key=lambda each: each[0])
        figures[event] = {
            "after_instant_s": (at_ms - moment_ms) / 1_000,
            "first_post_after_instant_s": (about[0] - moment_ms) / 1_000,
            "posts_about_it_before": sum(seen_ms < at_ms for seen_ms in about),
            "terms": trend.terms,
            "listed_in_the_hours_before": len(stream.listed) - len(after),
        }
    return figures


def crises(folder: Path, pool: Sequence[Post]) -> dict[str, object]:
    """Return how soon crises are listed among each other and a post of chatter a second."""
    path = folder / "crisislex/t26_labeled.dev.jsonl.gz"
    chatter = [post for post in pool if "crisislex" not in post.id]
    return mixed(capture(path), labels(path), chatter)


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
    """Return the event that most shown posts are of; empty when there is none."""
    shown = {trend.first.id, *(each.id for each in trend.examples)}
    events = Counter(known[id][0] for id in shown if id in known)
    event, count = events.most_common(1)[0] if events else ("", 0)
    return event if count > len(shown) / 2 else ""


if __name__ == "__main__":
    main()
