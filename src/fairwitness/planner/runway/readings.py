"""Two dates that contradict a third figure, and what would have to be true for them.

A broker wrote in July 2023 that 10 G$ last OpenAI until January 2026 when its paid share grows by
0.25 points a month, until November 2025 when it grows by 0.5, and that a share of 12 % breaks even.
If any share breaks even, each payer adds cash, so a faster ramp cannot end the cash earlier.
Something that was not said differs. Each reading here supplies one such thing and says what it then
has to be.

Source: Founder Securities (方正证券), 21 July 2023, as told by Wallstreetcn. Counted from August
2023, November 2025 is month 28 and January 2026 month 30.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairwitness.planner.money import HOURS_PER_MONTH
from fairwitness.planner.ranges import Array, Number
from fairwitness.planner.runway.burn import Business, Tier, break_even_share, course

DAU = 60e6
CASH_USD = 10e9
PRICE_USD = 20.0
DAU_PER_MAU = 0.35
BREAK_EVEN_SHARE = 0.12
SLOW, FAST = 0.0025, 0.005
FAST_MONTH, SLOW_MONTH = 28, 30
A100_FOR_GPT35 = 272e3
"""For 25 million daily users with ten questions each."""
ASKED_DAU = 25e6
GPT35_GPUS_PER_ACTIVE = A100_FOR_GPT35 / ASKED_DAU
GPT4_GPUS_PER_ACTIVE = 664e3 / ASKED_DAU
"""As they print it; their own formula gives 663,000."""


def gpus_for_better(gpus: float, accuracy: float) -> float:
    """Return the GPUs for `accuracy` times the quality; a tenth less needs half the compute."""
    return gpus / 2 ** math.log(accuracy, 0.9)


def business(
    compression: Number,
    usd_per_gpu_h: Number,
    ramp_per_month: Number,
    paid_share: Number,
    dau_per_mau: Number | None = DAU_PER_MAU,
    other_spending_usd: Number = 0.0,
    gpu_usd: Number = 0.0,
    months: int = 120,
) -> Business:
    """Return their OpenAI: free users on GPT-3.5 (times `compression`), payers on GPT-4.

    Without `dau_per_mau` the paid share is one of daily users.
    """
    return Business(
        users=DAU,
        users_base="DAU",
        paid_share=paid_share,
        paid_base="DAU" if dau_per_mau is None else "MAU",
        dau_per_mau=dau_per_mau,
        tiers=(Tier("plus", PRICE_USD, 1.0, GPT4_GPUS_PER_ACTIVE),),
        free_gpus_per_active=GPT35_GPUS_PER_ACTIVE * compression,
        usd_per_gpu_h=usd_per_gpu_h,
        ramp_per_month=ramp_per_month,
        cash_usd=CASH_USD,
        other_spending_usd=other_spending_usd,
        gpu_usd=gpu_usd,
        months=months,
    )


def line_usd_per_gpu_h(compression: float, dau_per_mau: float = DAU_PER_MAU) -> float:
    """Return the price of an A100-hour at which 12 % of MAU break even."""
    share = BREAK_EVEN_SHARE
    gpus = (1 - share) * compression * GPT35_GPUS_PER_ACTIVE + share * GPT4_GPUS_PER_ACTIVE
    return PRICE_USD * share / dau_per_mau / gpus / HOURS_PER_MONTH


def line_share(compression: float, usd_per_gpu_h: float) -> float:
    """Return the paid share that breaks even at a price of compute."""
    return float(break_even_share(business(compression, usd_per_gpu_h, 0.0, 0.0)))


def line_loss_usd(compression: float, ramp_per_month: float = SLOW) -> float:
    """Return all that is lost on compute until 12 % pay, from nobody and on the break-even line."""
    price = line_usd_per_gpu_h(compression)
    return float(course(business(compression, price, ramp_per_month, ramp_per_month)).peak_need_usd)


@dataclass(frozen=True)
class Spending:
    """Reading B': cash-out on the slow ramp, break-even on the fast one, counted from Nov 2023."""

    compute_lost_usd: float
    other_usd_per_month: float
    """What staff and training must cost for the slow ramp to be out of cash in January 2026."""
    break_even_month: float
    """Of the fast ramp, after November 2023."""


def spending(compression: float) -> Spending:
    """Return what reading B' needs: other spending that ends the cash in January 2026."""
    price, until = line_usd_per_gpu_h(compression), 26
    slow = course(business(compression, price, SLOW, SLOW, months=until))
    fast = course(business(compression, price, FAST, FAST))
    lost_usd = -float(slow.flow_usd.sum())
    # Months count from December 2023, the first in which anybody pays.
    return Spending(lost_usd, (CASH_USD - lost_usd) / until, float(fast.break_even_month) + 1)


@dataclass(frozen=True)
class Draw:
    """Draws of what nobody told; each an array."""

    usd_per_gpu_h: Array
    compression: Array
    dau_per_mau: Array
    paid_share: Array


def draw(count: int = 200_000, seed: int = 0) -> Draw:
    """Return evenly spread draws within what is plausible for 2023."""
    random = np.random.default_rng(seed)
    return Draw(
        random.uniform(0.7, 2.5, count),
        random.uniform(0.15, 1.0, count),
        random.uniform(0.15, 0.5, count),
        random.uniform(0.005, 0.04, count),
    )


@dataclass(frozen=True)
class Accepted:
    """Which draws give both dates within a month, and what they have in common."""

    share: float
    taken: Draw
    payer_cost_usd: Array
    break_even_share: Array


def reading_b(drawn: Draw) -> Accepted:
    """Accept cash-out in January 2026 on the slow ramp, break-even in November 2025 on the fast."""
    gained, fixed = _line(drawn, drawn.dau_per_mau)
    slow_out = cash_out_month(gained, fixed, drawn.paid_share, SLOW)
    fast_out = cash_out_month(gained, fixed, drawn.paid_share, FAST)
    with np.errstate(divide="ignore"):
        share = np.where(gained > 0, fixed / gained, np.inf)
    fast_even = np.maximum(np.ceil((share - drawn.paid_share) / FAST - 1e-9), 1)
    fits = _within(slow_out, SLOW_MONTH) & _within(fast_even, FAST_MONTH) & np.isinf(fast_out)
    return _accepted(drawn, fits, drawn.dau_per_mau, share)


def reading_a(drawn: Draw) -> Accepted:
    """Accept draws with both cash-outs, when the paid share is one of daily users."""
    daily = np.ones_like(drawn.dau_per_mau)
    gained, fixed = _line(drawn, daily)
    slow_out = cash_out_month(gained, fixed, drawn.paid_share, SLOW)
    fast_out = cash_out_month(gained, fixed, drawn.paid_share, FAST)
    fits = _within(slow_out, SLOW_MONTH) & _within(fast_out, FAST_MONTH)
    with np.errstate(divide="ignore"):
        share = np.where(gained > 0, fixed / gained, np.inf)
    return _accepted(drawn, fits, daily, share)


def reading_c(
    compression: float, gpu_usd: float, upkeep_usd_per_month: float, paid_share: float
) -> tuple[float, float]:
    """Return the cash-out months of the slow and the fast ramp when GPUs are bought."""
    upkeep_h = upkeep_usd_per_month / HOURS_PER_MONTH
    slow, fast = (
        course(business(compression, upkeep_h, ramp, paid_share, None, gpu_usd=gpu_usd))
        for ramp in (SLOW, FAST)
    )
    return float(slow.cash_out_month), float(fast.cash_out_month)


def payers_lose_above_usd_per_h(compression: float) -> float:
    """Return the price of an A100-hour above which each more payer of DAU costs cash."""
    more = GPT4_GPUS_PER_ACTIVE - compression * GPT35_GPUS_PER_ACTIVE
    return PRICE_USD / more / HOURS_PER_MONTH


def payback_months(compression: float, gpu_usd: float) -> float:
    """Return after how many months of 20 $ a payer's more GPUs are paid for (reading C)."""
    more = GPT4_GPUS_PER_ACTIVE - compression * GPT35_GPUS_PER_ACTIVE
    return gpu_usd * more / PRICE_USD


def cash_out_month(gained: Array, fixed: Array, paid_share: Array, ramp: float) -> Array:
    """Return the month, counted from 1, that ends without cash; infinity after 48.

    A month's flow is `gained` times the paid share less `fixed`: what `course` does, but smaller.
    """
    cash = np.full_like(paid_share, CASH_USD)
    out = np.full_like(paid_share, np.inf)
    for month in range(1, 49):
        cash += gained * (paid_share + ramp * month) - fixed
        out = np.where(np.isinf(out) & (cash <= 0), float(month), out)
    return out


def _line(drawn: Draw, dau_per_mau: Array) -> tuple[Array, Array]:
    """Return what a paid share of 1 adds to a month's flow, and what a month costs without."""
    month_usd = drawn.usd_per_gpu_h * HOURS_PER_MONTH
    free = drawn.compression * GPT35_GPUS_PER_ACTIVE
    gained = DAU * (PRICE_USD / dau_per_mau - (GPT4_GPUS_PER_ACTIVE - free) * month_usd)
    return gained, DAU * free * month_usd


def _within(month: Array, wanted: int) -> NDArray[np.bool_]:
    return np.asarray(np.abs(month - wanted) <= 1)


def _accepted(drawn: Draw, fits: NDArray[np.bool_], dau_per_mau: Array, share: Array) -> Accepted:
    taken = Draw(
        drawn.usd_per_gpu_h[fits],
        drawn.compression[fits],
        drawn.dau_per_mau[fits],
        drawn.paid_share[fits],
    )
    cost = GPT4_GPUS_PER_ACTIVE * dau_per_mau[fits] * taken.usd_per_gpu_h * HOURS_PER_MONTH
    return Accepted(float(np.mean(fits)), taken, cost, share[fits])
