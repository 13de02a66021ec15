"""A replica by itself: it follows, catches up before it answers, and says what is wrong."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nats
import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

from fairwitness.index import LiveIndex, Query
from fairwitness.index.shards import Plan
from fairwitness.index.shards.local import NatsServer
from fairwitness.index.shards.message import Message, pack
from fairwitness.index.shards.replica import Replica
from fairwitness.index.shards.stream import Publisher
from fairwitness.posts.post import Deleted, Event, Post, Posted

Make = Callable[..., Post]
Wait = Callable[..., float]


class Stage:
    """A stream of one shard, and replicas that follow it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.publisher = Publisher(plan)
        self.replicas: list[Replica] = []
        self.position = 0

    def tell(self, *events: Event) -> None:
        self.position += 1
        self.publisher.publish({0: list(pack(events, self.position))})

    def begin(self, number: int = 0) -> Replica:
        self.replicas.append(Replica(self.plan, 0, number))
        return self.replicas[-1]

    def found(self, replica: Replica) -> list[str]:
        answer = replica.answer("search", Query(), as_of_ms=None, limit=100)
        assert answer.serving
        return sorted(hit.post.id for hit in answer.value.results.hits)


@pytest.fixture
def stage(nats: NatsServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    name = request.node.name.replace("_", "-")
    opened = Stage(Plan(servers=(nats.url,), folder=str(tmp_path), shards=1, name=name))
    yield opened
    for replica in opened.replicas:
        replica.close()
    opened.publisher.close()


def serving(replica: Replica) -> Callable[[], bool]:
    return lambda: replica.standing().serving


def test_it_answers_when_it_has_read_what_was_there(
    stage: Stage, post: Make, wait_until: Wait
) -> None:
    for number in range(200):
        stage.tell(Posted(post(f"{number:03}", "secret")))
    stage.tell(*(Deleted(f"{number:03}", 2_000) for number in range(150)))
    replica = stage.begin()
    while not (answer := replica.answer("search", Query(), as_of_ms=None, limit=500)).serving:
        assert answer.value is None
        time.sleep(0.001)
    # The first answer of all knows all deletions.
    assert len(answer.value.results.hits) == 50
    standing = replica.standing()
    assert (standing.shown, standing.last, standing.fault) == (201, 201, "")


def test_it_goes_on_where_its_index_ends(stage: Stage, post: Make, wait_until: Wait) -> None:
    stage.tell(Posted(post("a", "A")))
    replica = stage.begin()
    wait_until(serving(replica))
    replica.close()
    stage.replicas.clear()
    index = LiveIndex.open(stage.plan.folder_of(0, 0))
    assert index.position == 1
    index.close()
    stage.tell(Posted(post("b", "B")))
    again = stage.begin()
    wait_until(serving(again))
    assert stage.found(again) == ["a", "b"]
    assert again.answer("stats").value.versions == 2


def test_it_says_how_fresh_it_is(
    stage: Stage, post: Make, wait_until: Wait, nats: NatsServer
) -> None:
    replica = stage.begin()
    wait_until(serving(replica))
    begun_ms = time.time() * 1_000
    wait_until(lambda: replica.answer("stats").fresh_ms > begun_ms)
    stage.tell(Posted(post("a", "A")))
    assert replica.shows(1, 10)
    assert replica.answer("stats").fresh_ms > begun_ms
    nats.kill()
    try:
        time.sleep(0.3)
        gone_ms = time.time() * 1_000
        time.sleep(0.7)
        answer = replica.answer("stats")
        assert answer.serving
        assert answer.fresh_ms < gone_ms
    finally:
        nats.start()
    wait_until(lambda: replica.answer("stats").fresh_ms > gone_ms)


def test_a_corrupt_index_is_set_aside_and_read_again(
    stage: Stage, post: Make, wait_until: Wait
) -> None:
    stage.tell(*(Posted(post(f"{n}", "A")) for n in range(9)))
    replica = stage.begin()
    wait_until(serving(replica))
    replica.close()
    stage.replicas.clear()
    folder = stage.plan.folder_of(0, 0)
    (folder / "manifest.json").write_text("{")
    again = stage.begin()
    wait_until(serving(again))
    assert len(stage.found(again)) == 9
    assert (folder.with_suffix(".corrupt") / "manifest.json").read_text() == "{"


def test_a_lost_folder_is_read_again(stage: Stage, post: Make, wait_until: Wait) -> None:
    stage.tell(*(Posted(post(f"{n}", "A")) for n in range(9)))
    replica = stage.begin()
    wait_until(serving(replica))
    replica.close()
    stage.replicas.clear()
    shutil.rmtree(stage.plan.folder)
    again = stage.begin()
    wait_until(serving(again))
    assert len(stage.found(again)) == 9


def test_a_folder_in_use_is_waited_for(stage: Stage, post: Make, wait_until: Wait) -> None:
    holder = LiveIndex.open(stage.plan.folder_of(0, 0))
    stage.tell(Posted(post("a", "A")))
    replica = stage.begin()
    wait_until(lambda: "another process writes" in replica.standing().fault)
    assert not replica.answer("stats").serving
    holder.close()
    wait_until(serving(replica))
    assert stage.found(replica) == ["a"]


def test_a_message_that_is_not_ours_is_left_out_and_counted(
    stage: Stage, post: Make, wait_until: Wait
) -> None:
    stage.tell(Posted(post("a", "A")))
    stage.publisher.publish({0: [Message(b"not ours", "x")]})
    stage.tell(Posted(post("b", "B")))
    replica = stage.begin()
    wait_until(serving(replica))
    assert stage.found(replica) == ["a", "b"]
    assert replica.standing().unreadable == 1


def test_a_stream_that_is_another_one_is_not_followed(
    stage: Stage, post: Make, wait_until: Wait
) -> None:
    index = LiveIndex.open(stage.plan.folder_of(0, 0))
    index.apply([Posted(post("old", "from another stream"))], 50)
    index.checkpoint()
    index.close()
    stage.tell(Posted(post("a", "A")))
    replica = stage.begin()
    wait_until(lambda: "this index has it up to 50" in replica.standing().fault)
    assert not replica.answer("stats").serving


def test_a_stream_without_its_beginning_is_not_served(
    stage: Stage, post: Make, wait_until: Wait, nats: NatsServer
) -> None:
    for number in range(9):
        stage.tell(Posted(post(f"{number}", "A")))
    first = stage.begin()
    wait_until(serving(first))
    purge(stage.plan, up_to=5)
    new = stage.begin(1)
    wait_until(lambda: "holds 5 to 9" in new.standing().fault)
    assert not new.answer("stats").serving
    stage.tell(Posted(post("later", "A")))
    assert first.shows(10, 10)
    assert len(stage.found(first)) == 10


def purge(plan: Plan, up_to: int) -> None:
    async def ask() -> None:
        client = await nats.connect(plan.servers[0])
        await client.jetstream().purge_stream(plan.stream_of(0), seq=up_to)
        await client.close()

    asyncio.run(ask())
