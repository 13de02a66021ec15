"""How many machines a stream of posts needs, from what one machine was measured to do.

Posts come in at a rate, stay for a time, and are asked for. Each of processor, memory, disk and
network asks for its own number of machines; the largest number wins, and its name is the answer to
"what do we buy more of".
"""

from dataclasses import dataclass

import numpy as np

from fairwitness.planner.errors import PlanError
from fairwitness.planner.money import HOURS_PER_MONTH
from fairwitness.planner.ranges import Number

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Cost:
    """What one post and one question cost on the machine that was measured."""

    write_s: Number
    """Processor seconds to take in a post, from bytes to searchable."""
    ask_s: Number
    """Processor seconds of a question to one shard, however small."""
    ask_s_per_post: Number
    """What each post in the shard adds to it."""
    index_bytes: Number
    """A post on disk, in the index."""
    log_bytes: Number
    memory_bytes: Number
    """A post of the hot shards in memory: columns, marks, codes, ids."""
    line_bytes: Number
    """A post on the wire."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if np.any(np.asarray(value) < 0):
                raise PlanError(f"{name} is {np.min(value):g}; nothing costs less than 0")


@dataclass(frozen=True)
class Demand:
    """What is asked of the cluster."""

    posts_per_s: Number
    peak_ratio: Number
    """The busiest hour over the mean."""
    retention_days: Number
    queries_per_s: Number
    deep_share: Number
    """Questions over all posts; the others are over the hot days."""
    hot_days: Number
    posts_per_shard: Number
    replicas: Number
    log_replicas: Number
    hit_bytes: Number
    """What a shard sends back for a question."""
    load_share: Number
    """How full a processor or link may be at the peak."""


@dataclass(frozen=True)
class Machine:
    """One machine that can be bought or rented."""

    cores: Number
    memory_bytes: Number
    disk_bytes: Number
    network_bytes_per_s: Number
    usd_per_h: Number


@dataclass(frozen=True)
class Needs:
    """What all of it takes."""

    posts_kept: Number
    shards: Number
    hot_shards: Number
    write_cores: Number
    query_cores: Number
    deep_query_core_s: Number
    """Processor seconds of one question over everything."""
    memory_bytes: Number
    disk_bytes: Number
    log_bytes: Number
    network_bytes_per_s: Number
    machines_for: dict[str, Number]
    """By what is short: processor, memory, disk, network."""
    machines: Number
    usd_per_month: Number


def needs(demand: Demand, cost: Cost, machine: Machine) -> Needs:
    """Return what a stream takes."""
    kept = posts_kept(demand.posts_per_s, demand.retention_days)
    hot = np.minimum(posts_kept(demand.posts_per_s, demand.hot_days), kept)
    shards, hot_shards = (np.ceil(each / demand.posts_per_shard) for each in (kept, hot))
    peak_hz = demand.posts_per_s * demand.peak_ratio
    write_cores = peak_hz * cost.write_s * demand.replicas / demand.load_share
    deep_s = query_core_s(shards, kept, cost.ask_s, cost.ask_s_per_post)
    hot_s = query_core_s(hot_shards, hot, cost.ask_s, cost.ask_s_per_post)
    asked_hz = demand.queries_per_s * demand.peak_ratio
    mean_s = demand.deep_share * deep_s + (1 - np.asarray(demand.deep_share)) * hot_s
    query_cores = asked_hz * mean_s / demand.load_share
    memory = hot * cost.memory_bytes * demand.replicas
    log = kept * cost.log_bytes * demand.log_replicas
    disk = kept * cost.index_bytes * demand.replicas + log
    asked_shards = demand.deep_share * shards + (1 - np.asarray(demand.deep_share)) * hot_shards
    wire = peak_hz * cost.line_bytes * (demand.replicas + np.asarray(demand.log_replicas))
    network = wire + asked_hz * asked_shards * demand.hit_bytes
    machines_for: dict[str, Number] = {
        "processor": (write_cores + query_cores) / machine.cores,
        "memory": memory / machine.memory_bytes,
        "disk": disk / machine.disk_bytes,
        "network": network / machine.network_bytes_per_s / demand.load_share,
    }
    machines = np.ceil(np.maximum.reduce(np.broadcast_arrays(*machines_for.values())))
    machines = np.maximum(machines, demand.replicas)
    return Needs(
        kept,
        shards,
        hot_shards,
        write_cores,
        query_cores,
        deep_s,
        memory,
        disk,
        log,
        network,
        machines_for,
        machines,
        machines * machine.usd_per_h * HOURS_PER_MONTH,
    )


def posts_kept(posts_per_s: Number, days: Number) -> Number:
    """Return how many posts there are once the first ones are dropped."""
    return posts_per_s * SECONDS_PER_DAY * days


def query_core_s(shards: Number, posts: Number, ask_s: Number, ask_s_per_post: Number) -> Number:
    """Return the processor seconds of one question to all shards."""
    return shards * ask_s + posts * ask_s_per_post


def posts_per_shard(budget_s: Number, ask_s: Number, ask_s_per_post: Number) -> Number:
    """Return how large a shard may be so that one processor answers within `budget_s`."""
    if np.any(np.asarray(budget_s) <= np.asarray(ask_s)):
        raise PlanError(
            f"a shard without posts answers in {np.max(ask_s):g} s, "
            f"which is not within {np.min(budget_s):g} s"
        )
    return (budget_s - ask_s) / ask_s_per_post


def growth(sizes: list[tuple[float, float]]) -> tuple[float, float]:
    """Return what an empty shard's question takes and what each post adds: least squares.

    `sizes` are (posts, seconds). Errors in proportion weigh alike, so a long row does not drown a
    short one; nothing below 0 is believed.
    """
    if len({posts for posts, _ in sizes}) < 2:
        raise PlanError(f"growth needs two sizes, there are {len(sizes)}")
    posts, seconds = np.array(sizes, float).T
    lines = np.stack([1 / seconds, posts / seconds], axis=1)
    (start_s, per_post_s), *_ = np.linalg.lstsq(lines, np.ones_like(seconds), rcond=None)
    if per_post_s <= 0:
        return float(np.median(seconds)), 0.0
    if start_s <= 0:
        return 0.0, float(np.median(seconds / posts))
    return float(start_s), float(per_post_s)
