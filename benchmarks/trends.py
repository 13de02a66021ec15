"""How soon trends show what bursts, what else they show, and what they cost.

Run: python benchmarks/trends.py <folder of captures> [--minutes N] [--json]. Two kinds of streams:

- made: real texts drawn again and again at X's average rate, with fresh times and authors, into
  which bursts of a new word are put. Nothing else bursts, so any other trend is a false alarm.
- real: captures; see trends_captures.py.
"""

import argparse
import json
import random
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from trends_captures import BATCH, SEED, START_MS, Stream, capture, crises, fight, instants, rumours

from fairwitness.index.trends import PostItems, items_in
from fairwitness.index.trends.sketch import TICK_MS, Bounds
from fairwitness.posts.post import Post

X_AVERAGE_PER_S = 5_787
BURSTS_PER_S = (1, 5, 20, 100)
BURST_S = 120
WARM_MINUTES = 25


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


if __name__ == "__main__":
    main()
