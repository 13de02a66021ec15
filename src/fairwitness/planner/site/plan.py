"""`plan site`: from the inputs of a site to what a plan says of it."""

from collections.abc import Mapping
from functools import partial

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.certain import one_number
from fairwitness.planner.fields import Told, Values, Verb
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.money import HOURS_PER_YEAR
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Array, Number
from fairwitness.planner.result import Chart, Line, Result, Table
from fairwitness.planner.site.fields import FIELDS, OUTPUTS
from fairwitness.planner.site.power import Source, average_power_w, facility_power_w, water_l
from fairwitness.planner.site.ways import (
    WAYS,
    Site,
    break_even_month,
    compute_usd,
    month_earlier_usd,
    plan,
    standing_m,
)


def site_of(v: Values, months: int) -> Site:
    """Return the site that inputs describe."""
    grid = Source(
        "grid", v["grid_power_w"], v["grid_price_usd_per_kwh"], v["grid_time_months"],
        carbon_kg_per_kwh=v["grid_carbon_kg_per_kwh"], water_l_per_kwh=v["grid_water_l_per_kwh"],
    )  # fmt: skip
    turbines = Source(
        "turbines", v["turbine_power_w"], v["turbine_price_usd_per_kwh"],
        v["turbine_time_months"], v["turbine_ramp_months"],
        carbon_kg_per_kwh=v["turbine_carbon_kg_per_kwh"],
    )  # fmt: skip
    store = Source(
        "storage", v["storage_power_w"], capex_usd_per_w=v["storage_price_usd_per_w"],
        storage_h=v["storage_time_h"],
    )  # fmt: skip
    each_usd = v.get("compute_price_usd_per_chip")
    if each_usd is None:
        price = v["chip_price_usd_per_chip"]
        each_usd = compute_usd(1.0, price, v["server_ratio"], v["network_share"])
    return Site(
        chips=v["chips"],
        compute_usd_per_chip=each_usd,
        server_w_per_chip=v["chip_power_w"] * np.asarray(v["server_power_ratio"]),
        sources=(grid, turbines, store),
        rent_usd_per_h=v["rent_usd_per_chip_h"],
        pue=v["pue"],
        colocated_pue=v["colocate_pue"],
        building_usd_per_w=v["hall_price_usd_per_w"],
        build_months=v["build_time_months"],
        colocate_months=v["colocate_time_months"],
        rent_months=v["rent_time_months"],
        ramp_months=v["ramp_months"],
        colocate_usd_per_kw_month=v["colocate_rent_usd_per_w_month"] * np.asarray(1e3),
        colocate_usd_per_kwh=v["grid_price_usd_per_kwh"],
        utilisation=v["utilisation"],
        load_share=v["load"],
        staff_usd_per_month=v["staff_usd_per_month"],
        upkeep_per_year=v["upkeep_per_year"],
        price_fall_decades_per_year=v["price_fall_per_year"] / np.log(10),
        value_usd_per_h=v.get("value_usd_per_chip_h"),
        rate_per_year=v["interest_per_year"],
        months=months,
        peak_h_per_day=v["peak_time_h"],
    )


def compute(v: Values, months: int) -> Mapping[str, Number]:
    """Return every output of a site."""
    site = site_of(v, months)
    built, colocated, rented = (plan(site, way) for way in WAYS)
    assert built.supply is not None
    watts = (site.chips, site.server_w_per_chip)
    average_w = average_power_w(*watts, site.pue, site.load_share)
    servers_kwh = average_w / site.pue / 1e3 * HOURS_PER_YEAR
    supply = built.supply
    year_m = slice(-12, None)
    built_kwh = sum((each[..., year_m].sum(-1) for each in supply.energy_kwh.values()), 0.0)
    grid_l_per_kwh = supply.water_l[..., year_m].sum(-1) / np.maximum(built_kwh, 1e-9)
    return {
        "nameplate_w": facility_power_w(*watts, site.pue),
        "average_w": average_w,
        "energy_kwh_per_year": average_w / 1e3 * HOURS_PER_YEAR,
        "carbon_kg_per_year": supply.carbon_kg[..., year_m].sum(-1),
        "water_l_per_year": water_l(
            servers_kwh, v["hall_water_l_per_kwh"], site.pue, grid_l_per_kwh
        ),
        "served": supply.served_share[..., -1],
        "short_w": supply.short_w[..., -1],
        "capital_usd": built.capex_usd,
        "build_cost_usd_per_chip_h": built.usd_per_useful_h,
        "colocate_cost_usd_per_chip_h": colocated.usd_per_useful_h,
        "rent_cost_usd_per_chip_h": rented.usd_per_useful_h,
        "build_npv_usd": built.npv_usd - np.asarray(rented.npv_usd),
        "colocate_npv_usd": colocated.npv_usd - np.asarray(rented.npv_usd),
        "break_even_months": break_even_month(site),
        "break_even_use": built.usd_per_useful_h * np.asarray(site.utilisation)
        / site.rent_usd_per_h,
        "month_earlier_usd": month_earlier_usd(site),
    }  # fmt: skip


def plan_site(inputs: Inputs, told: Told) -> Result:
    """Return a plan of a site."""
    months = int(one_number(inputs, "horizon"))
    result = outcome(inputs, partial(compute, months=months), OUTPUTS, told)
    best = min(("build", "colocate", "rent"), key=lambda way: result.quantity(f"{way}_cost").median)
    served, even = result.quantity("served"), result.quantity("break_even")
    verdict = (
        f"{best} is cheapest for a wanted hour; building is ahead of renting after "
        f"{shown(even.median, 'month')}"
    )
    if served.median < 0.999:
        verdict += f"; power is there for {shown(served.median, '%')} of the chips only"
    drawn = site_of(inputs.draws(), months)
    return msgspec.structs.replace(
        result,
        verdict=verdict,
        tables=(_power_table(site_of(inputs.middle(), months)),),
        charts=(_standing_chart(drawn), _power_chart(site_of(inputs.middle(), months))),
        notes=(
            "a wanted hour: payments less what can be sold at the end, over hours that are used",
            "ahead: with everything paid, without selling anything",
        ),
    )


def _power_table(site: Site) -> Table:
    supply = plan(site, "build").supply
    assert supply is not None
    year = supply.energy_kwh.items()
    rows = tuple((name, shown(float(kwh[-12:].sum()), "kWh")) for name, kwh in year)
    return Table("energy of the last year, by source, cheapest first", ("source", "energy"), rows)


def _standing_chart(site: Site) -> Chart:
    months = tuple(float(month) for month in range(site.months))
    lines = tuple(
        Line(way, months, *_band(standing_m(site, plan(site, way)) / 1e9)) for way in WAYS
    )
    return Chart("value less payments until each month, discounted", "month", "GUSD", lines)


def _power_chart(site: Site) -> Chart:
    months = tuple(float(month) for month in range(site.months))
    lines = [
        Line(source.name, months, _floats(source.available_m(site.months) / 1e6))
        for source in site.sources
    ]
    need = facility_power_w(site.chips, site.server_w_per_chip, site.pue) / 1e6
    lines.append(Line("supply needed", months, (float(need),) * site.months))
    return Chart("power by source", "month", "MW", tuple(lines))


def _band(values_m: Array) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return median, 10 % and 90 % points over draws."""
    if values_m.ndim == 1:
        return _floats(values_m), (), ()
    low, middle, high = np.quantile(values_m, (0.1, 0.5, 0.9), axis=0)
    return _floats(middle), _floats(low), _floats(high)


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


VERB = Verb(
    name="site",
    help="Build a site for many chips, colocate them, or rent: power, money, and when it pays.",
    example="--chips 100000 --chip H100 --region Tennessee --build-time 4..6months",
    fields=FIELDS,
    plan=plan_site,
)
