"""The instruments: percentiles, limits, memory, processes apart, stages."""

import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from fairwitness.evals import limits, stages
from fairwitness.evals.apart import RunFailed, apart
from fairwitness.evals.beside import compared
from fairwitness.evals.figures import Percentiles, percentiles
from fairwitness.evals.firehose import Firehose
from fairwitness.evals.memory import Watch, rss_bytes

MACHINE = limits.Machine(
    memory_gb_per_s=20.0, disk_gb_per_s=1.0, syncs_per_s=1000, popcounts_g_per_s=20.0
)


def count_to(number: int, tell: Connection) -> None:
    for each in range(number):
        tell.send(each)


def fail_after(number: int, tell: Connection) -> None:
    count_to(number, tell)
    os._exit(3)


def test_the_tail_is_the_worse_neighbour() -> None:
    assert percentiles([float(n) for n in range(1, 101)]) == Percentiles(51.0, 100.0)
    assert percentiles([4.25]) == Percentiles(4.25, 4.25)
    with pytest.raises(ValueError, match="nothing"):
        percentiles([])


def test_work_apart_sends_what_it_has_and_is_gone() -> None:
    assert list(apart(count_to, 3)) == [0, 1, 2]


def test_work_that_fails_apart_is_an_error_after_what_it_sent() -> None:
    heard = apart(fail_after, 2)
    assert (next(heard), next(heard)) == (0, 1)
    with pytest.raises(RunFailed, match="fail_after ended with 3"):
        next(heard)


def test_memory_and_time_of_a_process_grow_with_what_it_does() -> None:
    watch = Watch([os.getpid()])
    held = bytearray(64 << 20)
    held[::4096] = b"x" * len(held[::4096])
    sum(n * n for n in range(2_000_000))
    watch.look()
    assert watch.rss_bytes > 64 << 20
    assert 0 < watch.pss_bytes <= watch.rss_bytes * 1.1
    assert 0 < watch.cpu_s()[0] < 60
    assert rss_bytes(2**30) == 0


def test_shares_of_the_limit() -> None:
    ingest = limits.of_ingest(MACHINE, 50_000, 400)
    assert (ingest.limit, ingest.share) == (2_500_000, 0.02)
    fresh = limits.of_freshness(MACHINE, 0.1)
    assert (fresh.limit, fresh.share) == (1 / MACHINE.syncs_per_s, 10 / MACHINE.syncs_per_s)
    scan = limits.of_scan(MACHINE, 64.0, 20_000_000)
    assert (scan.limit, scan.share) == (32.0, 0.5)  # memory, not counting, is what limits it
    assert limits.of_open(MACHINE, 4e9, 2.0).share == 0.1


def test_a_peer_stands_beside_ours() -> None:
    ours = {"ingest_posts_per_s": 30_000, "bytes_per_post": 300.0, "freshness_s": None}
    ours["query_ms"] = {"p50": 20.0, "p99": 60.0}
    peer = {"ingest_posts_per_s": 3_000, "bytes_per_post": 400.0, "version": "Rival 1"}
    peer |= {"query_ms": {"p50": 5.0, "p99": 90.0}, "freshness_s": {"p50": 0.2, "p99": 0.7}}
    beside = compared(ours, peer, MACHINE)
    assert beside["ours_is"] == {
        "ingest_posts_per_s": 10.0,
        "bytes_per_post": 1.33,
        "query_ms_p50": 0.25,
        "query_ms_p99": 1.5,
    }
    assert beside["share_of_limit"] == limits.of_ingest(MACHINE, 3_000, 400.0).share
    assert {key: beside[key] for key in peer} == peer
    assert compared(ours, {"error": "OSError: gone"}, MACHINE) == {"error": "OSError: gone"}


def test_scanning_codes_takes_longer_the_more_there_are() -> None:
    few_ms, many_ms = limits.scan_ms(1_000), limits.scan_ms(200_000)
    assert 0 < few_ms < many_ms < 10_000


def test_the_machine_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, small in (("_MEMORY_BYTES", 8 << 20), ("_DISK_BYTES", 1 << 20), ("_SYNCS", 5)):
        monkeypatch.setattr(limits, name, small)
    speed = limits.measure(tmp_path)
    assert 0.1 < speed.memory_gb_per_s < 10_000
    assert speed.disk_gb_per_s > 0
    assert speed.syncs_per_s > 1
    assert speed.popcounts_g_per_s >= 0.5
    assert list(tmp_path.iterdir()) == []


def test_each_stage_of_the_road_costs_something(firehose: Firehose, tmp_path: Path) -> None:
    cost_us = stages.measure(firehose, tmp_path, 500)
    assert next(iter(cost_us)) == "split"
    assert {"decode", "clean", "language", "fsync", "novel", "apply", "words", "embed"} < set(
        cost_us
    )
    assert all(cost >= 0 for cost in cost_us.values())
    assert cost_us["apply"] > 0
    assert sum(cost_us.values()) > 5
