"""`plan serve`: from requests and limits to batches, replicas, tails and the price of a token."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.fields import Told, Verb
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Chart, Line, Result, Table
from fairwitness.planner.serving.arrivals import Arrival, poisson, read_trace
from fairwitness.planner.serving.calibrate import ENGINE, calibrate_file
from fairwitness.planner.serving.capacity import slots, throughput
from fairwitness.planner.serving.fields import FIELDS, OUTPUTS
from fairwitness.planner.serving.pace import Served
from fairwitness.planner.serving.replica import (
    MOST_BATCH,
    RESERVED_BYTES,
    Replica,
    cheapest,
    compute,
    mix_of,
    pace_for,
)
from fairwitness.planner.serving.simulate import Policy, Simulated, simulate
from fairwitness.planner.shapes import BYTES_OF, find_shape

_SIMULATED = 3000  # requests
_EASED = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25)  # of the asked load, until first tokens are in time


def plan_serve(inputs: Inputs, told: Told) -> Result:
    """Choose a replica at the medians, run the formulas on draws, and simulate one replica."""
    middle = inputs.middle()
    shape = find_shape(inputs.word("model"))
    served = Served(shape, BYTES_OF[inputs.word("weights")], BYTES_OF[inputs.word("cache")])
    fitted = None
    if inputs.word("calibrate"):
        told("calibrating", 0, 1)
        fitted = calibrate_file(served, Path(inputs.word("calibrate")))
        told("calibrating", 1, 1)
    replica = cheapest(inputs, served, fitted, middle)
    replica, seen = _in_time(inputs, replica, middle, told)
    result = outcome(inputs, partial(compute, inputs, replica), OUTPUTS, told)
    at_middle = compute(inputs, replica, middle)
    return msgspec.structs.replace(
        result,
        verdict=_verdict(replica, at_middle, seen, middle),
        tables=(_tails(seen),),
        charts=(_curve(inputs, replica, middle),),
        notes=_notes(replica, middle),
    )


def _in_time(
    inputs: Inputs, replica: Replica, middle: dict[str, float], told: Told
) -> tuple[Replica, Simulated]:
    """Give a replica less to do until its first tokens come in time; a trace is as it is."""
    shares = (1.0,) if inputs.word("trace") else _EASED
    runs = []
    for number, share in enumerate(shares):
        told("simulating", number, len(shares))
        eased = dataclasses.replace(replica, eased=share)
        runs.append((eased, _simulated(inputs, eased, middle)))
        if runs[-1][1].rank("first_s", 95) <= middle["first_limit_s"]:
            told("simulating", len(shares), len(shares))
            return runs[-1]
    told("simulating", len(shares), len(shares))
    return runs[0]  # idle replicas would not help


def _simulated(inputs: Inputs, replica: Replica, middle: dict[str, float]) -> Simulated:
    """One replica at its share of the busiest hour, or under the given trace."""
    found = compute(inputs, replica, middle)
    pace = pace_for(inputs, replica, middle)
    slots = int(found["batch"])
    policy = Policy(slots) if replica.fitted is None else dataclasses.replace(ENGINE, slots=slots)
    share = float(found["peak_requests_per_s"]) / max(float(found["replicas"]), 1.0)
    return simulate(replica.served, pace, policy, _arrivals(inputs, middle, share))


def _arrivals(inputs: Inputs, middle: dict[str, float], per_s: float) -> list[Arrival]:
    if inputs.word("trace"):
        return read_trace(Path(inputs.word("trace")))
    return poisson(
        _SIMULATED,
        per_s,
        middle["prompt_tokens"],
        middle["answer_tokens"],
        middle["cached"],
        middle["spread"],
        inputs.seed,
    )


def _tails(seen: Simulated) -> Table:
    rows = tuple(
        (label, *(shown(seen.rank(what, percent), "s") for percent in (50, 95, 99)))
        for label, what in (
            ("first token", "first_s"),
            ("between two tokens", "token_s"),
            ("whole answer", "total_s"),
        )
    )
    note = (
        f"one replica, {len(seen.requests)} requests, busy {seen.busy_share:.0%} of the time; from "
        "coming to the first token, queue included, and the mean gap of later tokens in an answer"
    )
    return Table(
        "a replica in the busiest hour, simulated", ("", "50 %", "95 %", "99 %"), rows, note
    )


def _verdict(
    replica: Replica, found: dict[str, Number], seen: Simulated, middle: dict[str, float]
) -> str:
    first_s = seen.rank("first_s", 95)
    met = first_s <= middle["first_limit_s"]
    kept = "kept" if met else "missed at any load: more chips-each would help"
    return (
        f"feasible: {shown(float(found['chips_needed_chips']))} chips in replicas of "
        f"{replica.chips}, {int(found['batch'])} answers side by side; 95 % of first tokens within "
        f"{shown(first_s, 's')}, limit {shown(middle['first_limit_s'], 's')} {kept}"
    )


def _curve(inputs: Inputs, replica: Replica, middle: dict[str, float]) -> Chart:
    """A replica's rate and pace over its batch."""
    pace, mix = pace_for(inputs, replica, middle), mix_of(middle)
    held = float(slots(replica.served, replica.chips, replica.memory_bytes, RESERVED_BYTES, mix))
    batches = np.unique(np.geomspace(1, max(min(held, MOST_BATCH), 2), 40).round())
    given = throughput(replica.served, pace, mix, batches)
    rates = np.asarray(given.requests_per_s * mix.answer_tokens)
    gaps_ms = np.asarray(given.token_s) * 1000
    return Chart(
        "what a replica gives, and how fast an answer comes",
        "milliseconds between two tokens",
        "answer tokens a second",
        (Line("replica", tuple(gaps_ms.tolist()), tuple(rates.tolist())),),
    )


def _notes(replica: Replica, middle: dict[str, float]) -> tuple[str, ...]:
    served = replica.served
    notes = [
        f"{served.shape.name}: {shown(served.weight_bytes, 'byte')} of weights in a replica of "
        f"{replica.chips} chips with {shown(middle['memory_bytes'], 'byte')} each",
        "a question's cost counts chips that idle outside of the busiest hour",
    ]
    if replica.eased < 1:
        notes.append(
            f"replicas bear {replica.eased:.0%} of the load that headroom allows, so that first "
            "tokens come in time"
        )
    if replica.fitted is not None:
        how = "apart" if replica.fitted.pace.apart else "together"
        notes.append(
            f"rates are fitted on your measurements (error {replica.fitted.worst:.0%}); "
            f"sequences step {how}"
        )
    return tuple(notes)


VERB = Verb(
    name="serve",
    help="Serve a model: batches, replicas, latencies, energy, and the price of a token.",
    example="--model llama-3.1-70b --weights fp8 --users 1M --prompt 1000 --answer 300",
    fields=FIELDS,
    plan=plan_serve,
)
