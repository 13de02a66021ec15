"""What each stage of a post's road costs, by itself: microseconds of processor a post.

One thread does one stage for all posts before the next begins, so that a figure is that stage's
alone. Where a library works in threads of its own (tantivy), the whole process's time is taken. The
sum is what the road must cost; what the live run takes beyond it is coordination.
"""

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from fairwitness.evals.feeding import NAME, moment_ms
from fairwitness.evals.firehose import Firehose
from fairwitness.index import LiveIndex
from fairwitness.posts import clean, language
from fairwitness.posts.compose import Parts, compose
from fairwitness.posts.log import Batch
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import read_lines
from fairwitness.posts.sources.lines import Lines, row_of
from fairwitness.posts.sources.x_posts import Message

POSTS = 20_000
_TOGETHER = 4_000
"""Events under one sync and one refresh, as on the road when posts are many."""

_REPEATS = 3
_convert = msgspec.json.Decoder(Message).decode


def measure(firehose: Firehose, folder: Path, posts: int = POSTS) -> dict[str, float]:
    """Return microseconds a post of each stage, in the order of the road."""
    said = firehose.say(0, posts, moment_ms(posts))
    lines = list(Lines().feed(said))
    messages = [_convert(line.data or b"") for line in lines]
    texts = [message.data.text for message in messages if message.data]
    cleaned = [clean.from_escaped(text) for text in texts]
    events = read_lines(lines, Capture(NAME), itertools.repeat(moment_ms(posts)))[0]
    batches = [Batch(NAME, "", events[at : at + _TOGETHER], 0) for at in range(0, posts, _TOGETHER)]
    pack = msgspec.msgpack.Encoder().encode
    squeeze = zstandard.ZstdCompressor(level=1).compress
    packed = [pack(batch) for batch in batches]
    squeezed = [squeeze(each) for each in packed]
    each = {
        "split": lambda: list(Lines().feed(said)),
        "decode": lambda: [row_of(line) for line in lines],
        "clean": lambda: [clean.from_escaped(text) for text in texts],
        "language": lambda: [language.detect(one.text) for one in cleaned],
        "compose": lambda: [_composed(one) for one in cleaned],
        "read": lambda: read_lines(lines, Capture(NAME), itertools.repeat(0)),
        "encode": lambda: [pack(batch) for batch in batches],
        "compress": lambda: [squeeze(one) for one in packed],
    }
    cost_us = {name: _us(time.thread_time, work, posts) for name, work in each.items()}
    # What composing does beyond the language that it tells, and reading beyond its parts.
    cost_us["compose"] -= cost_us["language"]
    parts = ("decode", "clean", "language", "compose")
    cost_us["read"] -= sum(cost_us[part] for part in parts)
    cost_us["fsync"] = _sync_us(folder, squeezed, posts)
    cost_us |= _index_us(folder / "stages", batches, posts)
    return {name: round(max(cost, 0.0), 2) for name, cost in cost_us.items()}


def _composed(cleaned: clean.Cleaned) -> object:
    parts = Parts(
        cleaned=cleaned,
        id="x:1800000000000000000",
        network="x",
        author="someone",
        author_id="1",
        created_ms=0,
        seen_ms=0,
    )
    return compose(parts)


def _sync_us(folder: Path, records: list[bytes], posts: int) -> float:
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


def _index_us(folder: Path, batches: list[Batch], posts: int) -> dict[str, float]:
    index = LiveIndex.open(folder)
    cost_s = dict.fromkeys(("novel", "apply", "words", "checkpoint"), 0.0)

    def timed(stage: str, work: Callable[[], object]) -> object:
        began_s = time.process_time()
        done = work()
        cost_s[stage] += time.process_time() - began_s
        return done

    for position, batch in enumerate(batches, start=1):
        timed("novel", lambda events=batch.events: index.novel(events))  # type: ignore[misc]
        timed("apply", lambda events=batch.events, at=position: index.apply(events, at))  # type: ignore[misc]
        timed("words", index.refresh)
    timed("checkpoint", index.checkpoint)
    index.close()
    return {stage: 1e6 * cost / posts for stage, cost in cost_s.items()}


def _us(clock: Callable[[], float], work: Callable[[], object], posts: int) -> float:
    taken = []
    for _ in range(_REPEATS):
        began_s = clock()
        work()
        taken.append(clock() - began_s)
    return 1e6 * min(taken) / posts
