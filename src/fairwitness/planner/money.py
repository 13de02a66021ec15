"""Money over time: what a purchase costs a year, what later money is worth, who gets a profit.

Every function takes plain numbers or arrays of draws. A series over months has the months as its
last axis, so one call serves a single plan and ten thousand draws of it alike.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fairwitness.planner.errors import PlanError
from fairwitness.planner.ranges import Array, Number

HOURS_PER_YEAR = 8760.0
HOURS_PER_MONTH = HOURS_PER_YEAR / 12
PRICE_FALL_DECADES_PER_YEAR = 0.14
"""How fast compute of one speed becomes cheaper: Epoch AI, training-cost-trends, April 2026."""


def annuity_per_year(rate_per_year: Number, years: Number) -> Number:
    """Return which share of a price, paid at each year's end, repays it with interest.

    r / (1 - (1 + r)^-n); without interest 1 / n.
    """
    rate, years_d = np.asarray(rate_per_year, float), np.asarray(years, float)
    if np.any(years_d <= 0):
        raise PlanError(
            f"years is {np.min(years_d):g}; a purchase is repaid over more than 0 years"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(rate == 0, 1 / years_d, rate / -np.expm1(-years_d * np.log1p(rate)))
    return share if share.ndim else float(share)


def residual_share(years: Number, decades_per_year: Number = PRICE_FALL_DECADES_PER_YEAR) -> Number:
    """Return what is left of a chip's price after `years`, when prices fall by decades."""
    return 10.0 ** (-np.asarray(decades_per_year) * years)


def discount_m(months: int, rate_per_year: Number) -> Array:
    """Return what a dollar of each month is worth now; shape (..., months)."""
    rate = np.asarray(rate_per_year, float)[..., None]
    return np.asarray((1 + rate) ** (-np.arange(months) / 12), float)


def npv_usd(flow_m: Array, rate_per_year: Number) -> Number:
    """Return what a series of monthly payments is worth now."""
    worth = (flow_m * discount_m(flow_m.shape[-1], rate_per_year)).sum(axis=-1)
    return worth if np.ndim(worth) else float(worth)


def first_month(reached_m: NDArray[np.bool_]) -> Number:
    """Return the first month in which something holds; infinity where it never does."""
    month = np.where(reached_m.any(axis=-1), reached_m.argmax(axis=-1), np.inf)
    return month if month.ndim else float(month)


@dataclass(frozen=True)
class Stage:
    """A stretch of a profit share: an investor gets `share` until he has had `until_usd` in all."""

    share: float
    until_usd: float = np.inf


def investor_usd(profit_usd: Number, stages: tuple[Stage, ...]) -> Number:
    """Return what an investor has had of a profit that adds up to `profit_usd`.

    The stages come one after the other, as in "75 % until 13 G$ are repaid, then 49 %".
    """
    had = [stage.until_usd for stage in stages]
    if not stages or any(later <= earlier for earlier, later in pairwise(had)):
        raise PlanError(f"stages end at {had}; each must end later than the one before")
    if any(not 0 < stage.share <= 1 for stage in stages):
        raise PlanError(
            f"shares are {[stage.share for stage in stages]}; each is above 0, at most 1"
        )
    left = np.maximum(np.asarray(profit_usd, float), 0.0)
    paid = np.zeros_like(left)
    begun_usd = 0.0
    for stage in stages:
        lasts_usd = (stage.until_usd - begun_usd) / stage.share
        taken = np.minimum(left, lasts_usd)
        paid, left = paid + taken * stage.share, left - taken
        begun_usd = stage.until_usd
    return paid if paid.ndim else float(paid)


def profit_until_usd(stages: tuple[Stage, ...], had_usd: float) -> float:
    """Return which profit, all in all, has given an investor `had_usd`."""
    profit = begun = 0.0
    for stage in stages:
        end = min(stage.until_usd, had_usd)
        profit += max(end - begun, 0.0) / stage.share
        begun = stage.until_usd
    if begun < had_usd:
        raise PlanError(f"an investor never has {had_usd:g} USD; the stages end at {begun:g}")
    return profit


def investor_m(profit_m: Array, stages: tuple[Stage, ...]) -> Array:
    """Return what an investor gets each month; a month of losses gives nothing and owes nothing."""
    earned = np.cumsum(np.maximum(profit_m, 0.0), axis=-1)
    had = np.asarray(investor_usd(earned, stages))
    return np.diff(had, axis=-1, prepend=0.0)


def owned_usd_per_h(
    capex_usd: Number,
    chips: Number,
    rate_per_year: Number,
    years: Number,
    average_power_w: Number,
    usd_per_kwh: Number,
    upkeep_per_year: Number = 0.0,
    utilisation: Number = 1.0,
) -> Number:
    """Return what a used hour of one owned chip costs: annuity, energy and upkeep of a year."""
    capital_usd = capex_usd * (annuity_per_year(rate_per_year, years) + upkeep_per_year)
    energy_usd = average_power_w / 1e3 * HOURS_PER_YEAR * usd_per_kwh
    return (capital_usd + energy_usd) / (chips * HOURS_PER_YEAR * utilisation)


def break_even_utilisation(owned_usd_per_h: Number, rented_usd_per_h: Number) -> Number:
    """Return above which use owning beats renting by the hour; above 1 it never does."""
    return owned_usd_per_h / rented_usd_per_h
