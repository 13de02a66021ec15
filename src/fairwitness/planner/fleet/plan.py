"""`plan fleet`: what machines that are idle part of the week could answer, beside a data centre."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.certain import one_number
from fairwitness.planner.errors import InputError
from fairwitness.planner.fields import Told, Values, Verb
from fairwitness.planner.fleet import idle
from fairwitness.planner.fleet.fields import FIELDS, OUTPUTS
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Array, Number
from fairwitness.planner.result import Chart, Line, Result, Table
from fairwitness.planner.shapes import (
    ModelShape,
    active_weights,
    find_shape,
    kv_token_bytes,
    weights,
)

_PATTERNS = ("car", "desktop", "flat")
_MILLION = 1e6


def compute(v: Values, shape: ModelShape, used: float, copies: int) -> Mapping[str, Number]:
    """Return every output of a fleet; `used` is the share of idle hours that meets a question."""
    active, each_bytes = float(active_weights(shape)), np.asarray(v["weight_size"])
    seen = v["prompt_tokens"] + np.asarray(v["answer_tokens"]) / 2
    cache_bytes = kv_token_bytes(shape, 2.0) * seen * v["batch"]
    model_bytes = weights(shape).total * each_bytes + cache_bytes
    fits = idle.fits_share(v["memory_bytes"], v["usable"], model_bytes)
    rate = idle.tokens_per_s(
        active * each_bytes + cache_bytes,
        2 * active,
        v["memory_rate_bytes_per_s"],
        v["compute_flops_per_s"],
        v["batch"],
        v["efficiency"],
    )
    writing_s = v["answer_tokens"] * v["batch"] / np.asarray(rate)
    reach = v["compute_flops_per_s"] * np.asarray(v["efficiency"])
    reading_s = v["prompt_tokens"] * v["batch"] * 2 * active / reach
    answer_s = reading_s + writing_s
    finished = idle.finished_share(1 / np.asarray(v["stretch_h"]), answer_s)
    loaded = idle.loaded_share(v["stretch_h"], model_bytes / v["load_rate_bytes_per_s"])
    fetching = idle.update_share(
        model_bytes, v["updates_per_month"], v["line_bytes_per_s"], v["idle_time_h"]
    )
    loaded = loaded * np.maximum(1 - np.asarray(fetching), 0.0)
    again = idle.asked_again(v["cheating"], copies)
    useful = finished * loaded * writing_s / answer_s / copies / again * (np.asarray(fits) >= 1)
    busy_h_per_day = v["machines"] * np.asarray(v["join"]) * v["idle_time_h"] / 7 * used
    tokens = busy_h_per_day * 3600 * rate * useful
    chip_rate = v["chip_rate_flops_per_s"] * np.asarray(v["chip_mfu"]) / (2 * active)
    chip_tokens_h = chip_rate * np.asarray(v["chip_use"]) * 3600
    with np.errstate(divide="ignore"):
        busy_h = _MILLION / np.asarray(3600 * rate * useful)
    busy_kwh = busy_h * v["power_w"] / 1e3
    owners_usd = busy_h * v["owner_pay_usd_per_machine_h"]
    energy_usd = busy_kwh * v["electricity_usd_per_kwh"]
    parts = idle.machines_for_one(v["memory_bytes"], v["usable"], model_bytes)
    return {
        "fits": fits,
        "machine_rate_tokens_per_s": rate,
        "answer_time_s": answer_s,
        "asked": used + 0 * np.asarray(fits),
        "finished": finished,
        "loaded": loaded,
        "useful": useful,
        "wrong": idle.wrong_share(v["cheating"], copies),
        "daily_tokens_per_day": tokens,
        "chips": tokens / 24 / chip_tokens_h,
        "cost_usd": (owners_usd + energy_usd) * (1 + np.asarray(v["overhead"])),
        "site_cost_usd": _MILLION / chip_tokens_h * v["chip_rent_usd_per_chip_h"],
        "energy_kwh": busy_kwh,
        "site_energy_kwh": _MILLION / chip_tokens_h * v["chip_power_w"] * v["site_factor"] / 1e3,
        "split_rate_tokens_per_s": idle.split_tokens_per_s(rate, parts, v["hop_s"]),
    }


def plan_fleet(inputs: Inputs, told: Told) -> Result:
    """Return a plan of a fleet."""
    middle = inputs.middle()
    shape = find_shape(inputs.word("model"))
    week = idle.scaled(_trace(inputs.word("trace")), middle["idle_time_h"])
    used = idle.used_share(week, idle.asked_week())
    copies = int(one_number(inputs, "copies"))
    result = outcome(inputs, partial(compute, shape=shape, used=used, copies=copies), OUTPUTS, told)
    told("playing a machine", 0, 1)
    load_s = weights(shape).total * middle["weight_size"] / middle["load_rate_bytes_per_s"]
    played = idle.simulate(
        middle["stretch_h"], load_s, result.quantity("answer_time").median, seed=inputs.seed
    )
    return msgspec.structs.replace(
        result,
        verdict=_verdict(result, inputs, shape),
        tables=(
            Table(
                "one machine, played for 20,000 idle hours, medians",
                ("answers that were finished", "begun and lost", "loading"),
                (tuple(shown(share, "%") for share in played),),
            ),
        ),
        charts=(_week_chart(week),),
        notes=(
            "questions come as idle hours do in number, by day twice as many as by night",
            "a wrong answer is believed when the machines that made it lie alike",
        ),
    )


def _verdict(result: Result, inputs: Inputs, shape: ModelShape) -> str:
    middle = inputs.middle()
    fits = result.quantity("fits").median
    if fits < 1:
        most = idle.largest_parameters(
            middle["memory_bytes"], middle["usable"], middle["weight_size"]
        )
        size = weights(shape).total * middle["weight_size"]
        return (
            f"infeasible: {shape.name} takes {shown(size, 'byte')} of a machine's "
            f"{shown(middle['memory_bytes'] * middle['usable'], 'byte')}; the largest that fits "
            f"has {shown(float(most))} parameters, and split over "
            f"{np.ceil(1 / fits):.0f} machines an answer would have "
            f"{shown(result.quantity('split_rate').median, 'token/s')}"
        )
    ours, theirs = (result.quantity(name).median for name in ("cost", "site_cost"))
    word = "cheaper" if ours < theirs else "dearer"
    return (
        f"{shown(result.quantity('daily').median, 'token/day')}, as "
        f"{shown(result.quantity('chips').median, 'chip')} would make; "
        f"{shown(max(ours, theirs) / min(ours, theirs), digits=2)} times {word} than a data centre"
    )


def _trace(name: str) -> Array:
    """Return a week: one of the patterns, or a file of 168 shares."""
    if name in _PATTERNS:
        return idle.week(name)
    right = f"write {', '.join(_PATTERNS)}, or a file of 168 shares from 0 to 1"
    try:
        hours = np.loadtxt(Path(name), dtype=float, delimiter=None, ndmin=1).ravel()
    except (OSError, ValueError) as error:
        raise InputError("trace", name, f"cannot be read: {error}", right) from None
    if len(hours) != idle.HOURS_PER_WEEK or not np.all((hours >= 0) & (hours <= 1)):
        raise InputError("trace", name, f"holds {len(hours)} numbers, or some beyond 0..1", right)
    return np.asarray(hours, float)


def _week_chart(week: Array) -> Chart:
    hours = tuple(float(hour) for hour in range(idle.HOURS_PER_WEEK))
    asked = idle.asked_week() * week.sum() / idle.HOURS_PER_WEEK
    lines = (
        Line("idle", hours, tuple(float(each) for each in week)),
        Line("asked for", hours, tuple(float(each) for each in asked)),
    )
    return Chart("a week from Monday midnight", "hour", "share of machines", lines)


VERB = Verb(
    name="fleet",
    help="Answer with machines that are idle part of the week, and compare with a data centre.",
    example='--model llama-3.1-8b --machines 5M --idle-time "112 h" --memory 16GB --copies 2',
    fields=FIELDS,
    plan=plan_fleet,
)
