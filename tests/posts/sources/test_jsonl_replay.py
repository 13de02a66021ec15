"""A replay: the order and pace of the capture, on its own clock, resumable."""

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import Posted, seen_ms
from fairwitness.posts.source import SourceBatch, SourceRefused
from fairwitness.posts.sources.replay import Replay

START_MS = 1_700_000_000_000


def written(path: Path, times_ms: list[object]) -> Path:
    rows = ({"id": n, "text": "a b", "ts": moment} for n, moment in enumerate(times_ms))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def all_of(replay: Replay, cursor: str = "") -> list[SourceBatch]:
    return [batch async for batch in replay.batches(cursor)]


def ids(batches: list[SourceBatch]) -> list[int]:
    return [
        int(event.post.id.rsplit(":", 1)[1])
        for batch in batches
        for event in batch.events
        if isinstance(event, Posted)
    ]


def test_rows_come_in_order_of_time_and_move_the_clock(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [START_MS + s * 1000 for s in (5, 1, 1, 9, 3)])
    clock = VirtualClock()

    async def play() -> list[int]:
        clocks = []
        async for batch in Replay(path, clock, batch=2).batches(""):
            assert [seen_ms(event) for event in batch.events][-1] == clock.now_ms()
            clocks.append(clock.now_ms() - START_MS)
        return clocks

    assert asyncio.run(play()) == [1000, 5000, 9000]
    assert ids(asyncio.run(all_of(Replay(path, clock)))) == [1, 2, 4, 0, 3]


def test_missing_and_impossible_times_are_those_of_the_row_before(tmp_path: Path) -> None:
    times = [None, START_MS, "garbage", 0, "2100-01-01T00:00:00Z", START_MS + 7000, None]
    path = written(tmp_path / "a.jsonl", times)
    clock = VirtualClock()
    (batch,) = asyncio.run(all_of(Replay(path, clock)))
    assert [seen_ms(event) - START_MS for event in batch.events] == [0, 0, 0, 0, 0, 7000, 7000]
    assert clock.now_ms() == START_MS + 7000
    posts = [event.post for event in batch.events if isinstance(event, Posted)]
    assert posts[3].created_ms == 0, "what the author claims is kept as claimed"
    assert posts[2].created_ms == START_MS


def test_an_interrupted_replay_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [START_MS - n for n in range(50)])
    replay = Replay(path, VirtualClock(), batch=7)
    whole = asyncio.run(all_of(replay))
    assert ids(whole) == list(range(49, -1, -1))
    for done in range(1, len(whole)):
        rest = asyncio.run(all_of(replay, whole[done - 1].cursor))
        assert ids(whole[:done]) + ids(rest) == ids(whole)
    cursor = whole[0].cursor
    written(path, [START_MS])
    with pytest.raises(SourceRefused, match="changed"):
        asyncio.run(all_of(replay, cursor))


def test_it_keeps_time(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [START_MS, START_MS + 30_000, START_MS + 60_000])
    clock = VirtualClock()
    replay = Replay(path, clock, speed=100)

    async def play() -> tuple[list[float], int]:
        arrivals, between_ms = [], 0
        stream = replay.batches("")
        start_s = time.monotonic()
        async for batch in stream:
            arrivals.append(time.monotonic() - start_s)
            if len(arrivals) == 1:
                waiting = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0.28)
                between_ms = clock.now_ms() - START_MS
                batch = await waiting
                arrivals.append(time.monotonic() - start_s)
            assert len(batch.events) == 1
        return arrivals, between_ms

    arrivals, between_ms = asyncio.run(play())
    assert [round(s, 1) for s in arrivals] == pytest.approx([0.0, 0.3, 0.6], abs=0.15)
    assert 10_000 < between_ms < 30_000, "the clock runs between two posts"


def test_lines_that_cannot_be_read_are_counted_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [START_MS] * 3)
    path.write_text("nonsense\n" + path.read_text() + '{"id": 5}\n')
    batches = asyncio.run(all_of(Replay(path, VirtualClock(), batch=2)))
    assert [batch.dropped for batch in batches] == [1, 1]
    assert ids(batches) == [0, 1, 2]


def test_a_truncated_archive_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.jsonl", [START_MS + n for n in range(3000)]).read_bytes()
    packed = gzip.compress(whole, compresslevel=1)
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    batches = asyncio.run(all_of(Replay(path, VirtualClock())))
    assert sum(batch.dropped for batch in batches) == 1
    found = ids(batches)
    assert 1000 < len(found) < 3000
    assert found == list(range(len(found)))


def test_a_file_of_nothing_readable_still_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("nonsense\n")
    (batch,) = asyncio.run(all_of(Replay(path, VirtualClock())))
    assert (batch.events, batch.dropped) == ((), 1)
    with pytest.raises(SourceRefused, match=r"b\.jsonl"):
        asyncio.run(all_of(Replay(tmp_path / "b.jsonl", VirtualClock())))
    with pytest.raises(ValueError, match="speed"):
        Replay(path, VirtualClock(), speed=0)


def test_the_fight_is_replayed_minute_by_minute(shared: Path) -> None:
    path = shared / "data" / "fivethirtyeight-tweets" / "mayweather_mcgregor.jsonl.gz"
    with gzip.open(path) as lines:
        rows = sum(1 for _ in lines)
    clock = VirtualClock()
    batches = asyncio.run(all_of(Replay(path, clock)))
    moments = [seen_ms(event) for batch in batches for event in batch.events]
    assert len(moments) == rows
    assert moments == sorted(moments)
    assert clock.now_ms() == moments[-1]
    assert 60 < (moments[-1] - moments[0]) / 60_000 < 80
