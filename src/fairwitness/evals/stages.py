"""What each stage of a post's road costs, by itself: microseconds of processor a post.

One stage does its work for all posts before the next begins, in batches as on the road, so that a
figure is that stage's alone. Where threads work along (merges of words), the time of the whole
process is taken. The sum is what the road must cost; what the live run takes beyond it is
coordination.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import zstandard

from fairwitness.evals.feeding import NAME, moment_ms
from fairwitness.evals.firehose import Firehose
from fairwitness.index import LiveIndex, meaning
from fairwitness.index.copies import Copies
from fairwitness.index.trends import Trends, items_in
from fairwitness.kernels.texts import Texts, pack
from fairwitness.posts import clean, language
from fairwitness.posts.compose import Parts, compose_all
from fairwitness.posts.log import Batch
from fairwitness.posts.post import Event, Post, Posted
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import read_lines
from fairwitness.posts.sources.lines import Line, Lines
from fairwitness.posts.sources.x_posts import Message

POSTS = 20_000
READ_TOGETHER = 1_000
"""Lines that are read together."""
WRITTEN_TOGETHER = 4_000
"""Events under one sync and one refresh, as on the road when posts are many."""

_REPEATS = 3
T = TypeVar("T")
_message = msgspec.json.Decoder(Message).decode


def measure(firehose: Firehose, folder: Path, posts: int = POSTS) -> dict[str, float]:
    """Return microseconds a post of each stage, in the order of the road."""
    said = firehose.say(0, posts, moment_ms(posts))
    lines = list(Lines().feed(said))
    cost_us = _reading_us(said, lines)
    events = read_lines(lines, Capture(NAME), itertools.repeat(moment_ms(posts)))[0]
    cost_us |= _logging_us(events, folder)
    cost_us |= _index_us(events, folder / "stages")
    cost_us |= _watching_us([event.post for event in events if isinstance(event, Posted)])
    return {name: round(max(cost, 0.0), 2) for name, cost in cost_us.items()}


def _reading_us(said: bytes, lines: Sequence[Line]) -> dict[str, float]:
    """Return what a line costs: `read` is all of it as it is read, the others by themselves.

    Plain lines are read without them, in one pass; others take each in turn.
    """
    batches = list(_batches(lines, READ_TOGETHER))
    texts = [[_text(line) for line in batch] for batch in batches]
    parts = [[_parts(text) for text in batch] for batch in texts]
    ways = [clean.from_escaped] * READ_TOGETHER
    capture, never = Capture(NAME), [0] * READ_TOGETHER
    work: dict[str, Callable[[], object]] = {
        "split": lambda: list(Lines().feed(said)),
        "decode": lambda: [_message(line.data or b"") for line in lines],
        "clean": lambda: [clean.clean_all(batch, ways[: len(batch)]) for batch in texts],
        "language": lambda: [language.detect_all(batch, [""] * len(batch)) for batch in texts],
        "compose": lambda: [compose_all(batch) for batch in parts],
        "read": lambda: [read_lines(batch, capture, never) for batch in batches],
    }
    cost_us = {stage: _us(time.thread_time, each, len(lines)) for stage, each in work.items()}
    cost_us["compose"] -= cost_us["language"]  # composing tells the language
    return cost_us


def _logging_us(events: Sequence[Event], folder: Path) -> dict[str, float]:
    batches = [Batch(NAME, "", tuple(some), 0) for some in _batches(events, WRITTEN_TOGETHER)]
    encode = msgspec.msgpack.Encoder().encode
    compress = zstandard.ZstdCompressor(level=1).compress
    packed = [encode(batch) for batch in batches]
    squeezed = [compress(each) for each in packed]
    return {
        "encode": _us(time.thread_time, lambda: list(map(encode, batches)), len(events)),
        "compress": _us(time.thread_time, lambda: list(map(compress, packed)), len(events)),
        "fsync": _sync_us(folder, squeezed, len(events)),
    }


def _sync_us(folder: Path, records: Sequence[bytes], posts: int) -> float:
    """Return the time on the clock, for waiting for the disk takes no processor."""
    path = folder / "synced"
    with path.open("wb", buffering=0) as file:
        began_s = time.perf_counter()
        for record in records:
            file.write(record)
            os.fdatasync(file.fileno())
        took_s = time.perf_counter() - began_s
    path.unlink()
    return 1e6 * took_s / posts


def _index_us(events: Sequence[Event], folder: Path) -> dict[str, float]:
    index = LiveIndex.open(folder)
    cost_s = dict.fromkeys(("novel", "apply", "words", "checkpoint"), 0.0)

    def timed(stage: str, work: Callable[[], object]) -> None:
        began_s = time.process_time()
        work()
        cost_s[stage] += time.process_time() - began_s

    def take(batch: Sequence[Event], position: int) -> None:
        timed("novel", lambda: index.novel(batch))
        timed("apply", lambda: index.apply(batch, position))
        timed("words", index.refresh)

    for position, batch in enumerate(_batches(events, WRITTEN_TOGETHER), start=1):
        take(batch, position)
    timed("checkpoint", index.checkpoint)
    index.close()
    return {stage: 1e6 * cost / len(events) for stage, cost in cost_s.items()}


def _watching_us(posts: Sequence[Post]) -> dict[str, float]:
    """Return what meaning, copies and trends cost; each post is new to them."""
    batches = list(_batches(posts, WRITTEN_TOGETHER))
    packed = [pack([post.text for post in batch]) for batch in batches]
    # Once each, on tables of their own: a second pass would find everything known.
    copies, trends = Copies(), Trends(lambda _ordinal: None, lambda _lang: "")
    meaning.table()
    return {
        "embed": _us(time.thread_time, lambda: list(map(meaning.codes, packed)), len(posts)),
        "copies": _once_us(lambda: _see_copies(copies, packed), len(posts)),
        "trends": _once_us(lambda: _see_trends(trends, batches), len(posts)),
    }


def _see_copies(copies: Copies, packed: Sequence[Texts]) -> None:
    for texts in packed:
        no_original = np.full(len(texts), -1, np.int64)
        copies.see(texts, copies.next_ordinal, no_original, lambda ordinals: ordinals)


def _see_trends(trends: Trends, batches: Sequence[Sequence[Post]]) -> None:
    for number, batch in enumerate(batches):
        trends.see(items_in(batch, number * WRITTEN_TOGETHER, lambda _lang: 0))


def _text(line: Line) -> str:
    data = _message(line.data or b"").data
    assert data is not None
    return data.text


def _parts(text: str) -> Parts:
    return Parts(
        cleaned=clean.from_escaped(text),
        id="x:1800000000000000000",
        network="x",
        author="someone",
        author_id="1",
        created_ms=0,
        seen_ms=0,
    )


def _batches(items: Sequence[T], together: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), together):
        yield items[first : first + together]


def _once_us(work: Callable[[], object], posts: int) -> float:
    began_s = time.process_time()
    work()
    return 1e6 * (time.process_time() - began_s) / posts


def _us(clock: Callable[[], float], work: Callable[[], object], posts: int) -> float:
    taken = []
    for _ in range(_REPEATS):
        began_s = clock()
        work()
        taken.append(clock() - began_s)
    return 1e6 * min(taken) / posts
