"""Posts and indexes for these tests, in one folder and in many processes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairwitness.index import LiveIndex
from fairwitness.posts.post import Post

if TYPE_CHECKING:  # needs the extra `cluster`, and most tests here do not
    from fairwitness.index.shards import Cluster
    from fairwitness.index.shards.local import NatsServer

OBJECT_STORE_BYTES = 80 << 20  # about the least that Ray takes; hits go by message


def make_post(id: str, text: str, seen_ms: int = 1_000, **more: Any) -> Post:
    fields = {"network": "x", "author": "Ann", "author_id": "ann", "created_ms": seen_ms} | more
    return Post(id=id, text=text, seen_ms=seen_ms, **fields)


@pytest.fixture
def post() -> Callable[..., Post]:
    return make_post


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    opened = LiveIndex.open(tmp_path / "index", slice_rows=8)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[NatsServer]":
    """A real NATS server with durable streams."""
    from fairwitness.index.shards.local import NatsServer, free_ports

    (port,) = free_ports(1)
    server = NatsServer(tmp_path_factory.mktemp("nats"), port)
    yield server
    server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ray forks to start processes; JAX, where an earlier test has loaded it, warns of any fork.

    `untold` is below all that starts Ray; `kept` asks for it only when it runs.
    """
    forks = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")
    for item in items:
        if {"untold", "kept"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(forks)


@pytest.fixture(scope="session")
def untold() -> Iterator[None]:
    """Keep Ray from telling its makers that it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield


@pytest.fixture(scope="module")
def one_node(untold: None) -> Iterator[None]:
    """A real Ray cluster of one node."""
    import ray

    ray.init(
        address="local",  # never one that something else has left running
        num_cpus=8,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()


def until(true: Callable[[], bool], timeout_s: float = 30.0) -> float:
    """Wait until `true` and return how many seconds that took; fails when it takes too long."""
    begun_s = time.monotonic()
    while not true():
        assert time.monotonic() - begun_s < timeout_s, "it takes too long"
        time.sleep(0.05)
    return time.monotonic() - begun_s


@pytest.fixture
def wait_until() -> Callable[..., float]:
    return until


@pytest.fixture
def whole() -> "Callable[[Cluster], float]":
    """Wait until all of a cluster answers."""
    return lambda cluster: until(lambda: cluster.coverage().complete)
