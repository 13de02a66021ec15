"""A site for many chips: build it, put our chips into somebody's hall, or rent by the hour.

Each way is one row of monthly payments and one row of useful chip-hours. An hour has a value, by
default what renting it would cost, so the ways differ only by when hours come and what they cost. A
late start loses hours, but also buys cheaper chips: the value of a month is the sum of both.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from fairwitness.planner.errors import PlanError
from fairwitness.planner.money import (
    HOURS_PER_MONTH,
    PRICE_FALL_DECADES_PER_YEAR,
    discount_m,
    first_month,
    residual_share,
)
from fairwitness.planner.ranges import Array, Number
from fairwitness.planner.site.power import Source, Supply, dispatch

Way = Literal["build", "colocate", "rent"]
WAYS: tuple[Way, ...] = ("build", "colocate", "rent")

BUILDING_YEARS = 20.0
"""A hall is worth nothing after so long; our assumption."""


def compute_usd(
    chips: Number, chip_usd: Number, server_factor: Number = 1.64, network_share: Number = 0.19
) -> Number:
    """Return the price of chips in servers with their network.

    The factor and the share are Epoch AI's for H100 (training-cost-trends, 2026-04): servers cost
    1.64 times their chips, and the network is 19 % of the whole.
    """
    return chips * chip_usd * server_factor / (1 - network_share)


@dataclass(frozen=True)
class Site:
    """What is to be decided; numbers may be arrays of draws, months count from the decision."""

    chips: Number
    compute_usd_per_chip: Number
    """A chip with its share of server and network, bought today."""
    server_w_per_chip: Number
    sources: tuple[Source, ...]
    """Power of the built site."""
    rent_usd_per_h: Number
    pue: Number = 1.25
    colocated_pue: Number = 1.4
    building_usd_per_w: Number = 10.0
    """For each watt at the meter."""
    build_months: Number = 12
    colocate_months: Number = 6
    rent_months: Number = 1
    ramp_months: Number = 0
    """From the first chip that works to the last."""
    colocate_usd_per_kw_month: Number = 130.0
    """Rent of a hall for each kW of servers, without energy."""
    colocate_usd_per_kwh: Number = 0.0826
    rent_reserved: bool = True
    """A reserved chip is paid for also while it idles."""
    utilisation: Number = 0.9
    """Share of hours in which a chip does something wanted."""
    load_share: Number = 0.75
    """Mean draw over nameplate."""
    staff_usd_per_month: Number = 0.0
    upkeep_per_year: Number = 0.03
    price_fall_decades_per_year: Number = PRICE_FALL_DECADES_PER_YEAR
    site_water_l_per_kwh: Number = 0.0
    value_usd_per_h: Number | None = None
    """What a useful hour earns; None is what one costs that is rented."""
    rate_per_year: Number = 0.10
    months: int = 60
    peak_h_per_day: Number = 4.0

    def __post_init__(self) -> None:
        for name in ("chips", "compute_usd_per_chip", "server_w_per_chip", "rent_usd_per_h"):
            if np.any(np.asarray(getattr(self, name)) <= 0):
                raise PlanError(f"{name} is {np.min(getattr(self, name)):g}; it is above 0")
        if np.any(np.asarray(self.pue) < 1) or np.any(np.asarray(self.colocated_pue) < 1):
            raise PlanError("pue is below 1; a meter reads at least what the servers draw")
        if np.any(np.asarray(self.utilisation) <= 0) or np.any(np.asarray(self.utilisation) > 1):
            raise PlanError("utilisation is a share above 0 and at most 1")
        # A draw in the tail may be built too late to count; the middle may not.
        built = float(np.median(self.build_months))
        if built >= self.months:
            raise PlanError(
                f"build_months is {built:g} of {self.months} planned months; plan for longer"
            )


@dataclass(frozen=True)
class Outcome:
    """One way over the months; the last axis of every array."""

    paid_usd: Array
    useful_h: Array
    residual_usd: Number
    """What chips and hall are worth at the end."""
    npv_usd: Number
    """Of the hours' value, less what was paid, with the residual."""
    usd_per_useful_h: Number
    """All payments less the residual, over all useful hours, both discounted."""
    capex_usd: Number
    supply: Supply | None = field(default=None, repr=False)
    """Power of the built site."""


def plan(site: Site, way: Way) -> Outcome:
    """Return what one way costs and gives."""
    return {"build": _build, "colocate": _colocate, "rent": _rent}[way](site)


def break_even_month(site: Site, way: Way = "build", against: Way = "rent") -> Number:
    """Return the first month after which `way` is ahead for good, without what could be sold.

    Infinity where it never is within the planned months.
    """
    ahead_m = standing_m(site, plan(site, way)) - standing_m(site, plan(site, against))
    stays_m = np.flip(np.minimum.accumulate(np.flip(ahead_m >= 0, -1), axis=-1), -1)
    return first_month(stays_m)


def month_earlier_usd(site: Site, way: Way = "build") -> Number:
    """Return what it is worth today to have the site a month earlier."""
    name = {"build": "build_months", "colocate": "colocate_months", "rent": "rent_months"}[way]
    months = getattr(site, name)
    if np.all(np.asarray(months) < 1):
        raise PlanError(f"{name} is {np.min(months):g}; nothing is a month before the decision")
    sources = tuple(
        replace(source, online_month=np.maximum(np.asarray(source.online_month) - 1, 0))
        for source in site.sources
    )
    sooner = replace(site, sources=sources, **{name: np.maximum(np.asarray(months) - 1, 0)})
    return plan(sooner, way).npv_usd - plan(site, way).npv_usd


def chips_working_m(site: Site, ready_month: Number) -> Array:
    """Return how many chips work in each month, power aside."""
    since = np.arange(site.months) - np.asarray(ready_month, float)[..., None] + 1
    grown = np.clip(since / (np.asarray(site.ramp_months, float)[..., None] + 1), 0.0, 1.0)
    return np.asarray(_m(site.chips) * grown, float)


def _m(value: Number) -> Array:
    """Give draws an axis for months."""
    return np.asarray(value, float)[..., None]


def _build(site: Site) -> Outcome:
    chips_m = chips_working_m(site, site.build_months)
    peak_w_m = chips_m * _m(site.server_w_per_chip * np.asarray(site.pue))
    supply = dispatch(site.sources, peak_w_m * _m(site.load_share), peak_w_m, site.peak_h_per_day)
    meter_w = np.asarray(site.chips) * site.server_w_per_chip * site.pue
    hall_usd = meter_w * site.building_usd_per_w + supply.capex_usd
    building_m = np.arange(site.months) < np.maximum(_m(site.build_months), 1)
    hall_m = _m(hall_usd) * building_m / building_m.sum(axis=-1, keepdims=True)
    bought_m, sold_usd = _bought(site, chips_m)
    upkeep_m = np.cumsum(bought_m + hall_m, axis=-1) * _m(site.upkeep_per_year) / 12
    works_m = chips_m > 0
    running_m = supply.usd + (upkeep_m + _m(site.staff_usd_per_month)) * works_m
    age_years = (site.months - np.asarray(site.build_months)) / 12
    left_usd = sold_usd + hall_usd * np.clip(1 - age_years / BUILDING_YEARS, 0.0, 1.0)
    useful_m = chips_m * supply.served_share * HOURS_PER_MONTH * _m(site.utilisation)
    capex = hall_usd + bought_m.sum(axis=-1)
    return _outcome(site, hall_m + bought_m + running_m, useful_m, left_usd, capex, supply)


def _colocate(site: Site) -> Outcome:
    chips_m = chips_working_m(site, site.colocate_months)
    it_kw_m = chips_m * _m(site.server_w_per_chip) / 1e3
    bought_m, sold_usd = _bought(site, chips_m)
    kwh_m = it_kw_m * _m(site.colocated_pue * np.asarray(site.load_share)) * HOURS_PER_MONTH
    running_m = (
        it_kw_m * _m(site.colocate_usd_per_kw_month)
        + kwh_m * _m(site.colocate_usd_per_kwh)
        + np.cumsum(bought_m, axis=-1) * _m(site.upkeep_per_year) / 12
    )
    useful_m = chips_m * HOURS_PER_MONTH * _m(site.utilisation)
    return _outcome(site, bought_m + running_m, useful_m, sold_usd, bought_m.sum(axis=-1), None)


def _rent(site: Site) -> Outcome:
    hours_m = chips_working_m(site, site.rent_months) * HOURS_PER_MONTH
    useful_m = hours_m * _m(site.utilisation)
    paid_m = (hours_m if site.rent_reserved else useful_m) * _m(site.rent_usd_per_h)
    return _outcome(site, paid_m, useful_m, 0.0, 0.0, None)


def _bought(site: Site, chips_m: Array) -> tuple[Array, Number]:
    """Return what chips cost in the month they start, and what all of them bring at the end."""
    new_m = np.diff(chips_m, axis=-1, prepend=0.0)
    years_m = np.arange(site.months) / 12
    price_m = _m(site.compute_usd_per_chip) * residual_share(
        years_m, _m(site.price_fall_decades_per_year)
    )
    bought_m = new_m * price_m
    # A chip that is sold brings what its speed costs then, whenever it was bought.
    end = residual_share(site.months / 12, site.price_fall_decades_per_year)
    return bought_m, chips_m[..., -1] * site.compute_usd_per_chip * end


def _value(site: Site) -> Array:
    if site.value_usd_per_h is not None:
        return _m(site.value_usd_per_h)
    return _m(site.rent_usd_per_h / np.asarray(site.utilisation if site.rent_reserved else 1.0))


def standing_m(site: Site, outcome: Outcome) -> Array:
    """Return value less payments until each month, discounted."""
    flow_m = outcome.useful_h * _value(site) - outcome.paid_usd
    return np.cumsum(flow_m * discount_m(site.months, site.rate_per_year), axis=-1)


def _outcome(
    site: Site,
    paid_m: Array,
    useful_m: Array,
    residual_usd: Number,
    capex_usd: Number,
    supply: Supply | None,
) -> Outcome:
    discount = discount_m(site.months, site.rate_per_year)
    end_usd = residual_usd * discount[..., -1]
    npv_usd = ((useful_m * _value(site) - paid_m) * discount).sum(axis=-1) + end_usd
    cost_usd = (paid_m * discount).sum(axis=-1) - end_usd
    with np.errstate(divide="ignore"):
        usd_per_h = cost_usd / np.asarray((useful_m * discount).sum(axis=-1))
    return Outcome(paid_m, useful_m, residual_usd, npv_usd, usd_per_h, capex_usd, supply)
