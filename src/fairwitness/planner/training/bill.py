"""What chip-hours cost: power, energy, carbon, water, rent, and the value that owned chips lose."""

from __future__ import annotations

import math

from fairwitness.planner.fields import Values
from fairwitness.planner.money import PRICE_FALL_DECADES_PER_YEAR
from fairwitness.planner.ranges import Number

NETWORK_SHARE = 0.19
"""Of a cluster's price (Epoch AI, training-cost-trends, 2026-04)."""

_HOURS_PER_YEAR = 8760


def bill(chip_hours: Number, v: Values) -> dict[str, Number]:
    """Return power, energy, co2, water, rented and owned, each under its unit's name.

    Water is what cooling takes for a kWh of servers, and what power stations take for a kWh at the
    meter. Owned chips lose value while they run, whether used well or not.
    """
    chip_w = v["chip_power_w"] * v["server_power"] * v["average_draw"]
    server_kwh = chip_hours * chip_w / 1000
    energy_kwh = server_kwh * v["pue"]
    cluster_usd = v["price_usd_per_chip"] * v["server_price"] / (1 - NETWORK_SHARE)
    lost_usd_per_h = cluster_usd * math.log(10) * PRICE_FALL_DECADES_PER_YEAR / _HOURS_PER_YEAR
    return {
        "power_w": v["chips"] * chip_w * v["pue"],
        "energy_kwh": energy_kwh,
        "co2_kg": energy_kwh * v["carbon_kg_per_kwh"],
        "water_l": server_kwh * v["water_site_l_per_kwh"] + energy_kwh * v["water_grid_l_per_kwh"],
        "rented_usd": chip_hours * v["rent_usd_per_chip_h"],
        "owned_usd": chip_hours * lost_usd_per_h + energy_kwh * v["electricity_usd_per_kwh"],
    }
