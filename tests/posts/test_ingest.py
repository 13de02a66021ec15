"""The road of a post: what is acknowledged is on disk, each source has its cursor, none is lost."""

import asyncio
import time

import pytest
from places import Numbers, Place, ids, posted

from fairwitness.index import Query
from fairwitness.posts import ingest as road
from fairwitness.posts import waiting
from fairwitness.posts.log import read
from fairwitness.posts.post import Event
from fairwitness.posts.source import Gap, SourceBatch


def test_a_batch_is_acknowledged_after_append_sync_and_apply_in_this_order(place: Place) -> None:
    place.ingest.write([("s", SourceBatch((posted(1),), "c1"))])
    steps = [call for call in place.calls if call != "refresh"]
    assert steps == ["append s c1", "sync", "apply 1"]
    assert place.ingest.health["s"].events == 1


def test_two_sources_are_taken_in_side_by_side_each_with_its_cursor(place: Place) -> None:
    asyncio.run(place.ingest.run([Numbers(500, "a"), Numbers(300, "b", together=7)]))
    assert place.log.sources["a"].cursor == "500"
    assert place.log.sources["b"].cursor == "300"
    assert place.index.stats().posts == place.found() == 800
    assert [i for i in ids(place.logged()) if i[0] == "a"] == [f"a:{n}" for n in range(500)]
    assert [i for i in ids(place.logged()) if i[0] == "b"] == [f"b:{n}" for n in range(300)]
    assert {h.state for h in place.ingest.health.values()} == {"ended"}


def test_a_fast_source_waits_for_a_slow_disk(place: Place) -> None:
    place.slow_s = 0.05
    source = Numbers(100_000, together=1)

    async def run() -> None:
        task = asyncio.create_task(place.ingest.run([source]))
        ahead = 0
        for _ in range(40):
            await asyncio.sleep(0.01)
            ahead = max(ahead, source.said - place.ingest.health["s"].events)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # The queue, what is being written, and the one that waits at the door.
        assert ahead <= 2 * waiting.BATCHES + 1
        assert source.said > waiting.BATCHES

    asyncio.run(run())


def test_a_source_of_large_batches_waits_before_memory_is_full(place: Place) -> None:
    place.slow_s = 0.3
    source = Numbers(1_000_000, together=2_000)

    async def run() -> None:
        task = asyncio.create_task(place.ingest.run([source]))
        await asyncio.sleep(0.25)
        # What is ahead by then, and the batch that waits at the door.
        assert waiting.AHEAD <= source.said <= waiting.AHEAD + 2_000
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_health_counts_what_was_new_known_and_unreadable(place: Place) -> None:
    write = place.ingest.write
    write([("s", SourceBatch((posted(1), posted(1), posted(2)), "1", dropped=2))])
    write([("s", SourceBatch((posted(2), posted(3, seen_ms=5_000)), "2", (Gap(1, 2, "x"),)))])
    health = place.ingest.health["s"]
    assert (health.events, health.duplicates, health.dropped) == (3, 2, 2)
    assert health.gaps == (Gap(1, 2, "x"),)
    assert place.log.sources["s"].events == 3
    assert place.log.sources["s"].dropped == 2
    assert health.last_ms == place.log.sources["s"].last_ms


def test_a_post_is_found_within_a_second(place: Place) -> None:
    worst_s = 0.0

    async def run() -> None:
        nonlocal worst_s
        said_s: dict[int, float] = {}

        def say(number: int) -> Event:
            said_s[number] = time.monotonic()
            return posted(number, text=f"number{number} is closed")

        source = Numbers(10_000, together=5, pause_s=0.01, say=say)
        task = asyncio.create_task(place.ingest.run([source]))
        for _ in range(6):
            await asyncio.sleep(0.15)
            newest = source.said - 1
            query = Query(words=f"number{newest}")
            while not place.index.search(query).matched:
                await asyncio.sleep(0.01)
            worst_s = max(worst_s, time.monotonic() - said_s[newest])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert worst_s < 1.0


def test_events_and_their_cursor_are_never_parted(place: Place) -> None:
    """Else a kill between them would make the source say a post and its edit once more."""
    asyncio.run(place.ingest.run([Numbers(3_000, together=1_500)]))
    records = [batch for _, batch in read(place.folder / "log")]
    assert [batch.cursor for batch in records] in (["1500", "3000"], ["3000"])
    assert sum(len(batch.events) for batch in records) == 3_000


def test_sources_that_bring_nothing_new_do_not_fill_the_log(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "IDLE_S", 0.2)
    place.ingest.write([("s", SourceBatch((posted(1),), "1"))])
    before = place.log.position

    async def run() -> float:
        began_s = time.monotonic()
        await place.ingest.run([Numbers(400, together=1, pause_s=0.001, say=lambda _: posted(1))])
        return time.monotonic() - began_s

    took_s = asyncio.run(run())
    records = [batch for _, batch in read(place.folder / "log", before)]
    assert 1 <= len(records) <= took_s / 0.2 + 2
    assert {batch.events for batch in records} == {()}
    assert place.log.sources["s"].cursor == "400", "the last cursor is written at the end"
    assert place.ingest.health["s"].duplicates >= 399
    assert place.index.position == place.log.position


def test_gaps_and_drops_are_written_at_once_even_without_events(place: Place) -> None:
    for number in range(3):
        place.ingest.write([("s", SourceBatch((), f"g{number}", (Gap(number, 9, "x"),)))])
        place.ingest.write([("s", SourceBatch((), f"d{number}", (), 1))])
        place.ingest.write([("s", SourceBatch((), f"i{number}"))])
    assert len(place.log.sources["s"].gaps) == place.log.sources["s"].dropped == 3
    assert place.log.sources["s"].cursor == "d2", "what says nothing waits its second"


def test_two_runs_at_once_share_a_home(place: Place) -> None:
    async def run() -> None:
        await asyncio.gather(
            place.ingest.run([Numbers(400, "a", together=3)]),
            place.ingest.run([Numbers(400, "b", together=5)]),
            place.ingest.run([Numbers(50, "c", together=1, pause_s=0.001)]),
        )

    asyncio.run(run())
    assert sorted(ids(place.logged())) == sorted(
        [f"{name}:{n}" for name, count in (("a", 400), ("b", 400), ("c", 50)) for n in range(count)]
    )
    assert place.found() == 850
    assert place.index.position == place.log.position


def test_one_name_is_listened_to_once_at_a_time(place: Place) -> None:
    with pytest.raises(ValueError, match="already: s"):
        asyncio.run(place.ingest.run([Numbers(5), Numbers(5)]))

    async def run() -> None:
        task = asyncio.create_task(place.ingest.run([Numbers(10**6, pause_s=0.01)]))
        await asyncio.sleep(0.02)
        with pytest.raises(ValueError, match="already: s"):
            await place.ingest.run([Numbers(5)])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await place.ingest.run([Numbers(5)])

    asyncio.run(run())


def test_a_source_that_ends_while_another_goes_on_keeps_its_last_cursor(place: Place) -> None:
    place.ingest.write([("a", SourceBatch((posted(1, "a"),), "1"))])
    silent = Numbers(40, "a", together=1, say=lambda _: posted(1, "a"))
    asyncio.run(place.ingest.run([silent, Numbers(40, "b", pause_s=0.01)]))
    assert place.log.sources["a"].cursor == "40"


def test_nothing_is_refreshed_or_saved_while_nothing_happens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "CHECKPOINT_S", 0.0)
    place.ingest.write([("s", SourceBatch((posted(1),), "1"))])
    place.calls.clear()
    for _ in range(5):
        place.ingest.write([])
    assert place.calls == []
