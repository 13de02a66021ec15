"""Machines for a stream of posts: each need by hand, and what the bench measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.stream.bench import read_bench
from fairwitness.planner.stream.machines import (
    Cost,
    Demand,
    Machine,
    growth,
    needs,
    posts_kept,
    posts_per_shard,
)

COST = Cost(
    write_s=70e-6, ask_s=4e-3, ask_s_per_post=5e-9, index_bytes=250, log_bytes=100,
    memory_bytes=100, line_bytes=500,
)  # fmt: skip
DEMAND = Demand(
    posts_per_s=5787, peak_ratio=2.0, retention_days=30, queries_per_s=100, deep_share=0.1,
    hot_days=1, posts_per_shard=20e6, replicas=2, log_replicas=3, hit_bytes=4e3, load_share=0.5,
)  # fmt: skip
MACHINE = Machine(64, 512e9, 30e12, 25e9 / 8, 2.0)


def test_half_a_billion_a_day_is_a_trillion_in_five_and_a_half_years() -> None:
    assert posts_kept(5787.037, 1.0) == pytest.approx(500e6)
    assert posts_kept(5787.037, 2000.0) == pytest.approx(1e12)


def test_each_need_by_hand() -> None:
    found = needs(DEMAND, COST, MACHINE)
    kept, day = 5787 * 86400 * 30, 5787 * 86400
    assert found.shards == np.ceil(kept / 20e6) == 750
    assert found.hot_shards == np.ceil(day / 20e6) == 25
    assert found.write_cores == pytest.approx(5787 * 2 * 70e-6 * 2 / 0.5)
    deep, hot = 750 * 4e-3 + kept * 5e-9, 25 * 4e-3 + day * 5e-9
    assert found.deep_query_core_s == pytest.approx(deep)
    assert found.query_cores == pytest.approx(200 * (0.1 * deep + 0.9 * hot) / 0.5)
    assert found.memory_bytes == pytest.approx(day * 100 * 2)
    assert found.disk_bytes == pytest.approx(kept * (250 * 2 + 100 * 3))
    asked_shards = 0.1 * 750 + 0.9 * 25
    assert found.network_bytes_per_s == pytest.approx(5787 * 2 * 500 * 5 + 200 * asked_shards * 4e3)
    assert found.machines == np.ceil(max(found.machines_for.values()))
    assert found.usd_per_month == pytest.approx(found.machines * 2 * 730)


def test_the_scarcest_part_decides() -> None:
    idle = replace(DEMAND, queries_per_s=0.0, retention_days=2000)
    found = needs(idle, COST, MACHINE)
    assert max(found.machines_for, key=lambda part: found.machines_for[part]) == "disk"
    assert needs(idle, COST, replace(MACHINE, disk_bytes=1e18)).machines < found.machines


def test_copies_are_on_machines_of_their_own() -> None:
    tiny = replace(DEMAND, posts_per_s=1.0, queries_per_s=0.1)
    assert needs(tiny, COST, MACHINE).machines == 2


@given(st.floats(1, 1e6), st.floats(1, 3000), st.floats(0, 1e4))
def test_more_of_anything_never_needs_fewer_machines(
    posts_per_s: float, days: float, queries: float
) -> None:
    demand = replace(DEMAND, posts_per_s=posts_per_s, retention_days=days, queries_per_s=queries)
    least = needs(demand, COST, MACHINE).machines
    for name in ("posts_per_s", "retention_days", "queries_per_s"):
        more = replace(demand, **{name: getattr(demand, name) * 2})
        assert needs(more, COST, MACHINE).machines >= least


def test_draws_and_points_agree() -> None:
    many = needs(replace(DEMAND, queries_per_s=np.array([10.0, 100.0])), COST, MACHINE)
    assert many.machines[1] == needs(DEMAND, COST, MACHINE).machines


def test_a_shard_is_as_large_as_its_time_allows() -> None:
    assert posts_per_shard(0.1, 4e-3, 5e-9) == pytest.approx(19.2e6)
    with pytest.raises(PlanError, match="which is not within"):
        posts_per_shard(3e-3, 4e-3, 5e-9)


def test_growth_is_read_off_two_sizes_and_more() -> None:
    sizes = [(posts, 0.003 + 6e-9 * posts) for posts in (1e5, 1e6, 5e6, 20e6)]
    assert growth(sizes) == pytest.approx((0.003, 6e-9))
    assert growth([(1e5, 0.005), (1e6, 0.004)])[1] == 0.0
    assert growth([(1e5, 0.001), (1e6, 0.02)])[0] == 0.0
    with pytest.raises(PlanError, match="two sizes"):
        growth([(1e5, 0.005)])


def test_nothing_costs_less_than_nothing() -> None:
    with pytest.raises(PlanError, match="write_s is -1"):
        replace(COST, write_s=-1.0)


SIZES = ((10**5, 3.5, 321.4, 99.2), (10**6, 8.0, 240.1, 98.0))
KEYS = ("posts", "query_all_p50_ms", "bytes_per_post", "log_bytes_per_post")
BENCH = {
    "cpu_us_per_post": {"writer": 69.2, "asker": 13.7},
    "stream": {"texts": 5, "line_bytes": 489.0},
    "scale": [dict(zip(KEYS, row, strict=True)) for row in SIZES],
    "commit": "abc1234", "machine": "two cores", "quick": True, "peers": {},
}  # fmt: skip


def test_a_bench_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(BENCH))
    measured, source = read_bench(path)
    assert measured == {
        "write": "69.2 us/post",
        "line_size": "489 byte/post",
        "index_size": "240.1 byte/post",
        "log_size": "98 byte/post",
        "ask": "0.003 s/query",
        "ask_growth": "5e-09 s/post",
    }
    assert source == "bench index at abc1234, quick, two cores"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no json", "cannot be read"),
        ('{"peers": {}}', "has no scale, writer or stream"),
        ('{"scale": [{"posts": "many"}]}', "cannot be read"),
    ],
)
def test_a_file_that_is_no_bench_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_bench(path)
