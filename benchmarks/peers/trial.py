"""One peer, put to the test: how many posts a second it takes in while they are found within 1 s.

Run by run.py in the peers' own Python. First as fast as it can, which says where to look; then at
fixed rates, from nine tenths of that downwards (or less, where even then posts were found late),
until a rate is kept: posts that are owed do not pile up, and 99 of 100 probes are found within a
second of being due. Questions are asked ten times a second meanwhile, each timed from when it was
due. No rate is tried for which the time that is left would not do.
"""

import argparse
import importlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from peer import Asked, Post, Reader, Writer

FRESH_S = 1.0
BATCH_S = 0.25
ASK_HZ = 10
PROBE_HZ = 5
FEWEST_HZ = 50.0
_DRAIN_S = 20.0
_PRELOAD = 5_000
_LOOK_S = 0.05


class Posts:
    """The posts of the run in order, with vectors; they begin again when there are no more."""

    def __init__(self, folder: Path) -> None:
        self._lines = (folder / "posts.jsonl").read_bytes().splitlines()
        self._vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        self._next = 0

    def take(self, count: int) -> list[Post]:
        """Return the next `count` posts, with ids of their own."""
        first, self._next = self._next, self._next + count
        return [self._post(number) for number in range(first, first + count)]

    def probe(self, word: str) -> Post:
        """Return a post that is `word`."""
        (post,) = self.take(1)
        return post._replace(text=word)

    def _post(self, number: int) -> Post:
        at = number % len(self._lines)
        row = json.loads(self._lines[at])
        vector = self._vectors[at].astype(np.float32)
        return Post(number + 1, row["text"], row["author"], row["lang"], row["created_ms"], vector)


class Watcher:
    """Asks and looks for probes in threads, on readers of their own."""

    def __init__(self, opened: Callable[[], Reader], questions: list[Asked]) -> None:
        self._opened, self._questions = opened, questions
        self._out: deque[tuple[str, float]] = deque()
        self._over = threading.Event()
        self.query_ms: list[float] = []
        self.fresh_s: list[float] = []
        self.failures: list[str] = []
        self.hits = 0
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,)) for work in (self._ask, self._look)
        ]
        for thread in self._threads:
            thread.start()

    def expect(self, word: str, due_s: float) -> None:
        self._out.append((word, due_s))

    def stop(self) -> dict[str, Any]:
        """Wait a little for the last probes, and return what was seen."""
        deadline_s = time.monotonic() + _DRAIN_S
        while self._out and time.monotonic() < deadline_s and not self.failures:
            time.sleep(_LOOK_S)
        self._over.set()
        for thread in self._threads:
            thread.join()
        overdue = [time.monotonic() - due_s for _, due_s in self._out]
        return {
            "query_ms": self.query_ms,
            "fresh_s": self.fresh_s + overdue,
            "missing": len(overdue),
            "failures": self.failures,
            "hits": self.hits,
        }

    def _guarded(self, work: Callable[[Reader], None]) -> None:
        try:
            reader = self._opened()
            work(reader)
            reader.close()
        except Exception as error:  # whatever a peer raises is its result
            self.failures.append(f"{type(error).__name__}: {error}"[:500])

    def _ask(self, reader: Reader) -> None:
        began_s = time.monotonic()
        turn = 0
        while not self._over.is_set():
            due_s = began_s + turn / ASK_HZ
            if self._over.wait(max(0.0, due_s - time.monotonic())):
                return
            self.hits += reader.search(self._questions[turn % len(self._questions)], 20)
            self.query_ms.append(1e3 * (time.monotonic() - due_s))
            turn += 1

    def _look(self, reader: Reader) -> None:
        while not self._over.wait(_LOOK_S):
            while self._out and reader.has(self._out[0][0]):
                self.fresh_s.append(time.monotonic() - self._out.popleft()[1])


class Apart:
    """A watcher in another process, where the peer allows it."""

    def __init__(self, peer: str, address: str, questions: list[Asked]) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, theirs = context.Pipe()
        words = (peer, address, questions, theirs)
        self._process = context.Process(target=_watch, args=words, daemon=True)
        self._process.start()
        theirs.close()
        self._orders.recv()

    def expect(self, word: str, due_s: float) -> None:
        self._orders.send((word, due_s))

    def stop(self) -> dict[str, Any]:
        self._orders.send(None)
        seen: dict[str, Any] = self._orders.recv()
        self._process.join(10)
        self._process.kill()
        return seen


def _watch(peer: str, address: str, questions: list[Asked], orders: Connection) -> None:
    module: Any = importlib.import_module(peer)
    watcher = Watcher(lambda: module.Reader(address), questions)
    orders.send("ready")
    while (expected := orders.recv()) is not None:
        watcher.expect(*expected)
    orders.send(watcher.stop())


def main() -> None:
    options = _options()
    module: Any = importlib.import_module(options.peer)
    questions = [
        Asked(q["words"], q["lang"], np.array(q["vector"], np.float32))
        for q in json.loads((options.data / "questions.json").read_text())
    ]
    result: dict[str, Any] = {"version": module.Writer.version, "settings": module.Writer.settings}
    try:
        result |= _best(options, module, questions)
    except Exception as error:  # whatever a peer raises is its result
        traceback.print_exc()
        result["error"] = f"{type(error).__name__}: {error}"[:500]
    options.out.write_text(json.dumps(result, indent=1))


def _best(options: argparse.Namespace, module: Any, questions: list[Asked]) -> dict[str, Any]:
    """Return the figures at the highest rate that is kept, or at the lowest that was tried."""
    began_s = time.monotonic()
    longest_s = 0.0

    def tried(rate_hz: float, seconds: float) -> dict[str, Any]:
        nonlocal longest_s
        this_s = time.monotonic()
        seen = _trial(options, module, questions, rate_hz, seconds)
        longest_s = max(longest_s, time.monotonic() - this_s)
        _tell(options.peer, f"at {rate_hz:.0f} posts/s", seen)
        rates.append(rate_hz)
        return seen

    def is_time() -> bool:
        return time.monotonic() - began_s + longest_s < options.within

    rates: list[float] = []
    flat_out = tried(float("inf"), options.seconds / 2)
    rate_hz = _lower(flat_out) * flat_out["ingest_posts_per_s"]
    seen = tried(rate_hz, options.seconds)
    while not seen["kept"] and rate_hz > FEWEST_HZ and is_time():
        failed_hz, rate_hz = rate_hz, max(rate_hz * min(_lower(seen), 0.75), FEWEST_HZ)
        seen = tried(rate_hz, options.seconds)
        if seen["kept"] and is_time():  # once more between what was kept and what was not
            between = tried((failed_hz * rate_hz) ** 0.5, options.seconds)
            seen = between if between["kept"] else seen
    found = {"flat_out_posts_per_s": flat_out["ingest_posts_per_s"]}
    took_s = round(time.monotonic() - began_s, 1)
    return {**seen, **found, "tried_hz": [round(rate) for rate in rates[1:]], "took_s": took_s}


def _lower(seen: dict[str, Any]) -> float:
    """Return what share of a rate to try next: the less, the later posts were found."""
    fresh_p99_s = seen["freshness_s"]["p99"]
    if fresh_p99_s < FRESH_S:
        return 0.9
    return 0.6 if fresh_p99_s < 3 * FRESH_S else 0.4 if fresh_p99_s < 10 * FRESH_S else 0.2


def _trial(
    options: argparse.Namespace, module: Any, questions: list[Asked], rate_hz: float, seconds: float
) -> dict[str, Any]:
    """Fill a fresh store, then take posts in at a rate for some seconds."""
    folder = Path(tempfile.mkdtemp(prefix="peer-", dir=options.work))
    folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
    try:
        writer: Writer = module.Writer(folder)
        try:
            return _taken_in(options, writer, questions, rate_hz, seconds)
        finally:
            writer.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _taken_in(
    options: argparse.Namespace,
    writer: Writer,
    questions: list[Asked],
    rate_hz: float,
    seconds: float,
) -> dict[str, Any]:
    posts = Posts(options.data)
    for size in _in_steps(options.preload):
        writer.add(posts.take(size))
        writer.tend()
    if options.preload:
        writer.settle()
    watcher: Apart | Watcher = (
        Apart(options.peer, writer.address(), questions)
        if writer.separate
        else Watcher(writer.reader, questions)
    )
    said, behind, took_s = _say(writer, posts, watcher, rate_hz, seconds)
    seen = watcher.stop()
    if seen["failures"]:
        raise RuntimeError("; ".join(seen["failures"]))
    if not seen["query_ms"] or not seen["fresh_s"]:
        raise RuntimeError("not one question was answered, or no probe was said")
    fresh_s, query_ms = np.array(seen["fresh_s"]), np.array(seen["query_ms"])
    ranks = {"method": "higher"}
    fresh_p99_s = float(np.percentile(fresh_s, 99, **ranks))
    stored = options.preload + said
    return {
        "ingest_posts_per_s": round(said / took_s),
        "query_ms": _both(query_ms, 2),
        "freshness_s": _both(fresh_s, 3),
        "bytes_per_post": round(writer.size_bytes() / stored, 1),
        "kept": fresh_p99_s < FRESH_S and not seen["missing"] and behind <= 2 * BATCH_S * rate_hz,
        "posts": stored,
        "hits_each": round(seen["hits"] / len(query_ms), 1),
        "questions": len(query_ms),
        "missing_probes": seen["missing"],
    }


def _say(
    writer: Writer, posts: Posts, watcher: "Apart | Watcher", rate_hz: float, seconds: float
) -> tuple[int, int, float]:
    """Return how many posts were taken in, how many are owed, and how long it took."""
    began_s = time.monotonic()
    said, probed_s, size = 0, -1.0, 500
    while (now_s := time.monotonic() - began_s) < seconds:
        flat_out = rate_hz == float("inf")
        count = size if flat_out else min(int(now_s * rate_hz) - said, int(rate_hz) + 1)
        batch = posts.take(count)
        word = f"zqprobe{said}x" if batch and now_s - probed_s >= 1 / PROBE_HZ else ""
        if word:
            batch.append(posts.probe(word))
            probed_s = now_s
        said += len(batch)
        if batch:
            writer.add(batch)
        if word:
            # Due when the schedule came to it, though it may be said later.
            watcher.expect(word, began_s + (now_s if flat_out else said / rate_hz))
        writer.tend()
        took_s = time.monotonic() - began_s - now_s
        size = min(2 * size, 20_000) if took_s < BATCH_S else max(size // 2, 50)
        if not flat_out:
            time.sleep(max(0.0, BATCH_S - took_s))
    took_s = time.monotonic() - began_s
    owed = 0 if rate_hz == float("inf") else max(int(took_s * rate_hz) - said, 0)
    return said, owed, took_s


def _both(values: Any, digits: int) -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99], method="higher").tolist()
    return {"p50": round(p50, digits), "p99": round(p99, digits)}


def _in_steps(count: int) -> Iterator[int]:
    for first in range(0, count, _PRELOAD):
        yield min(_PRELOAD, count - first)


def _tell(peer: str, what: str, seen: dict[str, Any]) -> None:
    figures = {key: seen[key] for key in ("ingest_posts_per_s", "query_ms", "freshness_s", "kept")}
    print(f"{peer} {what}: {figures}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--preload", type=int, required=True)
    parser.add_argument("--within", type=float, default=1800.0, help="seconds for all rates")
    return parser.parse_args()


if __name__ == "__main__":
    main()
