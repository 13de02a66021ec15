"""The cases of any index hold on a cluster that loses a node in the middle of each.

Two nodes hold two replicas of three shards. A node is killed after the first events of a case have
been published; the rest of the case goes on without it.
"""

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from inspect import signature
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

import ray
from ray.cluster_utils import Cluster as RayCluster

from fairwitness.index.protocol import Searchable
from fairwitness.index.shards import Cluster, Plan
from fairwitness.index.shards.local import NatsServer
from fairwitness.posts.post import Event

from .. import test_conformance as conformance

DEADLINE_S = 20
_case = itertools.count()


class Wounded(Cluster):
    """A cluster that does something once, after it has been told something."""

    then: Callable[["Wounded"], None] | None = None

    def apply(self, events: Sequence[Event], position: int) -> None:
        super().apply(events, position)
        then, self.then = self.then, None
        if then:
            then(self)


def pids(cluster: Cluster) -> list[int]:
    return [each.pid for each in cluster.standing().values() if each is not None]


@pytest.fixture
def kept(
    tmp_path: Path, nats: NatsServer, nodes: RayCluster, another_node: Callable[[], None],
    wait_until: Callable[..., float],
) -> Iterator[conformance.Kept]:  # fmt: skip
    plan = Plan(
        servers=(nats.url,),
        folder=str(tmp_path),
        shards=3,
        replicas=2,
        name=f"wounded{next(_case)}",
        slice_rows=8,
    )

    # Ray learns late that a node went; none of the replicas may be told to live on that one.
    wait_until(lambda: sum(node["Alive"] for node in ray.nodes()) == 3)

    def lose_a_node(cluster: Wounded) -> None:
        where = {key: each.node for key, each in cluster.standing().items() if each}
        assert all(where[shard, 0] != where[shard, 1] for shard in range(3))
        node = next(each for each in nodes.worker_nodes if each.node_id == where[0, 0])
        nodes.remove_node(node, allow_graceful=False)

    def opened() -> Wounded:
        cluster = Wounded(plan, deadline_s=DEADLINE_S)
        wait_until(lambda: all(each and each.serving for each in cluster.standing().values()), 60)
        return cluster

    def kill(cluster: Searchable) -> None:
        assert isinstance(cluster, Wounded)
        assert len(nodes.worker_nodes) == 1
        for pid in pids(cluster):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        cluster.close()

    found = conformance.Kept(opened, kill)
    found.index.then = lose_a_node
    yield found
    lost = len(nodes.worker_nodes) == 1
    found.index.end()
    if lost:
        another_node()
    assert len(nodes.worker_nodes) == 2


CASES = {name: case for name, case in vars(conformance).items() if name.startswith("test_")}
TELLS_NOTHING = "test_nothing_is_found_where_nothing_is"
ALWAYS = {
    "test_a_deletion_holds_for_the_past_and_for_good",
    "test_each_moment_has_its_posts_versions_and_engagement",
    "test_a_restart_brings_back_all_that_was_told",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in ALWAYS else pytest.mark.soak) for name in CASES],
)
def test_a_case_holds_while_a_node_is_lost(
    name: str, kept: conformance.Kept, nodes: RayCluster, request: pytest.FixtureRequest
) -> None:
    case = CASES[name]
    case(**{each: request.getfixturevalue(each) for each in signature(case).parameters})
    assert (len(nodes.worker_nodes) == 1) == (name != TELLS_NOTHING)
