"""How fast a question is answered, and how soon a post can be: the main job, timed end to end.

Nothing is taken out of the road: posts are parsed, cleaned, their language detected, logged with
fsync and indexed, as in `fairwitness up`; questions go through `answers.ask` with the model that
writes. The posts are those of the bundled sample, repeated with ids of their own.
"""

import asyncio
import gzip
import importlib.resources
import itertools
import json
import statistics
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.answers import Finished, ask
from fairwitness.engine import ChatModel
from fairwitness.evals.machine import commit, machine, rss_gb
from fairwitness.home import Home
from fairwitness.index import Query
from fairwitness.posts import clean
from fairwitness.posts.clock import SystemClock, VirtualClock
from fairwitness.posts.compose import Parts, compose
from fairwitness.posts.post import Posted
from fairwitness.posts.source import SourceBatch
from fairwitness.posts.sources.replay import Replay

QUESTIONS = (
    "Who won the fight?",
    "How many people died in the Brazil nightclub fire?",
    "¿Qué magnitud tuvo el terremoto de Costa Rica?",
    "¿Cuántos muertos hubo en el accidente de tren en Santiago de Compostela?",
    "Quante vittime ha causato l'alluvione in Sardegna?",
    "Cosa è successo in Sardegna?",
    "O que aconteceu em Santa Maria?",
    "哪里发生了地震？",
    "What did the volcano in Iceland do?",
    "Did McGregor win?",
)
"""In five languages; one of them has no witness in the sample."""

_TICK_S = 0.02
_PROBE_EVERY = 5  # ticks: ten probes a second


class Percentiles(msgspec.Struct, frozen=True, omit_defaults=True):
    """The middle and the tail."""

    p50: float
    p95: float = 0.0
    p99: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """What `fairwitness bench ask --json` prints."""

    first_sentence_ms: Percentiles
    total_ms: Percentiles
    ingest_posts_per_s: float
    freshness_s: Percentiles
    rss_gb: float
    posts: int
    questions: int
    stream_posts_per_s: float
    """Rate at which posts came in while freshness was measured."""
    model: str
    machine: str
    commit: str


def bench_ask(
    folder: Path,
    chat: Callable[[], ChatModel | None],
    *,
    posts: int,
    rate_hz: int,
    seconds: float,
    rounds: int,
    told: Callable[[str], None],
) -> Report:
    """Measure in the empty `folder`: ingest `posts`, ask every question `rounds` times, then take
    in `rate_hz` posts a second for `seconds` and see when they can be found.
    """
    told(f"making {posts:,} posts")
    capture = folder / "bench.jsonl"
    made = _make_capture(capture, posts)
    home = Home(folder / "home", "bench")
    try:
        told("taking them in")
        per_s = _ingest(home, capture, made)
        told("loading the model")
        model = chat()
        _ask_all(home, lambda: model, 1)
        told(f"asking {len(QUESTIONS) * rounds} questions")
        first, total = _ask_all(home, lambda: model, rounds)
        told(f"streaming {rate_hz:,} posts a second for {seconds:g} s")
        found_after, streamed_hz = _freshness(home, rate_hz, seconds)
        return Report(
            first_sentence_ms=Percentiles(_rank(first, 50), _rank(first, 95)),
            total_ms=Percentiles(_rank(total, 50), _rank(total, 95)),
            ingest_posts_per_s=round(per_s),
            freshness_s=Percentiles(_rank(found_after, 50, 3), p99=_rank(found_after, 99, 3)),
            rss_gb=round(rss_gb(), 2),
            posts=home.index.stats().posts,
            questions=len(total),
            stream_posts_per_s=round(streamed_hz),
            model=model.name if model else "none",
            machine=machine(),
            commit=commit(),
        )
    finally:
        home.close()


def _sample() -> list[dict[str, Any]]:
    file = importlib.resources.files("fairwitness.data") / "sample.jsonl.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def _make_capture(path: Path, posts: int) -> int:
    """Write the sample again and again, each row with an id of its own."""
    rows = _sample()
    with path.open("w", encoding="utf-8") as file:
        for number, row in zip(range(posts), itertools.cycle(rows), strict=False):
            again = number // len(rows)
            if again:
                name = row.get("id", row.get("title"))
                row = {**row, "id": f"{name}-{again}", "author": f"{row.get('author', '')}{again}"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return posts


def _ingest(home: Home, capture: Path, rows: int) -> float:
    clock = VirtualClock()
    home.use_clock(clock)
    started_s = time.perf_counter()
    asyncio.run(home.listen([Replay(capture, clock, None)]))
    return rows / (time.perf_counter() - started_s)


def _ask_all(
    home: Home, chat: Callable[[], ChatModel | None], rounds: int
) -> tuple[list[float], list[float]]:
    """Return milliseconds to the first sentence (where there was one) and to the whole answer."""
    desk = home.desk(chat)
    first, total = [], []
    for _ in range(rounds):
        for question in QUESTIONS:
            *_, last = ask(desk, question)
            assert isinstance(last, Finished)
            timing = last.answer.timing_ms
            total.append(timing.total)
            if not last.answer.abstained:
                first.append(timing.first_sentence)
    return first, total


class _Stream:
    """A source that says `rate_hz` posts a second, some of them holding a word of their own."""

    name = "bench"

    def __init__(self, rate_hz: int, seconds: float) -> None:
        self._texts = [row.get("text") or row["title"] for row in _sample()]
        self._rate_hz, self._seconds = rate_hz, seconds
        self.said_s: dict[str, float] = {}
        """When each probe word was said, on the monotonic clock."""
        self.count = 0

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Say so many posts each tick; a late tick says what it owes."""
        clock, texts = SystemClock(), itertools.cycle(self._texts)
        started_s = time.perf_counter()
        for tick in itertools.count():
            due = int(min(time.perf_counter() - started_s, self._seconds) * self._rate_hz)
            said = [next(texts) for _ in range(due - self.count)]
            if tick % _PROBE_EVERY == 0 and said:
                word = f"probe{tick}word"
                said[-1] = f"{said[-1]} {word}"
                self.said_s[word] = time.perf_counter()
            yield SourceBatch(tuple(self._posted(text, clock) for text in said), str(self.count))
            if time.perf_counter() - started_s >= self._seconds:
                return
            await asyncio.sleep(max(0.0, started_s + (tick + 1) * _TICK_S - time.perf_counter()))

    def _posted(self, text: str, clock: SystemClock) -> Posted:
        self.count += 1
        now_ms = clock.now_ms()
        return Posted(
            compose(
                Parts(
                    cleaned=clean.from_escaped(text),
                    id=f"bench:{self.count}",
                    network="bench",
                    author=f"author{self.count % 5000}",
                    author_id=str(self.count % 5000),
                    created_ms=now_ms,
                    seen_ms=now_ms,
                )
            )
        )


def _freshness(home: Home, rate_hz: int, seconds: float) -> tuple[list[float], float]:
    """Return seconds from a probe's saying to its being found, and the rate that was kept."""
    stream = _Stream(rate_hz, seconds)
    home.use_clock(SystemClock())
    after_s: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for word in list(stream.said_s):
                if home.index.search(Query(words=word), limit=1).hits:
                    after_s.append(time.perf_counter() - stream.said_s.pop(word))
            time.sleep(0.005)

    finder = threading.Thread(target=look)
    finder.start()
    started_s = time.perf_counter()
    asyncio.run(home.listen([stream]))
    streamed_hz = stream.count / (time.perf_counter() - started_s)
    deadline_s = time.perf_counter() + 5
    while stream.said_s and time.perf_counter() < deadline_s:
        time.sleep(0.01)
    over.set()
    finder.join()
    lost = len(stream.said_s)
    return after_s + [float("inf")] * lost, streamed_hz


def _rank(values: Sequence[float], percent: float, digits: int = 1) -> float:
    if not values:
        return 0.0
    if len(values) == 1:
        return round(values[0], digits)
    cuts: Iterator[float] = iter(statistics.quantiles(values, n=100, method="inclusive"))
    return round(list(cuts)[int(percent) - 1], digits)
