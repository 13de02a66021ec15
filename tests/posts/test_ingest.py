"""The road of a post: what is acknowledged is on disk, and nothing that fails loses anything."""

import asyncio
import errno
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from fairwitness.index import IndexDiskFull, LiveIndex, Query
from fairwitness.posts import ingest as road
from fairwitness.posts import segment, waiting
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.ingest import Ingest
from fairwitness.posts.log import Batch, Log, LogFull, read
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Post, Posted
from fairwitness.posts.source import Gap, SourceBatch, SourceLost


def posted(number: int, source: str = "s", text: str = "", seen_ms: int = 0) -> Posted:
    return Posted(
        Post(
            id=f"{source}:{number}",
            network="test",
            author="ann",
            author_id=f"a{number}",
            text=text or f"post number {number} says that the bridge is closed",
            created_ms=seen_ms or 1_000 + number,
            seen_ms=seen_ms or 1_000 + number,
        )
    )


@dataclass
class Numbers:
    """A source whose cursor is how many posts it has said."""

    count: int
    name: str = "s"
    together: int = 10
    pause_s: float = 0.0
    say: Callable[[int], Event] | None = None
    said: int = 0
    gaps: tuple[Gap, ...] = ()

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        at = int(cursor or 0)
        while at < self.count:
            until = min(at + self.together, self.count)
            say = self.say or (lambda number: posted(number, self.name))
            events = tuple(say(number) for number in range(at, until))
            at = self.said = until
            yield SourceBatch(events, str(at), self.gaps)
            await asyncio.sleep(self.pause_s)


@dataclass
class Place:
    """A real log and a real index that remember in which order they were asked."""

    folder: Path
    calls: list[str] = field(default_factory=list)
    slow_s: float = 0.0

    def __post_init__(self) -> None:
        place = self

        class ToldLog(Log):
            def append(self, batch: Batch, encoded_events: bytes | None = None) -> int:
                place.calls.append(f"append {batch.source} {batch.cursor}")
                return super().append(batch, encoded_events)

            def sync(self) -> None:
                super().sync()
                place.calls.append("sync")

        class ToldIndex(LiveIndex):
            def novel(self, events: Sequence[Event]) -> list[Event]:
                time.sleep(place.slow_s)
                return super().novel(events)

            def apply(self, events: Sequence[Event], position: int) -> object:
                place.calls.append(f"apply {len(events)}")
                return super().apply(events, position)

            def refresh(self) -> None:
                place.calls.append("refresh")
                super().refresh()

        self.log = ToldLog(self.folder / "log")
        self.index = ToldIndex.open(self.folder / "index")
        for position, batch in self.log.read(self.index.position):
            self.index.apply(batch.events, position)
        self.index.refresh()
        self.ingest = Ingest(self.log, self.index, SystemClock())
        self.calls.clear()

    def close(self) -> None:
        self.index.close()
        self.log.close()

    def logged(self) -> list[Event]:
        return [event for _, batch in read(self.folder / "log") for event in batch.events]

    def found(self) -> int:
        return self.index.frequencies(["bridge"])[0]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def ids(events: Sequence[Event]) -> list[str]:
    return [e.post.id if isinstance(e, Posted | Edited) else e.id for e in events]


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """Let the disk of the log fill up within a record; test_log asks the kernel itself."""
    write_all, left = segment.write_all, size_bytes

    def write(descriptor: int, data: bytes) -> None:
        nonlocal left
        write_all(descriptor, data[:left])
        left -= len(data)
        if left < 0:
            left = 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segment, "write_all", write)
        yield


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


def test_events_and_their_cursor_are_never_parted(place: Place) -> None:
    """Else a kill between them would make the source say a post and its edit once more."""
    asyncio.run(place.ingest.run([Numbers(3_000, together=1_500)]))
    records = [batch for _, batch in read(place.folder / "log")]
    assert [batch.cursor for batch in records] in (["1500", "3000"], ["3000"])
    assert sum(len(batch.events) for batch in records) == 3_000


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


def test_a_source_that_ends_while_another_goes_on_keeps_its_last_cursor(place: Place) -> None:
    place.ingest.write([("a", SourceBatch((posted(1, "a"),), "1"))])
    silent = Numbers(40, "a", together=1, say=lambda _: posted(1, "a"))
    asyncio.run(place.ingest.run([silent, Numbers(40, "b", pause_s=0.01)]))
    assert place.log.sources["a"].cursor == "40"


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


def test_nothing_is_refreshed_or_saved_while_nothing_happens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "CHECKPOINT_S", 0.0)
    place.ingest.write([("s", SourceBatch((posted(1),), "1"))])
    place.calls.clear()
    for _ in range(5):
        place.ingest.write([])
    assert place.calls == []
