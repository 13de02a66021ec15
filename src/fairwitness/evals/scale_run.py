"""How figures grow with the number of posts: one home that grows, measured at each size.

The home is filled by the road itself, on a virtual clock: a day of it is `DAY_POSTS` posts. It
stays between two runs when its folder does, and the log's cursor says how many posts it holds: so
a run that was interrupted goes on where it was. A home of other code or other texts is begun anew.
"""

import asyncio
import contextlib
import os
import shutil
import statistics
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import msgspec

from fairwitness.evals.apart import RunFailed, apart
from fairwitness.evals.asking import DAY_MS, HITS, QUESTIONS
from fairwitness.evals.feeding import NAME, Lived, Stored, moment_ms
from fairwitness.evals.figures import percentiles
from fairwitness.evals.live_run import Told
from fairwitness.evals.machine import commit
from fairwitness.evals.memory import rss_bytes
from fairwitness.home import Home
from fairwitness.index import LiveIndex
from fairwitness.posts.apart import Apart
from fairwitness.posts.clock import VirtualClock

_ROWS = "rows.json"
_ROUNDS = 5
_TELL_S = 0.5
_OPENED = 3


class ScaleRow(msgspec.Struct, frozen=True):
    """The figures of one size."""

    posts: int
    query_day_p99_ms: float
    query_all_p99_ms: float
    bytes_per_post: float
    """Of the index; the log is counted by itself."""
    open_s: float
    """From nothing to a home that takes in and answers: lock, log, index; the median of three."""
    query_day_p50_ms: float
    query_all_p50_ms: float
    log_bytes_per_post: float
    reader_open_s: float
    """To open the index alone, for reading."""
    reader_rss_gb: float
    """Of a process that has asked all questions."""
    built_posts_per_s: float
    """How fast the posts since the size before were taken in."""


class Kept(msgspec.Struct):
    """What stands beside a home that grows."""

    made_by: str
    """The commit, and how large the firehose is."""
    rows: list[ScaleRow]


class Filled(NamedTuple):
    """How far the home is."""

    posts: int
    added: int
    seconds: float


class Read(NamedTuple):
    """What a fresh process found."""

    reader_open_s: float
    day_ms: list[float]
    all_ms: list[float]
    rss_bytes: int
    open_s: float


def grow(folder: Path, tails: Path, sizes: Sequence[int], told: Told, done: list[ScaleRow]) -> None:
    """Grow the home in `folder` to each of `sizes` and append its row to `done`.

    Rows are kept beside the home; the sizes that it has passed already are taken from there.
    """
    kept = _kept(folder, f"{commit()} {tails.stat().st_size}")
    rows = {row.posts: row for row in kept.rows}
    for size in sizes:
        if size not in rows:
            grown = filled(folder / "home", tails, size, told)
            told(f"asking {size:,} posts", 0, 1)
            (read,) = apart(_read, folder / "home", moment_ms(size))
            rows[size] = _row(folder / "home", grown, read)
            kept.rows.append(rows[size])
            _keep(folder, kept)
        done.append(rows[size])


def size_bytes(folder: Path) -> int:
    """Return what a folder takes on disk: blocks, for files may have holes."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # merges remove what they merged
            total += path.stat().st_blocks * 512
    return total


def _kept(folder: Path, made_by: str) -> Kept:
    path = folder / _ROWS
    if path.exists():
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        if kept.made_by == made_by:
            return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept = Kept(made_by, [])
    _keep(folder, kept)
    return kept


def _keep(folder: Path, kept: Kept) -> None:
    (folder / _ROWS).write_bytes(msgspec.json.encode(kept))


def filled(home: Path, tails: Path, size: int, told: Told) -> Filled:
    """Fill a home with stored posts until it holds `size`, from where it is; raises RunFailed."""
    by_then = Filled(0, 0, 0.0)
    for by_then in apart(_fill, home, tails, size):
        told(f"growing to {size:,} posts", by_then.posts, size)
    if by_then.posts != size:
        raise RunFailed(f"{home} holds {by_then.posts:,} posts where {size:,} are to be measured")
    return by_then


def _fill(folder: Path, tails: Path, size: int, tell: Connection) -> None:
    clock = VirtualClock()
    home = Home(folder, "bench")
    home.use_clock(clock)
    over = threading.Event()

    def posts() -> int:
        state = home.log.sources.get(NAME)
        return int(state.cursor or 0) if state else 0

    before, began_s = posts(), time.monotonic()

    def report() -> None:
        while not over.wait(_TELL_S):
            tell.send(Filled(posts(), posts() - before, time.monotonic() - began_s))

    teller = threading.Thread(target=report, daemon=True)
    teller.start()
    try:
        asyncio.run(home.listen([Lived(Apart(Stored(tails, size)), clock)]))
    finally:
        over.set()
        teller.join()
        home.close()
    tell.send(Filled(posts(), posts() - before, time.monotonic() - began_s))


def _read(folder: Path, now_ms: int, tell: Connection) -> None:
    began_s = time.monotonic()
    index = LiveIndex.open(folder / "index", read_only=True)
    reader_open_s = time.monotonic() - began_s
    _asked_ms(index, now_ms, DAY_MS)  # once over everything, as any reader that is not new
    day_ms = [ms for _ in range(_ROUNDS) for ms in _asked_ms(index, now_ms, DAY_MS)]
    all_ms = [ms for _ in range(_ROUNDS) for ms in _asked_ms(index, now_ms, 0)]
    resident = rss_bytes(os.getpid())
    index.close()
    open_s = statistics.median(_open_s(folder) for _ in range(_OPENED))
    tell.send(Read(reader_open_s, day_ms, all_ms, resident, open_s))


def _asked_ms(index: LiveIndex, now_ms: int, within_ms: int) -> list[float]:
    """Return how long each question took, over the last `within_ms` (0: over all)."""
    taken_ms = []
    for question in QUESTIONS:
        query = question._replace(within_s=within_ms // 1000).query(now_ms)
        began_s = time.perf_counter()
        index.search(query, limit=HITS)
        taken_ms.append(1e3 * (time.perf_counter() - began_s))
    return taken_ms


def _open_s(folder: Path) -> float:
    began_s = time.monotonic()
    home = Home(folder, "bench")
    open_s = time.monotonic() - began_s
    home.close()
    return open_s


def _row(home: Path, filled: Filled, read: Read) -> ScaleRow:
    day, whole = percentiles(read.day_ms), percentiles(read.all_ms)
    return ScaleRow(
        posts=filled.posts,
        query_day_p99_ms=day.p99,
        query_all_p99_ms=whole.p99,
        bytes_per_post=round(size_bytes(home / "index") / filled.posts, 1),
        open_s=round(read.open_s, 3),
        query_day_p50_ms=day.p50,
        query_all_p50_ms=whole.p50,
        log_bytes_per_post=round(size_bytes(home / "log") / filled.posts, 1),
        reader_open_s=round(read.reader_open_s, 3),
        reader_rss_gb=round(read.rss_bytes / 1e9, 3),
        built_posts_per_s=round(filled.added / filled.seconds),
    )
