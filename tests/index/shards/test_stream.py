"""Acknowledged is durable, once, and in order: on one NATS server and on three."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import nats
import nats.errors
import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

from fairwitness.index.shards import ClusterFault, Plan, StreamDown
from fairwitness.index.shards.follow import Follower, Heard, Missing
from fairwitness.index.shards.local import NatsServer, free_ports
from fairwitness.index.shards.message import Message
from fairwitness.index.shards.stream import Publisher, connected


@pytest.fixture
def plan(nats: NatsServer, request: pytest.FixtureRequest) -> Plan:
    name = request.node.name.replace("_", "-")
    return Plan(servers=(nats.url,), folder="", shards=2, name=name)


@pytest.fixture
def publisher(plan: Plan) -> Iterator[Publisher]:
    opened = Publisher(plan)
    yield opened
    opened.close()


def said(number: int) -> Message:
    return Message(f"{number}".encode(), f"id-{number}")


def told(plan: Plan, shard: int, count: int, after: int = 0) -> list[Heard]:
    """Read `count` messages after a sequence."""

    async def read() -> list[Heard]:
        client = await connected(plan.servers, "test")
        heard: list[Heard] = []
        try:
            follower = Follower(client, plan, shard, after)
            async with asyncio.timeout(30):
                while len(heard) < count:
                    # As a replica does: servers that are finding a leader may not answer yet.
                    with suppress(TimeoutError, nats.errors.Error):
                        heard += await follower.next(0.5)
            return heard + await follower.next(0.2)
        finally:
            await client.close()

    return asyncio.run(read())


def test_messages_come_in_order_from_any_sequence(plan: Plan, publisher: Publisher) -> None:
    for number in range(100):
        publisher.publish({number % 2: [said(number)]})
    assert publisher.acknowledged == {0: 50, 1: 50}
    heard = told(plan, 1, 50)
    assert [each.payload for each in heard] == [f"{n}".encode() for n in range(1, 100, 2)]
    assert [each.sequence for each in heard] == list(range(1, 51))
    assert [each.sequence for each in told(plan, 1, 10, after=40)] == list(range(41, 51))


def test_what_is_said_again_is_taken_once(plan: Plan, publisher: Publisher) -> None:
    for _ in range(3):
        publisher.publish({0: [said(1), said(2)]})
    again = Publisher(plan)
    again.publish({0: [said(1), said(3)]})
    again.close()
    assert [each.payload for each in told(plan, 0, 3)] == [b"1", b"2", b"3"]


def test_many_threads_may_publish(plan: Plan, publisher: Publisher) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 25):
            publisher.publish({0: [said(number)], 1: [said(number)]})

    threads = [threading.Thread(target=work, args=(n * 25,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for shard in (0, 1):
        assert {int(each.payload) for each in told(plan, shard, 100)} == set(range(100))


def test_positions_are_kept_by_writer(plan: Plan, publisher: Publisher) -> None:
    assert publisher.position("home") == 0
    for position in (5, 70, 9_000_000_000):
        publisher.keep_position("home", position)
    publisher.keep_position("other", 3)
    again = Publisher(plan)
    assert (again.position("home"), again.position("other")) == (9_000_000_000, 3)
    again.close()


def test_streams_belong_to_their_number_of_shards(plan: Plan, publisher: Publisher) -> None:
    other = Plan(servers=plan.servers, folder="", shards=3, name=plan.name)
    with pytest.raises(ClusterFault, match=r"made for .*2.* shards, not 3"):
        Publisher(other)


def test_no_server_is_said_in_time() -> None:
    (port,) = free_ports(1)
    url = f"nats://127.0.0.1:{port}"
    with pytest.raises(StreamDown, match=f"no stream at {url}"):
        Publisher(Plan(servers=(url,), folder=""), patience_s=0.5)


def test_what_is_too_large_is_refused_by_name(plan: Plan, publisher: Publisher) -> None:
    with pytest.raises(ClusterFault, match=f"{plan.name}-posts-0 refuses"):
        publisher.publish({0: [Message(b"x" * 2_000_000, "large")]})
    publisher.publish({0: [said(1)]})


def test_a_stream_that_lost_its_beginning_is_noticed(plan: Plan, publisher: Publisher) -> None:
    publisher.publish({0: [said(number) for number in range(10)]})

    async def purge() -> None:
        client = await nats.connect(plan.servers[0])
        await client.jetstream().purge_stream(plan.stream_of(0), seq=5)
        await client.close()

    asyncio.run(purge())
    with pytest.raises(Missing, match="goes on at 5, not at 1"):
        told(plan, 0, 1)
    assert [each.sequence for each in told(plan, 0, 6, after=4)] == list(range(5, 11))


@pytest.fixture(params=[1, 3], ids=["one server", "three servers"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[NatsServer]]:
    count = request.param
    ports, among = free_ports(count), free_ports(count)
    with ExitStack() as stack:
        found = []
        for at in range(count):
            others = [among[at], *among[:at], *among[at + 1 :]] if count > 1 else []
            server = NatsServer(tmp_path / f"n{at}", ports[at], name=f"n{at}", routes=others)
            stack.callback(server.stop)
            found.append(server)
        yield found


def leader_of(plan: Plan, shard: int) -> int:
    """Return the number of the server that leads a stream."""

    async def ask() -> str:
        client = await connected(plan.servers, "test")
        info = await client.jetstream(timeout=5).stream_info(plan.stream_of(shard))
        await client.close()
        cluster = info.cluster
        return cluster.leader if cluster and cluster.leader else "n0"

    return int(asyncio.run(ask())[1:])


def test_nothing_acknowledged_is_lost_when_a_server_is_killed(
    servers: list[NatsServer], wait_until: Callable[..., float]
) -> None:
    plan = Plan(
        servers=tuple(each.url for each in servers), folder="", shards=2, copies=len(servers)
    )
    publisher = Publisher(plan, patience_s=20)
    acknowledged: list[int] = []
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            publisher.publish({shard: [said(number)] for shard in (0, 1)})
            acknowledged.append(number)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(2):
            had = len(acknowledged)
            wait_until(lambda had=had: len(acknowledged) > had + 50)
            killed = servers[leader_of(plan, 0)]
            killed.kill()
            if len(servers) == 1:
                killed.start()
            had = len(acknowledged)
            took_s = wait_until(lambda had=had: len(acknowledged) > had + 20)
            print(f"acknowledging again after {took_s:.1f} s")
            if len(servers) > 1:
                killed.start()
    finally:
        stop.set()
        thread.join()
        publisher.close()
    for shard in (0, 1):
        heard = told(plan, shard, len(acknowledged))
        assert [int(each.payload) for each in heard] == list(range(len(heard)))
        assert [each.sequence for each in heard] == list(range(1, len(heard) + 1))
