"""A Ray cluster of several nodes, real raylets on this machine."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # needs the extra `cluster`, and some tests here do not
    from ray.cluster_utils import Cluster as RayCluster

OBJECT_STORE_BYTES = 80 << 20


@pytest.fixture(scope="module")
def nodes(untold: None) -> "Iterator[RayCluster]":
    """A head that works nothing and two nodes that do."""
    import ray
    from ray.cluster_utils import Cluster as RayCluster

    cluster = RayCluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        },
    )
    for _ in range(2):
        add_node(cluster)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def add_node(cluster: "RayCluster") -> None:
    cluster.add_node(num_cpus=6, object_store_memory=OBJECT_STORE_BYTES)


@pytest.fixture
def another_node(nodes: "RayCluster") -> Callable[[], None]:
    """Start a node that works, in place of one that went."""
    return lambda: add_node(nodes)
