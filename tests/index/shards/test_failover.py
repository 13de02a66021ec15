"""What goes may go: processes, a node, the stream. Questions go on, and nothing told is lost.

A steady load writes and asks all the while. Nodes are real raylets on this machine.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

import ray
from ray.cluster_utils import Cluster as RayCluster

from fairwitness.index import Coverage, Query
from fairwitness.index.shards import Cluster, Plan, ShardDown, StreamDown
from fairwitness.index.shards.actors import Replicas
from fairwitness.index.shards.local import NatsServer
from fairwitness.index.shards.message import shard_of
from fairwitness.posts.post import Event, Post, Posted

DEADLINE_S = 2.0
SLACK_S = 2.0  # two busy cores, many processes
Wait = Callable[..., float]


class Load:
    """Writes and asks, in two threads, until it is stopped."""

    def __init__(self, plan: Plan, patience_s: float = 30.0) -> None:
        self.writing = Cluster(plan, deadline_s=DEADLINE_S, patience_s=patience_s)
        self.asking = Cluster(plan, deadline_s=DEADLINE_S)
        self.acknowledged: list[str] = []
        self.refusals: list[str] = []
        self.asked: list[tuple[float, float, Coverage]] = []
        """When, how long, what it stands for."""
        self.failed: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self.guard, args=(work,)) for work in (self._write, self._ask)
        ]
        for thread in self._threads:
            thread.start()

    def guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failed.append(error)

    def _write(self) -> None:
        number = len(self.acknowledged)
        while not self._stop.wait(0.02):
            ids = [f"p{number + n}" for n in range(20)]
            number += 20
            events: list[Event] = [Posted(said(id_)) for id_ in ids]
            while not self._stop.is_set():
                try:
                    self.writing.apply(events, number)
                    self.acknowledged += ids
                    break
                except StreamDown as error:
                    self.refusals.append(str(error))

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            begun_s = time.monotonic()
            results = self.asking.search(Query(words="flood Alberta"), limit=10)
            self.asked.append((begun_s, time.monotonic() - begun_s, results.coverage))

    def since(self, begun_s: float) -> list[tuple[float, Coverage]]:
        """Return how long what was asked since a moment, or under way then, took; and coverage."""
        return [
            (took_s, coverage) for at_s, took_s, coverage in self.asked if at_s + took_s >= begun_s
        ]

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.failed == []

    def close(self) -> None:
        self.stop()
        self.asking.close()
        self.writing.end()


def said(id_: str) -> Post:
    at_ms = time.time_ns() // 1_000_000
    text = f"flood in Alberta, number {id_}"
    return Post(
        id=id_, network="x", author="Ann", author_id="ann", text=text, created_ms=at_ms,
        seen_ms=at_ms,
    )  # fmt: skip


@pytest.fixture
def load(
    tmp_path: Path, nats: NatsServer, nodes: RayCluster, another_node: Callable[[], None],
    wait_until: Wait, request: pytest.FixtureRequest,
) -> Iterator[Load]:  # fmt: skip
    if len(nodes.worker_nodes) < 2:  # the test before failed without its node
        another_node()
    # Ray learns late that a node went; none of the replicas may be told to live on that one.
    wait_until(lambda: sum(node["Alive"] for node in ray.nodes()) == 3)
    plan = Plan(
        servers=(nats.url,),
        folder=str(tmp_path),
        shards=3,
        replicas=2,
        name=request.node.name.replace("_", "-"),
    )
    found = Load(plan, patience_s=1.0 if "nats" in request.node.name else 30.0)
    try:
        wait_until(lambda: all_serve(found), 60)
        wait_until(lambda: len(found.acknowledged) > 0)
        yield found
    finally:
        found.close()


def kill(load: Load, *keys: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Kill the processes of replicas; return which they were."""
    standing = load.asking.standing()
    pids = {}
    for key in keys:
        each = standing[key]
        assert each is not None
        pids[key] = each.pid
        os.kill(each.pid, signal.SIGKILL)
    return pids


@contextmanager
def kept_down(load: Load, shard: int) -> Iterator[None]:
    """Kill what comes up of a shard as long as this lasts, however soon Ray starts it again."""
    enough = threading.Event()

    def keep() -> None:
        while not enough.wait(0.01):
            for (of, _), each in load.asking.standing().items():
                if of == shard and each is not None:
                    with suppress(ProcessLookupError):
                        os.kill(each.pid, signal.SIGKILL)

    thread = threading.Thread(target=load.guard, args=(keep,))
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def refuses(cluster: Cluster, post_id: str) -> bool:
    """Say whether a post cannot be had because its shard is away."""
    try:
        cluster.get(post_id)
    except ShardDown as error:
        return "no replica of shard 1 answers" in str(error)
    return False


def all_serve(load: Load) -> bool:
    return all(each and each.serving for each in load.asking.standing().values())


def kept(load: Load, *keys: tuple[int, int]) -> bool:
    """Say whether replicas have something durable to go on from."""
    standing = load.asking.standing()
    return all((each := standing[key]) and each.durable > 0 for key in keys)


def nothing_is_lost(load: Load) -> None:
    """Ask each replica by itself, also those that others had stood in for."""
    load.stop()
    plan, told = load.writing.plan, load.acknowledged
    assert len(told) > 100
    load.writing.refresh()
    for (shard, _), actor in Replicas.start(plan).actors.items():
        asked = actor.answer.remote("search", Query(), as_of_ms=None, limit=2 * len(told))
        answer = ray.get(asked, timeout=30)
        assert answer.serving
        hits = answer.value.results.hits
        found = {hit.post.id for hit in hits}
        assert {id_ for id_ in told if shard_of(id_, plan.shards) == shard} - found == set()
        assert len(hits) == len(found)


def test_a_killed_replica_is_not_missed(load: Load, wait_until: Wait) -> None:
    wait_until(lambda: kept(load, (1, 0), (2, 1)))
    begun_s = time.monotonic()
    killed = kill(load, (1, 0), (2, 1))
    gone_s = wait_until(lambda: len(load.since(begun_s)) > 20)
    back_s = wait_until(lambda: all_serve(load))
    since = load.since(begun_s)
    assert {coverage.answered for _, coverage in since} == {3}
    slowest_s = max(took_s for took_s, _ in since)
    assert slowest_s < DEADLINE_S
    standing = load.asking.standing()
    assert all(standing[key].pid != pid for key, pid in killed.items())
    nothing_is_lost(load)
    print(f"slowest question {slowest_s:.2f} s, replicas back after {gone_s + back_s:.1f} s")


def test_a_shard_without_replicas_is_said_to_be_missing(
    load: Load, wait_until: Wait, whole: Callable[[Cluster], float]
) -> None:
    begun_s = time.monotonic()
    mine = next(id_ for id_ in load.acknowledged if shard_of(id_, 3) == 1)

    def partial() -> list[Coverage]:
        return [coverage for _, coverage in load.since(begun_s) if coverage.answered == 2]

    with kept_down(load, 1):
        wait_until(lambda: refuses(load.asking, mine))
        wait_until(lambda: len(partial()) > 0)
    back_s = whole(load.asking)
    since = load.since(begun_s)
    assert {lag.shard for coverage in partial() for lag in coverage.lags if not lag.answered} == {1}
    assert all(lag.fresh_ms > 0 for coverage in partial() for lag in coverage.lags)
    assert {coverage.answered for _, coverage in since} <= {2, 3}
    assert max(took_s for took_s, _ in since) < DEADLINE_S + SLACK_S
    wait_until(lambda: all_serve(load))
    nothing_is_lost(load)
    print(f"shard back after {back_s:.1f} s")


def test_a_killed_node_is_not_missed(
    load: Load,
    nodes: RayCluster,
    another_node: Callable[[], None],
    wait_until: Wait,
    whole: Callable[[Cluster], float],
) -> None:
    where = {key: each.node for key, each in load.asking.standing().items() if each}
    assert all(where[shard, 0] != where[shard, 1] for shard in range(3))
    node = next(each for each in nodes.worker_nodes if each.node_id == where[0, 0])
    begun_s = time.monotonic()
    nodes.remove_node(node, allow_graceful=False)
    gone_s = wait_until(lambda: len(load.since(begun_s)) > 20)
    another_node()
    back_s = wait_until(lambda: all_serve(load), 60)
    whole(load.asking)
    since = load.since(begun_s)
    assert {coverage.answered for _, coverage in since} == {3}
    slowest_s = max(took_s for took_s, _ in since)
    assert slowest_s < DEADLINE_S
    nothing_is_lost(load)
    print(f"slowest question {slowest_s:.2f} s, all replicas after {gone_s + back_s:.1f} s")


def test_a_killed_nats_server_takes_nothing_along(
    load: Load, nats: NatsServer, wait_until: Wait, whole: Callable[[Cluster], float]
) -> None:
    begun_s = time.monotonic()
    nats.kill()
    wait_until(lambda: len(load.refusals) > 0)
    assert "acknowledged nothing for 1 s" in load.refusals[0]
    wait_until(lambda: any(coverage.lags for _, coverage in load.since(begun_s)))
    told = len(load.acknowledged)
    since = load.since(begun_s)
    assert {coverage.answered for _, coverage in since} == {3}
    assert all(lag.fresh_ms > 0 for _, coverage in since for lag in coverage.lags)
    nats.start()
    taken_s = wait_until(lambda: len(load.acknowledged) > told)
    back_s = whole(load.asking)
    wait_until(lambda: all_serve(load))
    nothing_is_lost(load)
    print(f"written again after {taken_s:.1f} s, complete after {taken_s + back_s:.1f} s")
