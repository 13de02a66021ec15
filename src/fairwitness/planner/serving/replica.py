"""One replica of a served model: how many chips it takes, and what follows from that for all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.errors import PlanError
from fairwitness.planner.fields import Values
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.ranges import Number
from fairwitness.planner.serving.calibrate import Calibration
from fairwitness.planner.serving.capacity import (
    Mix,
    largest_batch,
    million_tokens_usd,
    slots,
    split_usd,
    throughput,
)
from fairwitness.planner.serving.pace import Pace, Served, answers_s, pace_of, prompt_s
from fairwitness.planner.shapes import kv_sequence_bytes

RESERVED_BYTES = 6e9  # driver, activations, buffers
MOST_BATCH = 4096


@dataclass(frozen=True)
class Replica:
    """What is fixed before draws: the model's formats, chips of a replica, and fitted rates.

    `eased` is what of the asked load a replica bears, so that first tokens come in time.
    """

    served: Served
    chips: int
    memory_bytes: float
    fitted: Calibration | None
    eased: float = 1.0


def compute(inputs: Inputs, replica: Replica, v: Values) -> dict[str, Number]:
    """Every output, for draws or points."""
    served, mix = replica.served, mix_of(v)
    pace = pace_for(inputs, replica, v)
    held = slots(served, replica.chips, replica.memory_bytes, RESERVED_BYTES, mix)
    limit = np.minimum(held, float(MOST_BATCH))
    # a loaded replica's steps also carry others' prompts: `throughput` counts them
    batch = largest_batch(served, pace, mix, limit, v["token_limit_s"])
    given = throughput(served, pace, mix, np.maximum(batch, 1.0))
    mean_per_s = v["users"] * v["uses"] / 86_400
    peak_per_s = mean_per_s * v["peak"]
    works = batch >= 1
    replicas = np.where(
        works, peak_per_s / (given.requests_per_s * v["headroom"] * replica.eased), np.inf
    )
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


def mix_of(v: Values) -> Mix:
    """Return the mean request."""
    return Mix(v["prompt_tokens"], v["answer_tokens"], v["cached"] * v["prompt_tokens"])


def pace_for(inputs: Inputs, replica: Replica, v: Values) -> Pace:
    """Return a replica's rates: fitted ones, or what the catalogue's chip gives.

    Raises:
        PlanError: the catalogue lacks a figure of the chip, and nobody gave it.
    """
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
    return pace_of(replica.served, replica.chips, device, reached, v["step_s"])


def cheapest(
    inputs: Inputs, served: Served, fitted: Calibration | None, middle: dict[str, float]
) -> Replica:
    """A replica of as many chips as asked, one for a measured engine, else of what costs least.

    Raises:
        PlanError: the model does not fit so many chips, or its answers are too slow on any number.
    """
    sizes = [2**n for n in range(9)]
    if "chips_each_chips" in middle:
        sizes = [int(middle["chips_each_chips"])]
    elif fitted is not None:
        sizes = [1]
    tried = [_replica(served, chips, fitted, middle) for chips in sizes]
    fit = [replica for replica in tried if _missing_bytes(replica, middle) <= 0]
    if not fit:
        raise PlanError(
            f"{served.shape.name}: {shown(served.weight_bytes, 'byte')} of weights and one "
            f"answer's cache do not fit {sizes[-1]} chips; "
            f"{shown(_missing_bytes(tried[-1], middle), 'byte')} are missing"
        )
    cost = [float(compute(inputs, replica, middle)["chips_needed_chips"]) for replica in fit]
    if math.isinf(min(cost)):
        limit = shown(middle["token_limit_s"], "s")
        raise PlanError(
            f"{served.shape.name}: no replica of {fit[0].chips} to {fit[-1].chips} chips gives a "
            f"token every {limit}; a longer token-limit, fewer bytes a weight, or faster memory "
            "would"
        )
    return fit[cost.index(min(cost))]


def _replica(
    served: Served, chips: int, fitted: Calibration | None, middle: dict[str, float]
) -> Replica:
    """Beyond one scale-up domain experts are spread over all, the rest stands in each domain."""
    domains = max(1, chips // int(middle["scale_up_chips"]))
    copies = domains if served.shape.experts and fitted is None else 1
    return Replica(replace(served, copies=copies), chips, middle["memory_bytes"], fitted)


def _missing_bytes(replica: Replica, middle: dict[str, float]) -> float:
    """What lacks for the weights and one answer's cache; at most 0 if they fit."""
    mix = mix_of(middle)
    tokens = mix.prompt_tokens + mix.answer_tokens
    cache = kv_sequence_bytes(replica.served.shape, tokens, replica.served.kv_bytes_each)
    room = replica.chips * (replica.memory_bytes - RESERVED_BYTES)
    return float(replica.served.weight_bytes + cache - room)
