"""`plan stream`: machines for so many posts a second, kept so long and asked so often."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from fairwitness.planner.amounts import shown
from fairwitness.planner.fields import Field, Told, Values, Verb
from fairwitness.planner.inputs import Given, Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.reading import read
from fairwitness.planner.result import Chart, Line, Result, Table
from fairwitness.planner.stream.bench import read_bench
from fairwitness.planner.stream.fields import FIELDS, OUTPUTS
from fairwitness.planner.stream.machines import Cost, Demand, Machine, Needs, needs

_DAYS_PER_YEAR = 365.0
_YEARS = (1 / 365, 7 / 365, 30 / 365, 0.25, 1.0, 2.0, 5.5, 10.0)


def needs_of(v: Values) -> Needs:
    """Return what the stream takes that inputs describe."""
    demand = Demand(
        posts_per_s=v["incoming_posts_per_s"],
        peak_ratio=v["peak"],
        retention_days=v["retention_years"] * _DAYS_PER_YEAR,
        queries_per_s=v["asked_queries_per_s"],
        deep_share=v["deep"],
        hot_days=v["hot_years"] * _DAYS_PER_YEAR,
        posts_per_shard=v["shard_posts"],
        replicas=v["replicas"],
        log_replicas=v["log_replicas"],
        hit_bytes=v["hits_size_bytes_per_query"],
        load_share=v["load"],
    )
    cost = Cost(
        write_s=v["write_s_per_post"],
        ask_s=v["ask_s_per_query"],
        ask_s_per_post=v["ask_growth_s_per_post"],
        index_bytes=v["index_size_bytes_per_post"],
        log_bytes=v["log_size_bytes_per_post"],
        memory_bytes=v["hot_size_bytes_per_post"],
        line_bytes=v["line_size_bytes_per_post"],
    )
    machine = Machine(
        v["cores"],
        v["memory_bytes"],
        v["disk_bytes"],
        v["line_bytes_per_s"],
        v["price_usd_per_machine_h"],
    )
    return needs(demand, cost, machine)


def compute(v: Values) -> Mapping[str, Number]:
    """Return every output of a stream."""
    found = needs_of(v)
    return {
        "kept_posts": found.posts_kept,
        "shards": found.shards,
        "shard_time_s": v["ask_s_per_query"] + v["ask_growth_s_per_post"] * v["shard_posts"],
        "write_cores": found.write_cores,
        "query_cores": found.query_cores,
        "deep_cost_s": found.deep_query_core_s,
        "memory_bytes": found.memory_bytes,
        "disk_bytes": found.disk_bytes,
        "log_bytes": found.log_bytes,
        "network_bytes_per_s": found.network_bytes_per_s,
        "machines": found.machines,
        "cost_usd_per_month": found.usd_per_month,
        "post_cost_usd_per_month": found.usd_per_month / found.posts_kept * 1e9,
    }


def plan_stream(inputs: Inputs, told: Told) -> Result:
    """Return a plan of a stream."""
    if inputs.word("bench"):
        inputs = _measured(inputs, Path(inputs.word("bench")))
    result = outcome(inputs, compute, OUTPUTS, told)
    middle = inputs.middle()
    found = needs_of(middle)
    short = max(found.machines_for, key=lambda name: float(found.machines_for[name]))
    verdict = (
        f"{shown(result.quantity('machines').median, 'machine')} for "
        f"{shown(result.quantity('kept').median, 'post')}, bound by {short}; "
        f"{shown(result.quantity('cost').median, 'USD')} a month"
    )
    rows = tuple((name, float(count)) for name, count in found.machines_for.items())
    return msgspec.structs.replace(
        result,
        verdict=verdict,
        tables=(Table("machines that each part asks for, medians", ("part", "machines"), rows),),
        charts=(_growth_chart(middle),),
        notes=(
            "a question over everything asks every shard: keep such questions rare, or narrow them",
            "on paper: no cluster of this size was run",
        ),
    )


def _measured(inputs: Inputs, path: Path) -> Inputs:
    """Return the inputs with what a bench measured in place of defaults."""
    texts, source = read_bench(path)
    given = dict(inputs.given)
    for name, text in texts.items():
        field = given[name].field
        assert isinstance(field, Field)
        if given[name].origin == "default":
            given[name] = Given(field, text, read(field, text, inputs.rates), "you", source)
    return replace(inputs, given=given)


def _growth_chart(middle: Mapping[str, float]) -> Chart:
    parts: dict[str, list[float]] = {}
    for years in _YEARS:
        found = needs_of({**middle, "retention_years": years})
        for name, count in found.machines_for.items():
            parts.setdefault(name, []).append(max(float(count), 1e-3))
    days = tuple(years * _DAYS_PER_YEAR for years in _YEARS)
    lines = tuple(Line(name, days, tuple(counts)) for name, counts in parts.items())
    return Chart("machines by how long posts are kept", "days kept", "machines", lines, "log")


VERB = Verb(
    name="stream",
    help="Index a stream of posts: shards, log, memory, disk, network, machines and their cost.",
    example='--incoming "500 Mpost/day" --retention "5.5 years" --asked "1000 query/s"',
    fields=FIELDS,
    plan=plan_stream,
)
