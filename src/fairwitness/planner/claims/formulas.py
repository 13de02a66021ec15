"""The formulas that claims may name, all in one table.

Most are the library's own, so a claim tests what plans are made with. The rest is arithmetic of a
line that only claims need: shares, sums, spans of time.
"""

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from fairwitness.planner.fleet import idle
from fairwitness.planner.money import (
    HOURS_PER_YEAR,
    Stage,
    break_even_utilisation,
    owned_usd_per_h,
    profit_until_usd,
)
from fairwitness.planner.runway import readings
from fairwitness.planner.runway.burn import break_even_share, course
from fairwitness.planner.shapes.counts import weights
from fairwitness.planner.shapes.known import find_shape
from fairwitness.planner.shapes.memory import kv_sequence_bytes, weight_bytes
from fairwitness.planner.site.power import (
    average_power_w,
    electricity_usd_per_year,
    homes_for_a_year,
)
from fairwitness.planner.stream.machines import SECONDS_PER_DAY

DAYS_PER_YEAR = 365.25


def bought_usd(pieces: float, usd_each: float) -> float:
    """Return a price for all."""
    return pieces * usd_each


def ratio(part: float, whole: float) -> float:
    """Return a part as a share of a whole, or one number as a multiple of another."""
    return part / whole


def added(first: float, second: float) -> float:
    """Return a sum."""
    return first + second


def pieces_for_usd(usd: float, usd_each: float) -> float:
    """Return how many pieces money buys."""
    return usd / usd_each


def rental_years(usd: float, chips: float, usd_per_chip_h: float) -> float:
    """Return for how long money rents chips around the clock."""
    return usd / (chips * HOURS_PER_YEAR * usd_per_chip_h)


def years_of_cash(cash_usd: float, loss_usd_per_year: float) -> float:
    """Return for how long cash covers a constant loss."""
    return cash_usd / loss_usd_per_year


def payers(usd_per_year: float, usd_per_month: float) -> float:
    """Return how many subscriptions bring so much a year."""
    return usd_per_year / (12 * usd_per_month)


def fleet_usd_per_day(chips: float, usd_per_chip_h: float) -> float:
    """Return a day's cost of chips that are always on."""
    return chips * 24 * usd_per_chip_h


def training_s(flops: float, chips: float, flops_per_s: float, mfu: float) -> float:
    """Return the seconds that training takes at a utilisation."""
    return flops / (chips * flops_per_s * mfu)


def chips_for_training(flops: float, days: float, flops_per_s: float, mfu: float) -> float:
    """Return how many chips train that much in so many days."""
    return flops / (days * SECONDS_PER_DAY * flops_per_s * mfu)


def usd_for_compute(flops_per_s: float, chip_flops_per_s: float, chip_usd: float) -> float:
    """Return what so much peak compute costs in chips of one kind."""
    return flops_per_s / chip_flops_per_s * chip_usd


def chips_of_same_peak(tiles: float, tile_flops_per_s: float, chip_flops_per_s: float) -> float:
    """Return how many chips have the peak of so many tiles."""
    return tiles * tile_flops_per_s / chip_flops_per_s


def efficiency_ratio(
    flops_per_s: float, power_w: float, rival_flops_per_s: float, rival_power_w: float
) -> float:
    """Return operations for each joule, over those of a rival."""
    return flops_per_s / power_w / (rival_flops_per_s / rival_power_w)


def years_of_posts(posts: float, posts_per_day: float) -> float:
    """Return for how long a service would have had to run at one rate."""
    return posts / posts_per_day / DAYS_PER_YEAR


def before_growth(now: float, g1: float, g2: float, g3: float, g4: float) -> float:
    """Return what was there four steps of growth ago."""
    return now / ((1 + g1) * (1 + g2) * (1 + g3) * (1 + g4))


def year_of(day: str) -> float:
    """Return a date ("2024-09-02") as a year with its fraction."""
    when = date.fromisoformat(day)
    return when.year + (when.timetuple().tm_yday - 1) / 365


def crossing_year(
    start_year: float,
    used_log10: float,
    used_growth: float,
    there_log10: float,
    there_growth: float,
) -> float:
    """Return when what is used reaches what is there; both grow by decades a year."""
    return start_year + (there_log10 - used_log10) / (used_growth - there_growth)


def parameters(shape: str) -> float:
    """Return all weights of a model's shape but norms and biases, as papers count them."""
    return float(weights(find_shape(shape)).matrices)


def context_bytes(shape: str, tokens: float) -> float:
    """Return the KV cache of one sequence in 16 bits."""
    return float(np.asarray(kv_sequence_bytes(find_shape(shape), tokens, 2.0)))


def machine_fits(shape: str, bytes_per_parameter: float, memory_bytes: float) -> float:
    """Return how many times a model's weights go into one machine."""
    model_bytes = weight_bytes(find_shape(shape), bytes_per_parameter)
    return float(np.asarray(idle.fits_share(memory_bytes, 1.0, model_bytes)))


def fleet_operations_per_s(machines: float, operations_per_s: float, idle_share: float) -> float:
    """Return the peak of a fleet over its idle hours."""
    return machines * operations_per_s * idle_share


def own_over_rent(
    capex_usd: float,
    chips: float,
    rate_per_year: float,
    years: float,
    average_power_w: float,
    usd_per_kwh: float,
    upkeep_per_year: float,
    rented_usd_per_h: float,
) -> float:
    """Return above which use owning beats renting."""
    owned = owned_usd_per_h(
        capex_usd, chips, rate_per_year, years, average_power_w, usd_per_kwh, upkeep_per_year
    )
    return float(np.asarray(break_even_utilisation(owned, rented_usd_per_h)))


def profit_for_investor_usd(share: float, until_usd: float, after_share: float) -> float:
    """Return the profit after which an investor has had `until_usd`."""
    return profit_until_usd((Stage(share, until_usd), Stage(after_share)), until_usd)


def openai_break_even(compression: float, usd_per_gpu_h: float) -> float:
    """Return the paid share of MAU that breaks even in the broker's model of 2023."""
    return float(break_even_share(readings.business(compression, usd_per_gpu_h, 0.0, 0.0)))


def openai_cash_out(
    compression: float, usd_per_gpu_h: float, ramp: float, other_usd: float
) -> float:
    """Return the months of cash from nobody paying, in the broker's model; infinity for ever."""
    model = readings.business(
        compression, usd_per_gpu_h, ramp, ramp, other_spending_usd=other_usd, months=240
    )
    return float(course(model).cash_out_month) + 1


def openai_break_even_months(compression: float, usd_per_gpu_h: float, ramp: float) -> float:
    """Return the months until a month's compute is paid for, from nobody paying."""
    model = readings.business(compression, usd_per_gpu_h, ramp, ramp)
    return float(course(model).break_even_month) + 1


def openai_fast_is_longer(
    compression: float, usd_per_gpu_h: float, gpu_usd: float, paid_share: float, base: str
) -> float:
    """Return by how many months 10 G$ last longer on the fast ramp than on the slow one.

    0 where both last beyond twenty years.
    """
    ratio_or_none = None if base == "DAU" else readings.DAU_PER_MAU
    slow, fast = (
        float(
            course(
                readings.business(
                    compression,
                    usd_per_gpu_h,
                    ramp,
                    paid_share,
                    ratio_or_none,
                    gpu_usd=gpu_usd,
                    months=240,
                )
            ).cash_out_month
        )
        for ramp in (readings.SLOW, readings.FAST)
    )
    return 0.0 if slow == fast else fast - slow


def openai_reading_b_break_even(quantile: float) -> float:
    """Return a quantile of the break-even share over the draws that reading B accepts."""
    return float(np.quantile(readings.reading_b(_drawn()).break_even_share, quantile))


def openai_reading_a_payer_cost(quantile: float) -> float:
    """Return a quantile of what a payer costs a month over the draws that reading A accepts."""
    return float(np.quantile(readings.reading_a(_drawn()).payer_cost_usd, quantile))


@cache
def _drawn() -> readings.Draw:
    return readings.draw()


FORMULAS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        added,
        average_power_w,
        before_growth,
        bought_usd,
        chips_for_training,
        chips_of_same_peak,
        context_bytes,
        crossing_year,
        efficiency_ratio,
        electricity_usd_per_year,
        fleet_operations_per_s,
        fleet_usd_per_day,
        homes_for_a_year,
        machine_fits,
        openai_break_even,
        openai_break_even_months,
        openai_cash_out,
        openai_fast_is_longer,
        openai_reading_a_payer_cost,
        openai_reading_b_break_even,
        own_over_rent,
        parameters,
        payers,
        pieces_for_usd,
        profit_for_investor_usd,
        ratio,
        rental_years,
        training_s,
        usd_for_compute,
        year_of,
        years_of_cash,
        years_of_posts,
    )
}
