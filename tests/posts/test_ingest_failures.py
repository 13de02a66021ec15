"""The road of a post when something breaks: nothing that fails loses anything."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec
import pytest
from places import Numbers, Place, ids, posted, room_for

from fairwitness.index import IndexDiskFull, LiveIndex
from fairwitness.posts import ingest as road
from fairwitness.posts import segment
from fairwitness.posts.log import LogFull, read
from fairwitness.posts.post import Deleted, Engagement, Event, Posted
from fairwitness.posts.source import SourceBatch, SourceLost


@pytest.mark.parametrize("ends", [True, False])
def test_a_full_disk_ends_the_run_and_a_later_one_goes_on_from_the_cursor(
    place: Place, ends: bool
) -> None:
    # Whether or not the source has ended by then: the last batches wait for the disk, too.
    source = Numbers(1_000, together=1 if ends else 50, pause_s=0.0 if ends else 0.002)
    with room_for(300), pytest.raises(LogFull, match="no room"):
        asyncio.run(asyncio.wait_for(place.ingest.run([source]), 20))
    assert place.ingest.health["s"].state != "live"
    known = place.log.sources.get("s")
    assert len(place.logged()) == (int(known.cursor) if known else 0) < 1_000
    asyncio.run(place.ingest.run([source]))
    assert ids(place.logged()) == [f"s:{n}" for n in range(1_000)]
    assert place.index.stats().posts == place.found() == 1_000


def test_the_last_batches_meeting_a_full_disk_do_not_hang(place: Place) -> None:
    place.slow_s = 0.2  # the source has ended long before its last batch is written
    source = Numbers(200, together=100)
    run = place.ingest.run([source])
    with room_for(250), pytest.raises(LogFull):
        asyncio.run(asyncio.wait_for(run, 10))
    assert source.said == 200


def test_what_is_too_much_for_one_record_is_written_batch_by_batch(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment, "MAX_PAYLOAD_BYTES", 1_500)
    texts = [os.urandom(200).hex() for _ in range(12)]
    batches = [
        SourceBatch((posted(n, text=text),), str(n), dropped=1) for n, text in enumerate(texts)
    ]
    place.ingest.write([("s", batch) for batch in batches])
    records = [batch for _, batch in read(place.folder / "log")]
    assert [(batch.cursor, len(batch.events)) for batch in records] == [
        (str(n), 1) for n in range(12)
    ]
    health = place.ingest.health["s"]
    assert (health.events, health.dropped, health.duplicates) == (12, 12, 0)
    assert place.index.stats().posts == 12


def test_a_cancelled_run_leaves_everything_acknowledged(tmp_path: Path) -> None:
    for delay_s in [0.0, 0.001, 0.01, 0.05, 0.2]:
        place = Place(tmp_path / str(delay_s))
        source = Numbers(10**6, together=3)

        async def run(place: Place = place, source: Numbers = source, s: float = delay_s) -> None:
            task = asyncio.create_task(place.ingest.run([source]))
            await asyncio.sleep(s)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        acknowledged = place.ingest.health["s"].events if "s" in place.ingest.health else 0
        place.close()
        again = Place(place.folder)
        assert len(again.logged()) == again.index.stats().posts == acknowledged
        assert again.index.position == again.log.position or not acknowledged
        again.close()


def test_a_source_that_lost_a_cancellation_is_cancelled_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "_CANCEL_S", 0.05)

    class Deaf(Numbers):
        async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
            yield SourceBatch((), "1")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.create_task(place.ingest.run([Deaf(1)]))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    asyncio.run(run())


def test_a_mistake_in_one_source_does_not_stop_the_others(place: Place) -> None:
    class Broken(Numbers):
        async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
            raise ZeroDivisionError("a mistake of ours")
            yield

    async def run() -> None:
        both = [Broken(1, "broken"), Numbers(50, "good")]
        task = asyncio.create_task(place.ingest.run(both))
        while place.ingest.health.get("good") is None or place.ingest.health["good"].events < 50:
            await asyncio.sleep(0.01)
        health = place.ingest.health["broken"]
        assert (health.state, health.problem) == ("waiting", "a mistake of ours")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert health.state == "idle"

    asyncio.run(run())


def test_an_index_that_fails_after_the_append_is_caught_up_before_anything_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = type(place.index).apply
    full = [True]

    def apply_if_room(index: LiveIndex, events: Sequence[Event], position: int) -> object:
        if full[0]:
            raise IndexDiskFull("no room for the index")
        return apply(index, events, position)

    monkeypatch.setattr(type(place.index), "apply", apply_if_room)
    write = place.ingest.write
    with pytest.raises(IndexDiskFull):
        write([("s", SourceBatch((posted(1), posted(2)), "2"))])
    assert len(place.logged()) == 2, "on disk before anything else"
    assert place.ingest.health["s"].events == 2
    with pytest.raises(IndexDiskFull):
        write([("s", SourceBatch((posted(3),), "3"))])
    assert len(place.logged()) == 2, "nothing is written while the index is behind"
    full[0] = False
    # Were the index asked before it has caught up, this would be the deletion of nothing.
    write([("s", SourceBatch((Deleted("s:1", 9_000), posted(2), posted(3)), "3"))])
    assert ids(place.logged()) == ["s:1", "s:2", "s:1", "s:3"]
    assert place.index.get("s:1") is None
    assert place.index.stats().posts == 2
    place.index.checkpoint()
    assert place.index.position == place.log.position


def test_a_restart_sees_what_the_index_did_not_take(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.ingest.write([("s", SourceBatch((posted(1),), "1"))])

    def fail(events: Sequence[Event], position: int) -> object:
        raise IndexDiskFull("no room for the index")

    place.index.apply = fail  # type: ignore[method-assign]
    with pytest.raises(IndexDiskFull):
        asyncio.run(place.ingest.run([Numbers(30, together=30)]))
    place.close()
    again = Place(tmp_path)
    assert ids(again.logged()) == [f"s:{n}" for n in range(1, 30)]
    assert again.index.stats().posts == again.found() == 29
    again.close()


def test_what_cannot_be_written_down_is_dropped_and_the_rest_goes_on(tmp_path: Path) -> None:
    place = Place(tmp_path)
    said = posted(2).post
    events: list[Event] = [
        posted(1),
        Posted(msgspec.structs.replace(said, text="half \ud83d of a pair")),
        Posted(msgspec.structs.replace(said, engagement=Engagement(likes=2**70))),
        Posted(msgspec.structs.replace(said, created_ms=1.5)),  # type: ignore[arg-type]
        Posted(msgspec.structs.replace(said, url=None)),  # type: ignore[arg-type]
        Deleted("\ud83d", 5),
        posted(3),
    ]
    place.ingest.write([("s", SourceBatch(tuple(events), "7"))])
    assert (place.ingest.health["s"].events, place.ingest.health["s"].dropped) == (2, 5)
    place.close()
    again = Place(tmp_path)
    assert ids(again.logged()) == ["s:1", "s:3"]
    assert again.log.sources["s"].dropped == 5
    again.close()


def test_a_lost_connection_resumes_without_loss_or_doubles(place: Place) -> None:
    class Shaky(Numbers):
        async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
            async for batch in super().batches(str(max(0, int(cursor or 0) - 3))):
                yield batch
                if int(batch.cursor) % 50 == 0 and int(batch.cursor) < self.count:
                    raise SourceLost("shaky: gone")

    asyncio.run(place.ingest.run([Shaky(100)]))
    assert ids(place.logged()) == [f"s:{n}" for n in range(100)]
    assert place.ingest.health["s"].reconnects == 1
    assert place.ingest.health["s"].duplicates == 3
