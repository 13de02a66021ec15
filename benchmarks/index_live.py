"""How fast posts go into the index and come out: real texts, fresh ids, one process.

Run: python benchmarks/index_live.py <folder of captures> [posts] [--json]. Captures are gzipped
JSON lines with `text` or `title`; they are repeated when there are fewer texts than posts.
"""

import gzip
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from fairwitness.index import LiveIndex, Query
from fairwitness.posts import clean
from fairwitness.posts.post import Event, Post, Posted

BATCH = 2_000
SEED = 7
QUESTIONS = (
    "what is the latest on the flood in alberta",
    "boston bombing suspects",
    "terremoto",
    "the",
    "of the in and to",
    "#yolanda help",
    "train crash new york",
    "who won the game last night",
)


def main() -> None:
    folder = Path(sys.argv[1])
    count = int(next((a for a in sys.argv[2:] if a.isdigit()), "100000"))
    posts = compose(texts(folder, count))
    home = Path(tempfile.mkdtemp(prefix="index-bench-"))
    try:
        figures = measure(home / "index", posts)
    finally:
        shutil.rmtree(home)
    if "--json" in sys.argv:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:12.3f}")


def texts(folder: Path, count: int) -> list[str]:
    found = []
    for path in sorted(folder.glob("crisislex/t*.gz")) + sorted(folder.glob("reddit*/*.gz")):
        with gzip.open(path, "rt") as file:
            for line in file:
                row = json.loads(line)
                found.append(row.get("text") or f"{row['title']}\n{row.get('selftext') or ''}")
    random.Random(SEED).shuffle(found)
    return list(islice(cycle(found), count))


def compose(found: list[str]) -> list[Post]:
    start_ms = 1_700_000_000_000
    return [
        Post(
            id=f"at://did:plc:{i % 5000:024}/app.bsky.feed.post/{i:013}",
            network="bluesky",
            author=f"someone{i % 5000}.bsky.social",
            author_id=f"did:plc:{i % 5000:024}",
            text=text.strip(),
            created_ms=start_ms + i,
            seen_ms=start_ms + i + 500,
            lang="en",
            hashtags=clean.hashtags_in(text),
            mentions=clean.mentions_in(text),
            links=clean.links_in(text),
        )
        for i, text in enumerate(found)
    ]


def measure(folder: Path, posts: list[Post]) -> dict[str, float]:
    before_mb = rss_mb()
    index = LiveIndex.open(folder)
    novel_s = apply_s = 0.0
    refresh_ms = []
    for at in range(0, len(posts), BATCH):
        events: list[Event] = [Posted(post) for post in posts[at : at + BATCH]]
        started = time.perf_counter()
        events = index.novel(events)
        sorted_out = time.perf_counter()
        index.apply(events, at + BATCH)
        applied = time.perf_counter()
        index.refresh()
        refresh_ms.append(1e3 * (time.perf_counter() - applied))
        novel_s += sorted_out - started
        apply_s += applied - sorted_out
    seconds = novel_s + apply_s + sum(refresh_ms) / 1e3
    checkpoint_ms = 1e3 * timed(index.checkpoint)
    search_ms = sorted(searches(index))
    windowed_ms = sorted(searches(index, since_ms=posts[len(posts) // 2].created_ms))
    past_ms = sorted(searches(index, as_of_ms=posts[len(posts) // 2].seen_ms))
    stats_ms = 1e3 * timed(index.stats)
    stats = index.stats()
    index.close()
    started = time.perf_counter()
    index = LiveIndex.open(folder)
    open_ms = 1e3 * (time.perf_counter() - started)
    index.close()
    late = sorted(refresh_ms[-10:])
    return {
        "posts": len(posts),
        "text_bytes_per_post": sum(len(p.text.encode()) for p in posts) / len(posts),
        "novel_us_per_post": 1e6 * novel_s / len(posts),
        "apply_us_per_post": 1e6 * apply_s / len(posts),
        "posts_per_s_searchable": len(posts) / seconds,
        "refresh_2000_posts_p50_ms": late[len(late) // 2],
        "refresh_2000_posts_max_ms": max(refresh_ms),
        "checkpoint_ms": checkpoint_ms,
        "search_p50_ms": search_ms[len(search_ms) // 2],
        "search_p95_ms": search_ms[int(0.95 * len(search_ms))],
        "search_half_window_p50_ms": windowed_ms[len(windowed_ms) // 2],
        "search_as_of_middle_p50_ms": past_ms[len(past_ms) // 2],
        "stats_ms": stats_ms,
        "disk_bytes_per_post": stats.size_bytes / len(posts),
        "open_ms": open_ms,
        "rss_grown_mb": rss_mb() - before_mb,
    }


def searches(
    index: LiveIndex, since_ms: int | None = None, as_of_ms: int | None = None
) -> list[float]:
    taken_ms = []
    for question in QUESTIONS * 10:
        query = (
            Query(words=question) if since_ms is None else Query(words=question, since_ms=since_ms)
        )
        started = time.perf_counter()
        index.search(query, as_of_ms=as_of_ms)
        taken_ms.append(1e3 * (time.perf_counter() - started))
    return taken_ms


def timed(action: object) -> float:
    started = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - started


def rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
