"""`plan serve`: from requests and limits to batches, replicas, tails and the price of a token."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.errors import PlanError
from fairwitness.planner.fields import Field, Output, Told, Values, Verb, Word
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Chart, Line, Result, Table
from fairwitness.planner.serving.arrivals import Arrival, poisson, read_trace
from fairwitness.planner.serving.calibrate import CHUNK_TOKENS, Calibration, calibrate, read_loads
from fairwitness.planner.serving.capacity import (
    Mix,
    largest_batch,
    million_tokens_usd,
    slots,
    split_usd,
    throughput,
)
from fairwitness.planner.serving.pace import Pace, Served, answers_s, pace_of, prompt_s
from fairwitness.planner.serving.simulate import Policy, Simulated, simulate
from fairwitness.planner.shapes import BYTES_OF, find_shape

_OURS = "our choice"
_RESERVED_BYTES = 6e9  # driver, activations, buffers
_MOST_BATCH = 4096
_SIMULATED = 3000  # requests
_FORMATS = tuple(BYTES_OF)

_FIELDS: tuple[Field | Word, ...] = (
    Word("model", "Shape of the model: a name, or a config.json.", "grok-1"),
    Word("chip", "Accelerator.", "H100", kind="accelerator"),
    Word("server", "Server that the chips stand in.", "DGX-H100", kind="server"),
    Word("precision", "Format that is multiplied in.", "bf16", choices=("bf16", "fp8")),
    Word("weights", "Format of the weights.", "int8", choices=_FORMATS),
    Word("cache", "Format of the KV cache.", "bf16", choices=_FORMATS),
    Word("trace", "JSON lines of requests (at_s, prompt_tokens, answer_tokens) to simulate."),
    Word("calibrate", "Measurements of an engine: JSON rows, or of bench engine."),
    Field("users", "user", "People a day.", "60M", _OURS),
    Field("uses", "", "Questions of each, a day.", "5..15", _OURS),
    Field("peak", "", "Busiest hour over the mean.", "1.5..2.5", _OURS, least=1.0),
    Field("prompt", "token", "Tokens of a prompt.", "800..2500", _OURS),
    Field("answer", "token", "Tokens of an answer.", "200..500", _OURS),
    Field("cached", "", "Share of prompts found in the prefix cache.", "20..60 %", _OURS, most=1,
          zero=True),
    Field("spread", "", "Standard deviation of a length's logarithm.", "1", _OURS, zero=True),
    Field("first_limit", "s", "95 % of first tokens come within.", "2 s", _OURS),
    Field("token_limit", "s", "A token of an answer takes at most.", "50 ms", _OURS),
    Field("headroom", "", "Load of a replica in the busiest hour.", "70 %", _OURS, most=1),
    Field("chips_each", "chip", "Chips of a replica; else the cheapest.", whole=True),
    Field("memory", "byte", "Memory of a chip.", figure="chip.memory"),
    Field("memory_rate", "byte/s", "Rate of that memory.", figure="chip.memory_rate"),
    Field("scale_up", "byte/s", "Link within a server.", figure="chip.scale_up", bits=True),
    Field("scale_up_chips", "chip", "Chips on it.", figure="chip.scale_up_chips", whole=True),
    Field("scale_out", "byte/s", "Link to others.", figure="chip.scale_out", bits=True),
    Field("matrix", "", "Share of the peak that prompts reach.", "40..70 %", _OURS, most=1),
    Field("attention", "", "And answers.", "30..60 %", _OURS, most=1),
    Field("memory_reached", "", "Of the memory's rate.", "60..85 %", _OURS, most=1),
    Field("step", "s", "Host and launches of a step.", "1..6 ms", _OURS, zero=True),
    Field("chip_power", "W", "Power of a chip.", figure="chip.power"),
    Field("server_power", "", "Power of a server over its chips'.",
          figure="server.chip_to_server_power", least=1.0),
    Field("draw", "", "Average over nameplate power.", "50..80 %", _OURS, most=1),
    Field("pue", "", "Power at the meter over that of servers.", "1.1..1.3", _OURS, least=1.0),
    Field("rent", "USD/chip/h", "Price of a chip's hour.", figure="chip.rent"),
)  # fmt: skip

_OUTPUTS = (
    Output("peak_requests", "1/s", "questions a second in the busiest hour"),
    Output("chips_needed", "chip", "chips", swings=True),
    Output("replicas", "", "replicas"),
    Output("batch", "", "answers side by side in a replica"),
    Output("token_gap", "s", "between two tokens, at that batch"),
    Output("first", "s", "first token, with nothing queued"),
    Output("answer_rate", "token/s", "answer tokens of a replica"),
    Output("answer_price", "USD", "a million answer tokens", swings=True),
    Output("prompt_price", "USD", "a million prompt tokens"),
    Output("whole_price", "USD", "a million answer tokens, if all cost is theirs"),
    Output("question_price", "USD", "an answered question"),
    Output("user_price", "USD", "a user and month"),
    Output("question_energy", "kWh", "energy of a question"),
    Output("power", "W", "average power at the meter"),
    Output("rent_a_day", "USD", "a day"),
    Output("slots", "", "answers whose caches fit a replica"),
    Output("idle", "", "share of chip time unused over a day"),
)


@dataclasses.dataclass(frozen=True)
class _Replica:
    """What is fixed before draws: the model's formats, chips of a replica, and fitted rates."""

    served: Served
    chips: int
    memory_bytes: float
    fitted: Calibration | None


def plan_serve(inputs: Inputs, told: Told) -> Result:
    """Choose a replica at the medians, run the formulas on draws, and simulate one replica."""
    middle = inputs.middle()
    shape = find_shape(inputs.word("model"))
    served = Served(shape, BYTES_OF[inputs.word("weights")], BYTES_OF[inputs.word("cache")])
    fitted = None
    if inputs.word("calibrate"):
        told("calibrating", 0, 1)
        fitted = calibrate(served, read_loads(Path(inputs.word("calibrate"))))
        told("calibrating", 1, 1)
    chips = _chips(inputs, served, fitted, middle)
    replica = _Replica(served, chips, middle["memory_bytes"], fitted)
    result = outcome(inputs, partial(_compute, inputs, replica), _OUTPUTS, told)
    at_middle = _compute(inputs, replica, middle)
    told("simulating", 0, 1)
    seen = _simulated(inputs, replica, at_middle, middle)
    told("simulating", 1, 1)
    return msgspec.structs.replace(
        result,
        verdict=_verdict(replica, at_middle, seen, middle),
        tables=(_tails(seen),),
        charts=(_curve(inputs, replica, middle),),
        notes=_notes(replica, middle),
    )


def _compute(inputs: Inputs, replica: _Replica, v: Values) -> dict[str, Number]:
    """Every output, for draws or points."""
    served, mix = replica.served, _mix(v)
    pace = _pace(inputs, replica, v)
    held = slots(served, replica.chips, replica.memory_bytes, _RESERVED_BYTES, mix)
    limit = np.minimum(held, float(_MOST_BATCH))
    # a loaded replica's steps also carry others' prompts: `throughput` counts them
    batch = largest_batch(served, pace, mix, limit, v["token_limit_s"])
    given = throughput(served, pace, mix, np.maximum(batch, 1.0))
    mean_per_s = v["users"] * v["uses"] / 86_400
    peak_per_s = mean_per_s * v["peak"]
    works = batch >= 1
    replicas = np.where(works, peak_per_s / (given.requests_per_s * v["headroom"]), np.inf)
    chips = np.ceil(replicas) * replica.chips
    day_usd = chips * v["rent_usd_per_chip_h"] * 24
    question_usd = day_usd / (mean_per_s * 86_400)
    prompt_work_s = prompt_s(served, pace, mix.prompt_tokens, mix.cached_tokens)
    step = answers_s(served, pace, given.batch, mix.prompt_tokens + mix.answer_tokens / 2)
    answer_work_s = mix.answer_tokens * step / given.batch
    prompt_usd, answer_usd = split_usd(question_usd, prompt_work_s, answer_work_s)
    chip_w = v["chip_power_w"] * v["server_power"] * v["draw"] * v["pue"]
    rate = given.requests_per_s * mix.answer_tokens
    return {
        "peak_requests_per_s": peak_per_s,
        "chips_needed_chips": chips,
        "replicas": np.ceil(replicas),
        "batch": batch,
        "token_gap_s": given.token_s,
        "first_s": given.first_s,
        "answer_rate_tokens_per_s": rate,
        "answer_price_usd": answer_usd / mix.answer_tokens * 1e6,
        "prompt_price_usd": prompt_usd / mix.prompt_tokens * 1e6,
        "whole_price_usd": million_tokens_usd(
            v["rent_usd_per_chip_h"], chips, mean_per_s * mix.answer_tokens
        ),
        "question_price_usd": question_usd,
        "user_price_usd": question_usd * v["uses"] * 365 / 12,
        "question_energy_kwh": chips * chip_w * 24 / 1000 / (mean_per_s * 86_400),
        "power_w": chips * chip_w,
        "rent_a_day_usd": day_usd,
        "slots": held,
        "idle": 1 - mean_per_s / (np.ceil(replicas) * given.requests_per_s),
    }


def _mix(v: Values) -> Mix:
    return Mix(v["prompt_tokens"], v["answer_tokens"], v["cached"] * v["prompt_tokens"])


def _pace(inputs: Inputs, replica: _Replica, v: Values) -> Pace:
    if replica.fitted is not None:
        return replica.fitted.pace
    chip, middle = inputs.catalogue.row(inputs.word("chip")), inputs.middle()
    try:
        device = Device(
            chip.figure(inputs.word("precision")).median,
            middle["memory_bytes"],
            v["memory_rate_bytes_per_s"],
            v["scale_up_bytes_per_s"],
            int(middle["scale_up_chips"]),
            v["scale_out_bytes_per_s"],
        )
    except KeyError as error:
        option = str(error.args[0]).split("_bytes")[0].replace("_", "-")
        raise PlanError(f"{chip.name}: the catalogue has no {option}; give --{option}") from error
    reached = Reached(matrix=v["matrix"], attention=v["attention"], memory=v["memory_reached"])
    spread = replica.chips if replica.chips > device.scale_up_chips else 1
    return pace_of(replica.served, replica.chips, device, reached, v["step_s"], spread)


def _chips(
    inputs: Inputs, served: Served, fitted: Calibration | None, middle: dict[str, float]
) -> int:
    """Chips of a replica: as asked, one for a measured engine, else the cheapest that keeps up.

    Raises:
        PlanError: the model does not fit so many chips, or its answers are too slow on any number.
    """
    sizes = [2**n for n in range(9)]
    if "chips_each_chips" in middle:
        sizes = [int(middle["chips_each_chips"])]
    elif fitted is not None:
        sizes = [1]
    fit = [n for n in sizes if _free(served, n, middle) > 0]
    if not fit:
        missing = -_free(served, sizes[-1], middle)
        raise PlanError(
            f"{served.shape.name}: {shown(served.weight_bytes, 'byte')} of weights and one "
            f"answer's cache do not fit {sizes[-1]} chips; {shown(missing, 'byte')} are missing"
        )
    cost = {
        n: float(
            _compute(inputs, _Replica(served, n, middle["memory_bytes"], fitted), middle)[
                "chips_needed_chips"
            ]
        )
        for n in fit
    }
    best: int = min(cost, key=cost.__getitem__)
    if math.isinf(cost[best]):
        limit = shown(middle["token_limit_s"], "s")
        raise PlanError(
            f"{served.shape.name}: no replica of {fit[0]} to {fit[-1]} chips gives a token every "
            f"{limit}; a longer token-limit, fewer bytes a weight, or faster memory would"
        )
    return best


def _free(served: Served, chips: int, middle: dict[str, float]) -> float:
    """Bytes left of a replica beside its weights and one answer's cache."""
    room = chips * (middle["memory_bytes"] - _RESERVED_BYTES) - served.weight_bytes
    one = slots(served, chips, middle["memory_bytes"], _RESERVED_BYTES, _mix(middle))
    return room if float(one) >= 1 else min(room, 0.0) - 1


def _simulated(
    inputs: Inputs, replica: _Replica, found: dict[str, Number], middle: dict[str, float]
) -> Simulated:
    """One replica at its share of the busiest hour, or under the given trace."""
    pace = _pace(inputs, replica, middle)
    chunk = CHUNK_TOKENS if replica.fitted is not None else Policy(1).chunk_tokens
    policy = Policy(int(found["batch"]), chunk)
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
    replica: _Replica, found: dict[str, Number], seen: Simulated, middle: dict[str, float]
) -> str:
    first_s = seen.rank("first_s", 95)
    met = first_s <= middle["first_limit_s"]
    kept = "kept" if met else "missed: give more headroom, or fewer tokens"
    return (
        f"feasible: {shown(float(found['chips_needed_chips']))} chips in replicas of "
        f"{replica.chips}, {int(found['batch'])} answers side by side; 95 % of first tokens within "
        f"{shown(first_s, 's')}, limit {shown(middle['first_limit_s'], 's')} {kept}"
    )


def _curve(inputs: Inputs, replica: _Replica, middle: dict[str, float]) -> Chart:
    """A replica's rate and pace over its batch."""
    pace, mix = _pace(inputs, replica, middle), _mix(middle)
    held = float(slots(replica.served, replica.chips, replica.memory_bytes, _RESERVED_BYTES, mix))
    batches = np.unique(np.geomspace(1, max(min(held, _MOST_BATCH), 2), 40).round())
    given = throughput(replica.served, pace, mix, batches)
    rates = np.asarray(given.requests_per_s * mix.answer_tokens)
    gaps_ms = np.asarray(given.token_s) * 1000
    return Chart(
        "what a replica gives, and how fast an answer comes",
        "milliseconds between two tokens",
        "answer tokens a second",
        (Line("replica", tuple(gaps_ms.tolist()), tuple(rates.tolist())),),
    )


def _notes(replica: _Replica, middle: dict[str, float]) -> tuple[str, ...]:
    served = replica.served
    notes = [
        f"{served.shape.name}: {shown(served.weight_bytes, 'byte')} of weights in a replica of "
        f"{replica.chips} chips with {shown(middle['memory_bytes'], 'byte')} each",
        "a question's cost counts chips that idle outside of the busiest hour",
    ]
    if replica.fitted is not None:
        how = "apart" if replica.fitted.pace.apart else "together"
        notes.append(
            f"rates are fitted on your measurements (worst error {replica.fitted.worst:.0%}); "
            f"sequences step {how}"
        )
    return tuple(notes)


VERB = Verb(
    name="serve",
    help="Serve a model: batches, replicas, latencies, energy, and the price of a token.",
    example="--model llama-3.1-70b --weights fp8 --users 1M --prompt 1000 --answer 300",
    fields=_FIELDS,
    plan=plan_serve,
)
