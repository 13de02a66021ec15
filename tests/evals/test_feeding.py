"""Posts on their way to the road: none is lost in a pipe, and a stored stream resumes."""

import asyncio
import threading
from multiprocessing import Pipe, Value
from pathlib import Path

from fairwitness.evals.feeding import Lived, Piped, Probe, Say, Stored, feed, moment_ms
from fairwitness.evals.firehose import id_of
from fairwitness.posts.clock import SystemClock, VirtualClock
from fairwitness.posts.post import Posted
from fairwitness.posts.source import Source, SourceBatch


async def batches_of(source: Source, cursor: str = "") -> list[SourceBatch]:
    return [batch async for batch in source.batches(cursor)]


def ids_of(batches: list[SourceBatch]) -> list[str]:
    return [e.post.id for batch in batches for e in batch.events if isinstance(e, Posted)]


def test_what_is_ordered_comes_out_of_the_pipe_with_probes_in_it(tails: Path) -> None:
    out, into = Pipe(duplex=False)
    orders, theirs = Pipe()
    hear, probes = Pipe(duplex=False)
    feeder = threading.Thread(target=feed, args=(tails, into, theirs, probes))
    feeder.start()
    orders.send(Say(posts=2_500, rate_hz=50_000, within_s=9.0, probe_every=1_000))
    received = Value("q", 0, lock=False)
    source = Piped(out, SystemClock(), received)
    orders_end = threading.Thread(target=lambda: (said.append(orders.recv()), orders.close()))
    said: list[object] = []
    orders_end.start()
    batches = asyncio.run(batches_of(source))
    feeder.join()
    orders_end.join()
    assert ids_of(batches) == [id_of(number) for number in range(2_500)]
    assert received.value == 2_500
    words = [hear.recv() for _ in range(3)]
    assert all(isinstance(word, Probe) for word in words)
    assert [word.word for word in words] == ["zqprobe999", "zqprobe1999", "zqprobe2499"]
    texts = [e.post.text for b in batches for e in b.events if isinstance(e, Posted)]
    assert texts[999] == "zqprobe999"
    assert texts[-1] == "zqprobe2499"


def test_a_stored_stream_goes_on_after_its_cursor(tails: Path) -> None:
    clock = VirtualClock()
    first = asyncio.run(batches_of(Lived(Stored(tails, 1_500), clock)))
    assert [len(batch.events) for batch in first] == [1_000, 500]
    assert clock.now_ms() == moment_ms(1_500)
    rest = asyncio.run(batches_of(Lived(Stored(tails, 2_200), clock), first[-1].cursor))
    assert ids_of(first + rest) == [id_of(number) for number in range(2_200)]
    seen_ms = [e.post.seen_ms for b in first for e in b.events if isinstance(e, Posted)]
    assert seen_ms == [moment_ms(number) for number in range(1_500)]
