"""Machines that are idle part of the week: what they could answer, and what is lost on the way.

Four things are lost. An owner who comes back interrupts an answer, which is begun again elsewhere.
Each idle stretch begins by loading the model. Machines are idle at night, questions come by day.
And a stranger's machine may lie, so an answer is made more than once and compared.
"""

from typing import NamedTuple

import numpy as np

from fairwitness.planner.errors import PlanError
from fairwitness.planner.ranges import Array, Number

HOURS_PER_WEEK = 168


def fits_share(memory_bytes: Number, usable: Number, model_bytes: Number) -> Number:
    """Return how many times a model with its cache goes into a machine's usable memory."""
    return memory_bytes * usable / model_bytes


def largest_parameters(memory_bytes: Number, usable: Number, bytes_per_parameter: Number) -> Number:
    """Return how many parameters fit when nothing else is in memory."""
    return memory_bytes * usable / bytes_per_parameter


def machines_for_one(memory_bytes: Number, usable: Number, model_bytes: Number) -> Number:
    """Return over how many machines a model has to be split."""
    return np.ceil(model_bytes / (memory_bytes * np.asarray(usable)))


def tokens_per_s(
    read_bytes: Number,
    flops_per_token: Number,
    memory_bytes_per_s: Number,
    flops_per_s: Number,
    batch: Number = 1.0,
    efficiency: Number = 0.6,
) -> Number:
    """Return the tokens of one machine: a step reads the weights once and computes the batch.

    `efficiency` is the share of both rates that is reached; the slower of the two decides.
    """
    reading_s = read_bytes / memory_bytes_per_s
    computing_s = batch * flops_per_token / flops_per_s
    return batch * efficiency / np.maximum(reading_s, computing_s)


def split_tokens_per_s(machine_tokens_per_s: Number, machines: Number, hop_s: Number) -> Number:
    """Return one answer's tokens a second when each token visits all machines over a network.

    `machine_tokens_per_s` is what a machine that held the whole model would reach.
    """
    return 1 / (1 / machine_tokens_per_s + machines * hop_s)


def finished_share(interruptions_per_h: Number, answer_s: Number) -> Number:
    """Return which part of the time yields answers, when an interrupted one is begun again.

    At a constant rate h of interruptions, an answer of length T takes (e^(hT) - 1) / h on average.
    """
    expected = np.asarray(interruptions_per_h * answer_s / 3600, float)
    with np.errstate(over="ignore", invalid="ignore"):
        share = np.where(expected == 0, 1.0, expected / np.expm1(expected))
    return share if share.ndim else float(share)


def loaded_share(stretch_h: Number, load_s: Number) -> Number:
    """Return which part of idle stretches is left after loading, when they end at random.

    Stretches of mean length L are exponential, so a load of length l leaves e^(-l / L).
    """
    return np.exp(-load_s / (stretch_h * 3600))


def update_share(
    model_bytes: Number, updates_per_month: Number, bytes_per_s: Number, idle_h_per_week: Number
) -> Number:
    """Return which part of the idle hours goes into fetching new weights; above 1 is never done."""
    fetching_h = updates_per_month * model_bytes / bytes_per_s / 3600
    return fetching_h / (idle_h_per_week * 52 / 12)


def wrong_share(cheating: Number, copies: int) -> Number:
    """Return which share of accepted answers is wrong, when cheats agree among themselves.

    One copy is believed. Two must agree. Of an odd number the majority wins. Where two differ, the
    question is asked again, so the share is among those that came to an end.
    """
    if copies < 1 or (copies > 2 and copies % 2 == 0):
        raise PlanError(f"copies is {copies}; make 1, 2 or an odd number of them")
    cheat = np.asarray(cheating, float)
    if np.any((cheat < 0) | (cheat >= 1)):
        raise PlanError(f"cheating is {np.max(cheat):g}; a share of machines, at least 0, below 1")
    odds = (cheat / (1 - cheat)) ** copies if copies <= 2 else _majority(cheat, copies)
    share = odds / (1 + odds) if copies <= 2 else odds
    return share if share.ndim else float(share)


def asked_again(cheating: Number, copies: int) -> Number:
    """Return how often a question is asked until its copies agree; above 1 only for two copies."""
    agree = cheating**2 + (1 - cheating) ** 2 if copies == 2 else 1.0 + 0 * cheating
    return 1 / agree


def _majority(cheat: Array, copies: int) -> Array:
    """Return the chance that more than half of the copies are wrong."""
    total = np.zeros_like(cheat)
    ways = 1.0
    for wrong in range(copies + 1):
        if wrong > copies // 2:
            total = total + ways * cheat**wrong * (1 - cheat) ** (copies - wrong)
        ways = ways * (copies - wrong) / (wrong + 1)
    return total


def week(pattern: str) -> Array:
    """Return for each hour of the week, from Monday midnight, how likely a machine is idle.

    Patterns are ours, in their shape only: a plan scales them to its idle hours. Cars are away at
    rush hours and a little in between, desktops are used in office hours, `flat` never changes.
    """
    hour = np.arange(HOURS_PER_WEEK) % 24
    workday = np.arange(HOURS_PER_WEEK) < 5 * 24
    if pattern == "flat":
        return np.ones(HOURS_PER_WEEK)
    if pattern == "desktop":
        return np.asarray(np.where(workday & (hour >= 9) & (hour < 18), 0.1, 0.95), float)
    if pattern != "car":
        raise PlanError(f"trace: {pattern!r} is no pattern; car, desktop, flat, or a file of hours")
    rush = ((hour >= 7) & (hour < 9)) | ((hour >= 16) & (hour < 19))
    away = np.where(workday & rush, 0.6, np.where((hour >= 9) & (hour < 22), 0.35, 0.08))
    return np.asarray(1 - away, float)


def scaled(trace: Array, idle_h: float) -> Array:
    """Return a week with the same shape whose shares add up to `idle_h` hours, none above 1."""
    if trace.shape != (HOURS_PER_WEEK,) or np.any((trace < 0) | (trace > 1)) or not trace.any():
        raise PlanError("trace: a week is 168 shares from 0 to 1, not all of them 0")
    if not 0 < idle_h <= HOURS_PER_WEEK:
        raise PlanError(f"idle_h is {idle_h:g}; a week has 168 hours, of which some are idle")
    low, high = 0.0, float(HOURS_PER_WEEK / trace[trace > 0].min())
    for _ in range(60):
        factor = (low + high) / 2
        low, high = (
            (factor, high) if np.minimum(trace * factor, 1).sum() < idle_h else (low, factor)
        )
    week_h = np.asarray(np.minimum(trace * high, 1.0), float)
    if week_h.sum() < idle_h * 0.999:
        raise PlanError(f"trace: only {week_h.sum():.0f} hours can be idle, not {idle_h:g}")
    return week_h


def used_share(idle_week: Array, asked_week: Array) -> float:
    """Return which part of the idle hours meets a question, when both follow their week.

    Questions are as many as idle hours over the whole week; none waits for another hour.
    """
    asked = asked_week * idle_week.sum() / asked_week.sum()
    return float(np.minimum(idle_week, asked).sum() / idle_week.sum())


def asked_week() -> Array:
    """Return how questions spread over a week of one time zone: by day twice as many as at night.

    Our assumption.
    """
    hour = np.arange(HOURS_PER_WEEK) % 24
    return np.asarray(1 - np.cos((hour - 3) / 24 * 2 * np.pi) / 3, float)


class Simulated(NamedTuple):
    """What a machine did with its idle hours, as shares of them."""

    finished: float
    lost: float
    loading: float


def simulate(
    stretch_h: float, load_s: float, answer_s: float, hours: float = 20_000, seed: int = 0
) -> Simulated:
    """Play a machine whose owner comes and goes at random, answer after answer.

    Each stretch is loaded once, then holds whole answers; the last one is lost.
    """
    random = np.random.default_rng(seed)
    stretch_s = random.exponential(stretch_h * 3600, max(1, round(hours / stretch_h)))
    loading_s = np.minimum(stretch_s, load_s)
    left_s = stretch_s - loading_s
    finished_s = np.floor(left_s / answer_s) * answer_s
    total_s = stretch_s.sum()
    return Simulated(
        float(finished_s.sum() / total_s),
        float((left_s - finished_s).sum() / total_s),
        float(loading_s.sum() / total_s),
    )
