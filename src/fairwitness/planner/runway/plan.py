"""`plan runway`: from users, prices and cash to two events, each with its date and its name."""

from collections.abc import Mapping
from functools import partial

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.certain import one_number
from fairwitness.planner.fields import Told, Values, Verb
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.money import Stage
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Chart, Line, Mark, Result, Table
from fairwitness.planner.runway.burn import (
    Base,
    Business,
    Course,
    Tier,
    break_even_share,
    course,
    month_name,
    payback_months,
    payer_cost_usd,
    payer_margin_usd,
)
from fairwitness.planner.runway.fields import FIELDS, OUTPUTS

_TERMS = ("investor_share", "investor_until", "investor_after")
_RAMPS = (0.5, 1.0, 2.0)


def business_of(v: Values, words: Mapping[str, str], months: int) -> Business:
    """Return the business that inputs describe; `words` has users_base, paid_base and chips.

    Raises:
        PlanError: shares and users are of two bases, and nobody said how they compare.
    """
    bases: dict[str, Base] = {"DAU": "DAU", "MAU": "MAU"}
    buys = words["chips"] == "buy"
    high = v["high_part"]
    stages: tuple[Stage, ...] = ()
    if "investor_share" in v:
        # Single numbers, which `plan_runway` has seen to; a tornado repeats them.
        keys = ("investor_share", "investor_until_usd", "investor_after")
        share, until, after = (float(np.max(v[key])) for key in keys)
        stages = (Stage(share, until), Stage(after))
    return Business(
        users=v["users"],
        users_base=bases[words["users_base"]],
        paid_share=v["paid_share"],
        paid_base=bases[words["paid_base"]],
        tiers=(
            Tier("usual", v["price_usd_per_user_month"], 1 - high, v["paid_use_chips_per_user"]),
            Tier("high", v["high_price_usd_per_user_month"], high, v["high_use_chips_per_user"]),
        ),
        free_gpus_per_active=v["free_use_chips_per_user"],
        usd_per_gpu_h=v["chip_upkeep_usd_per_chip_h" if buys else "chip_rent_usd_per_chip_h"],
        cash_usd=v["cash_usd"],
        ramp_per_month=v["paid_ramp"],
        dau_per_mau=v.get("dau_per_mau"),
        most_paid_share=v["most_paid"],
        growth_per_month=v["growth_per_month"],
        churn_per_month=v["churn_per_month"],
        acquire_usd=v["acquire_usd_per_user"],
        fee_share=v["fees"],
        other_income_usd=v["other_income_usd_per_month"],
        other_spending_usd=v["other_spending_usd_per_month"],
        gpu_usd=v["chip_price_usd_per_chip"] if buys else 0.0,
        investor=stages,
        months=months,
    )


def compute(v: Values, words: Mapping[str, str], months: int) -> Mapping[str, Number]:
    """Return every output of a business."""
    business = business_of(v, words, months)
    run = course(business)
    with np.errstate(divide="ignore"):
        lifetime = 1 / np.asarray(business.churn_per_month, float)
    return {
        "cash_out_months": run.cash_out_month,
        "break_even_months": run.break_even_month,
        "break_even_share": break_even_share(business),
        "payer_cost_usd_per_user_month": payer_cost_usd(business),
        "payer_margin_usd_per_user_month": payer_margin_usd(business),
        "payback_months": payback_months(business, v["chip_price_usd_per_chip"]),
        "lifetime_months": lifetime,
        "first_flow_usd_per_month": run.flow_usd[..., 0],
        "deepest_usd": run.peak_need_usd,
        "last_cash_usd": run.cash_usd[..., -1],
        "investor_usd": run.investor_usd.sum(axis=-1),
    }


def plan_runway(inputs: Inputs, told: Told) -> Result:
    """Return a plan of a runway."""
    months = int(one_number(inputs, "horizon"))
    words = {name: inputs.word(name) for name in ("users_base", "paid_base", "chips")}
    for name in _TERMS:
        if name in inputs.given:
            one_number(inputs, name)
    start = inputs.word("start")
    month_name(start, 0)
    result = outcome(inputs, partial(compute, words=words, months=months), OUTPUTS, told)
    run = course(business_of(inputs.draws(), words, months))
    out, even = (result.quantity(name).median for name in ("cash_out", "break_even"))
    margin = result.quantity("payer_margin").median
    price = margin + result.quantity("payer_cost").median
    verdict = (
        f"cash-out {month_name(start, out)}, break-even {month_name(start, even)}; a payer leaves "
        f"{shown(margin, 'USD')} of {shown(price, 'USD')} a month"
    )
    return msgspec.structs.replace(
        result,
        verdict=verdict,
        tables=(_events(start, run), _ramps(inputs, words, months, start)),
        charts=(_cash_chart(run, out, even),),
        notes=_notes(result, words, months),
    )


def _notes(result: Result, words: Mapping[str, str], months: int) -> tuple[str, ...]:
    notes = [
        f"paid shares are of {words['paid_base']}, users are {words['users_base']}",
        f"never: not within the {months} months of this plan",
    ]
    if result.quantity("payer_margin").median <= 0:
        notes.append("a payer costs more than he pays, so more payers end the cash sooner")
    elif words["chips"] == "rent":
        notes.append("every payer adds cash, so a faster ramp never ends the cash sooner")
    else:
        notes.append("bought chips are paid before they earn, so a faster ramp may end cash sooner")
    return tuple(notes)


def _events(start: str, run: Course) -> Table:
    """Return each event with the share of draws in which it happens, and its dates."""
    rows = []
    for event, month in (("cash-out", run.cash_out_month), ("break-even", run.break_even_month)):
        months = np.atleast_1d(np.asarray(month, float))
        happens = float(np.isfinite(months).mean())
        early, middle, late = np.quantile(months, (0.1, 0.5, 0.9), method="inverted_cdf")
        dates = (month_name(start, float(each)) for each in (early, middle, late))
        rows.append((event, shown(happens, "%"), *dates))
    columns = ("event", "happens in", "10 % of draws by", "half by", "90 % by")
    return Table("which event, and when", columns, tuple(rows))


def _ramps(inputs: Inputs, words: Mapping[str, str], months: int, start: str) -> Table:
    """Return both dates for a slower and a faster ramp, all inputs at their medians."""
    rows = []
    for factor in _RAMPS:
        middle = inputs.middle()
        middle["paid_ramp"] = middle["paid_ramp"] * factor
        run = course(business_of(middle, words, months))
        rows.append(
            (
                shown(middle["paid_ramp"] * 100) + " points",
                month_name(start, float(run.cash_out_month)),
                month_name(start, float(run.break_even_month)),
                shown(float(run.peak_need_usd), "USD"),
            )
        )
    columns = ("added each month", "cash-out", "break-even", "most put in")
    return Table("slower and faster ramps, inputs at their medians", columns, tuple(rows))


def _cash_chart(run: Course, out: float, even: float) -> Chart:
    months = tuple(float(month) for month in range(run.cash_usd.shape[-1]))
    cash = np.atleast_2d(run.cash_usd) / 1e9
    low, middle, high = (
        tuple(float(each) for each in line) for line in np.quantile(cash, (0.1, 0.5, 0.9), axis=0)
    )
    marks = tuple(
        Mark(month, name)
        for month, name in ((out, "cash-out"), (even, "break-even"))
        if np.isfinite(month)
    )
    lines = (Line("cash", months, middle, low, high),)
    return Chart("cash at each month's end", "month", "GUSD", lines, marks=marks)


VERB = Verb(
    name="runway",
    help="How long money lasts: users, payers, compute, cash; cash-out and break-even by name.",
    example='--cash 10GUSD --users 60M --paid-base MAU --dau-per-mau "35 %" --paid-ramp "0.25 %"',
    fields=FIELDS,
    plan=plan_runway,
)
