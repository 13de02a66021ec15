"""Cash, month by month: users pay, compute costs, and two different things can happen.

The cash can run out, and a month can pay for itself. These are two events with two dates, and a
date without its event says nothing. A share of users that pay is a share of somebody: of those who
come each day, or each month. It has a base, and a sum over two bases is refused.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.money import HOURS_PER_MONTH, Stage, first_month, investor_m
from fairwitness.planner.ranges import Array, Number

Base = Literal["DAU", "MAU"]
"""Who is counted: everybody who comes on a day, or everybody who comes in a month."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Tier:
    """One price, which part of the payers takes it, and what they use."""

    name: str
    usd_per_month: Number
    part: Number
    """Of all payers; the parts add up to 1."""
    gpus_per_active: Number
    """GPUs that one payer keeps busy on a day that he comes."""


@dataclass(frozen=True)
class Business:
    """Who comes, who pays, what it costs; each number may be an array of draws."""

    users: Number
    users_base: Base
    paid_share: Number
    """In the first month."""
    paid_base: Base
    tiers: tuple[Tier, ...]
    free_gpus_per_active: Number
    usd_per_gpu_h: Number
    cash_usd: Number
    ramp_per_month: Number = 0.0
    """What is added to the paid share each month, as a share: 0.0025 for a quarter point."""
    dau_per_mau: Number | None = None
    most_paid_share: Number = 1.0
    growth_per_month: Number = 0.0
    churn_per_month: Number = 0.0
    """Share of payers that leave; they are won again at `acquire_usd` each."""
    acquire_usd: Number = 0.0
    fee_share: Number = 0.0
    """What stores and cards keep of each payment."""
    other_income_usd: Number = 0.0
    """A month: API, advertising."""
    other_spending_usd: Number = 0.0
    """A month: staff, training, rent."""
    gpu_usd: Number = 0.0
    """Above 0, GPUs are bought when they are needed, and `usd_per_gpu_h` is their upkeep."""
    investor: tuple[Stage, ...] = ()
    """Shares of the profit of profitable months that leave the house."""
    months: int = 120

    def __post_init__(self) -> None:
        for name in ("users", "cash_usd"):
            if np.any(np.asarray(getattr(self, name)) <= 0):
                raise InputError(name, np.min(getattr(self, name)), "is not above 0", "give some")
        if not self.tiers or not np.allclose(sum(np.asarray(t.part) for t in self.tiers), 1.0):
            parts = [float(np.mean(tier.part)) for tier in self.tiers]
            raise InputError("tiers", parts, "do not add up to 1", "give each tier its part")
        for name in ("users_base", "paid_base"):
            base = getattr(self, name)
            if base not in get_args(Base):
                raise InputError(name, base, "is no base", "say DAU or MAU")
        if "MAU" in (self.users_base, self.paid_base) and self.dau_per_mau is None:
            raise PlanError(
                f"users are counted as {self.users_base}, the paid share is of {self.paid_base}: "
                "compute follows daily users, so say dau_per_mau (for instance 0.35)"
            )
        ratio = 1.0 if self.dau_per_mau is None else self.dau_per_mau
        if np.any(np.asarray(ratio) <= 0) or np.any(np.asarray(ratio) > 1):
            raise InputError("dau_per_mau", ratio, "is no share", "above 0, at most 1")

    @property
    def dau(self) -> Number:
        """Users of a day in the first month."""
        return self.users * self._ratio if self.users_base == "MAU" else self.users

    @property
    def payers_per_share(self) -> Number:
        """How many people pay when the paid share is 1, for each daily user."""
        return 1.0 / self._ratio if self.paid_base == "MAU" else 1.0

    @property
    def _ratio(self) -> Number:
        return 1.0 if self.dau_per_mau is None else self.dau_per_mau

    @property
    def price_usd(self) -> Number:
        """What one payer pays a month on average, after fees."""
        paid: Number = sum((tier.usd_per_month * tier.part for tier in self.tiers), 0.0)
        return paid * (1 - self.fee_share)

    @property
    def paid_gpus_per_active(self) -> Number:
        """GPUs of one payer on a day that he comes, over all tiers."""
        gpus: Number = sum((tier.gpus_per_active * tier.part for tier in self.tiers), 0.0)
        return gpus

    @property
    def usd_per_gpu_month(self) -> Number:
        """What a GPU costs that is on."""
        return self.usd_per_gpu_h * HOURS_PER_MONTH


@dataclass(frozen=True)
class Course:
    """What happens; arrays have the months as their last axis."""

    paid_share: Array
    payers: Array
    gpus: Array
    income_usd: Array
    compute_usd: Array
    flow_usd: Array
    """Into the cash, after the investor."""
    investor_usd: Array
    cash_usd: Array
    """At each month's end."""
    cash_out_month: Number
    """First month that ends without cash; infinity within what was planned."""
    break_even_month: Number
    """First month that pays for itself; infinity within what was planned."""
    peak_need_usd: Number
    """The most that has to be put in before it earns: the deepest point below the start."""


def course(business: Business) -> Course:
    """Return the months of a business."""
    month_m = np.arange(business.months, dtype=float)
    share_m = np.minimum(
        _m(business.paid_share) + _m(business.ramp_per_month) * month_m,
        _m(business.most_paid_share),
    )
    dau_m = _m(business.dau) * (1 + _m(business.growth_per_month)) ** month_m
    payers_m = share_m * dau_m * _m(business.payers_per_share)
    gpus_m = dau_m * (
        (1 - share_m) * _m(business.free_gpus_per_active)
        + share_m * _m(business.paid_gpus_per_active)
    )
    bought_m = np.diff(gpus_m, axis=-1, prepend=0.0)
    compute_m = gpus_m * _m(business.usd_per_gpu_month) + bought_m * _m(business.gpu_usd)
    won_m = np.diff(payers_m, axis=-1, prepend=payers_m[..., :1])
    won_m = np.maximum(won_m + payers_m * _m(business.churn_per_month), 0.0)
    income_m = payers_m * _m(business.price_usd) + _m(business.other_income_usd)
    spent_m = compute_m + won_m * _m(business.acquire_usd) + _m(business.other_spending_usd)
    profit_m = np.asarray(income_m - spent_m, float)
    investor = investor_m(profit_m, business.investor) if business.investor else 0 * profit_m
    flow_m = profit_m - investor
    gone_m = np.cumsum(flow_m, axis=-1)
    cash_m = _m(business.cash_usd) + gone_m
    return Course(
        share_m,
        payers_m,
        gpus_m,
        income_m,
        compute_m,
        flow_m,
        investor,
        cash_m,
        first_month(cash_m <= 0),
        first_month(profit_m >= -1e-9 * np.abs(income_m)),
        np.maximum(0.0, -gone_m.min(axis=-1)),
    )


def payer_cost_usd(business: Business) -> Number:
    """Return what one payer's compute costs a month; those of MAU do not come every day."""
    days: Number = business.paid_gpus_per_active / np.asarray(business.payers_per_share)
    cost: Number = days * business.usd_per_gpu_month
    return cost


def payer_margin_usd(business: Business) -> Number:
    """Return what one payer leaves a month: price after fees, less his compute."""
    return business.price_usd - payer_cost_usd(business)


def payback_months(business: Business, gpu_usd: Number) -> Number:
    """Return after how many months a new payer has paid for the GPUs that he needs more."""
    more = business.paid_gpus_per_active - np.asarray(business.free_gpus_per_active)
    back: Number = gpu_usd * more / np.asarray(business.payers_per_share) / business.price_usd
    return back


def break_even_share(business: Business) -> Number:
    """Return which paid share pays for a month of the first month's users; infinity if none does.

    With costs that follow use, a month's flow is a straight line over the paid share. Where it does
    not rise, or meets zero above 1, no share breaks even.
    """
    month_usd = business.usd_per_gpu_month
    free_usd = business.dau * business.free_gpus_per_active * month_usd
    fixed_usd = business.other_spending_usd - np.asarray(business.other_income_usd)
    gained_usd = business.dau * (
        business.price_usd * business.payers_per_share
        - (business.paid_gpus_per_active - np.asarray(business.free_gpus_per_active)) * month_usd
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.maximum((free_usd + fixed_usd) / gained_usd, 0.0)
    share = np.where((gained_usd > 0) & (share <= 1), share, np.inf)
    return share if share.ndim else float(share)


def month_name(start: str, month: float) -> str:
    """Return the name of the month so many after `start` ("2023-08"); "never" for infinity."""
    if not np.isfinite(month):
        return "never"
    year, _, first = start.partition("-")
    if not (year.isdigit() and first.isdigit() and 1 <= int(first) <= 12):
        raise InputError("start", start, "is no month", 'write year and month, as in "2023-08"')
    count = int(year) * 12 + int(first) - 1 + round(month)
    return f"{_MONTHS[count % 12]} {count // 12}"


def _m(value: Number) -> Array:
    """Give draws an axis for months."""
    return np.asarray(value, float)[..., None]
