"""What a cluster of processes costs and how soon it is whole again: real texts, one machine.

Run: python benchmarks/index_cluster.py [posts] [--shards 3] [--replicas 2] [--json]. Texts are
those of the sample that ships with the package, repeated with fresh ids. All processes share the
machine's cores, so this says nothing about how many machines help; it says what the road costs.
"""

import argparse
import gzip
import json
import os
import signal
import statistics
import tempfile
import time
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path

import ray

from fairwitness.index import Query
from fairwitness.index.shards import Cluster, Plan
from fairwitness.index.shards.local import NatsServer, free_ports
from fairwitness.posts.post import Event, Post, Posted

BATCH = 2_000
QUESTIONS = ("terremoto", "earthquake help", "boston bombing suspects", "the", "津波")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("posts", type=int, nargs="?", default=60_000)
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="index-cluster-") as folder:
        server = NatsServer(Path(folder) / "nats", free_ports(1)[0])
        plan = Plan(
            servers=(server.url,), folder=folder, shards=asked.shards, replicas=asked.replicas
        )
        try:
            figures = measured(plan, asked.posts)
        finally:
            ray.shutdown()
            server.stop()
    print(json.dumps(figures, indent=None if asked.json else 2))


def measured(plan: Plan, count: int) -> dict[str, object]:
    ray.init(
        num_cpus=plan.shards * plan.replicas,
        object_store_memory=80 << 20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    cluster = Cluster(plan, deadline_s=30)
    whole(cluster)
    figures = measure(cluster, count)
    cluster.end()
    return figures


def measure(cluster: Cluster, count: int) -> dict[str, object]:
    plan = cluster.plan
    batches = compose(count)
    acks_ms, begun_s = [], time.monotonic()
    for position, batch in enumerate(batches, start=1):
        at_s = time.monotonic()
        cluster.apply(batch, position)
        acks_ms.append((time.monotonic() - at_s) * 1e3)
    published_s = time.monotonic() - begun_s
    cluster.refresh()
    shown_s = time.monotonic() - begun_s
    assert cluster.stats().posts == count
    idle_ms = searches(cluster, 100)
    fresh_s = [freshness(cluster, count + n) for n in range(20)]
    size_bytes = cluster.stats().size_bytes
    one = kill(cluster, (0, 0))
    killed_s = time.monotonic()
    failover_ms = max(searches(cluster, 30))
    returned(cluster, one)
    back_s = time.monotonic() - killed_s
    both = kill(cluster, *((0, n) for n in range(plan.replicas)))
    killed_s = time.monotonic()
    missing = cluster.search(Query(words="the")).coverage
    assert missing.answered == plan.shards - 1, missing
    missing_ms = (time.monotonic() - killed_s) * 1e3
    whole(cluster)
    missing_s = time.monotonic() - killed_s
    returned(cluster, both)
    return {
        "posts": count,
        "shards": plan.shards,
        "replicas": plan.replicas,
        "acknowledged_posts_per_s": round(count / published_s),
        "searchable_posts_per_s": round(count / shown_s),
        "ack_ms": quantiles(acks_ms),
        "query_ms": quantiles(idle_ms),
        "freshness_s": quantiles(fresh_s),
        "bytes_per_post_and_replica": round(size_bytes / count),
        "replica_killed": {
            "slowest_query_ms": round(failover_ms, 1),
            "serving_again_s": round(back_s, 2),
        },
        "shard_killed": {
            "query_ms_without_it": round(missing_ms, 1),
            "complete_again_s": round(missing_s, 2),
        },
        "catch_up_posts_per_s": catching_up(cluster, count),
    }


def compose(count: int) -> list[list[Event]]:
    packed = (files("fairwitness.data") / "sample.jsonl.gz").read_bytes()
    lines = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    texts = [line["text"] for line in lines if "text" in line]
    now_ms = time.time_ns() // 1_000_000
    posts = [
        Posted(
            Post(
                id=f"x:{number}",
                network="x",
                author=f"a{number % 5_000}",
                author_id=f"{number % 5_000}",
                text=text,
                created_ms=now_ms - count + number,
                seen_ms=now_ms,
            )
        )
        for number, text in enumerate(islice(cycle(texts), count))
    ]
    return [list(posts[at : at + BATCH]) for at in range(0, count, BATCH)]


def searches(cluster: Cluster, times: int) -> list[float]:
    took_ms = []
    for words in islice(cycle(QUESTIONS), times):
        begun_s = time.monotonic()
        results = cluster.search(Query(words=words), limit=20)
        took_ms.append((time.monotonic() - begun_s) * 1e3)
        assert results.coverage.answered == results.coverage.shards
    return took_ms


def freshness(cluster: Cluster, number: int) -> float:
    """Return how long it takes from the publishing of a post to its being found."""
    word, now_ms = f"zzz{number}", time.time_ns() // 1_000_000
    told = Post(
        id=f"x:{number}", network="x", author="a", author_id="a", text=f"now {word}",
        created_ms=now_ms, seen_ms=now_ms,
    )  # fmt: skip
    begun_s = time.monotonic()
    cluster.apply([Posted(told)], number)
    while not cluster.search(Query(words=word)).hits:
        time.sleep(0.01)
    return time.monotonic() - begun_s


def kill(cluster: Cluster, *keys: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Kill the processes of replicas; return which they were."""
    standing = cluster.standing()
    pids = {key: each.pid for key in keys if (each := standing[key])}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    return pids


def whole(cluster: Cluster) -> float:
    begun_s = time.monotonic()
    while not cluster.coverage().complete:
        time.sleep(0.02)
    return time.monotonic() - begun_s


def returned(cluster: Cluster, killed: dict[tuple[int, int], int]) -> float:
    """Return how long it takes until other processes serve in place of those that were killed."""
    begun_s = time.monotonic()
    while True:
        standing = cluster.standing()
        if all((s := standing[key]) and s.serving and s.pid != pid for key, pid in killed.items()):
            return time.monotonic() - begun_s
        time.sleep(0.05)


def catching_up(cluster: Cluster, count: int) -> int:
    """Return how many posts a second a new replica of shard 0 reads, all others being idle."""
    killed = kill(cluster, (0, 0))
    folder = cluster.plan.folder_of(0, 0)
    folder.rename(folder.with_suffix(".old"))
    took_s = returned(cluster, killed)
    return round(count / cluster.plan.shards / took_s)


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p99": round(ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)], 3),
    }


if __name__ == "__main__":
    main()
