"""Where a site's power comes from, month by month, and what it costs in money, carbon and water.

Grid, turbines and storage each come at a date and grow to their size over a ramp. The cheapest is
used first. Storage makes no energy: it carries peaks for as many hours as it holds, and loses some.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairwitness.planner.errors import PlanError
from fairwitness.planner.money import HOURS_PER_MONTH, HOURS_PER_YEAR
from fairwitness.planner.ranges import Array, Number

EVAPORATE_L_PER_KWH = 1.59
"""Water that carries a kWh of heat away as steam: 3.6 MJ over 2.26 MJ/kg."""


@dataclass(frozen=True, eq=False)
class Source:
    """One source of power; `storage_h` above 0 makes it a battery that holds so many hours."""

    name: str
    capacity_w: Number
    usd_per_kwh: Number = 0.0
    online_month: Number = 0
    ramp_months: Number = 0
    """How many months it takes to grow from its first part to its full size."""
    carbon_kg_per_kwh: Number = 0.0
    water_l_per_kwh: Number = 0.0
    capex_usd_per_w: Number = 0.0
    storage_h: Number = 0.0
    efficiency: Number = 0.88
    """Of a battery, in and out again; our assumption for lithium cells with their inverters."""

    def available_m(self, months: int) -> Array:
        """Return the watts that are there in each month; shape (..., months)."""
        since = np.arange(months) - np.asarray(self.online_month, float)[..., None] + 1
        grown = since / (np.asarray(self.ramp_months, float)[..., None] + 1)
        return np.asarray(np.asarray(self.capacity_w)[..., None] * np.clip(grown, 0.0, 1.0), float)


@dataclass(frozen=True)
class Supply:
    """What the sources give; every array has the months as its last axis."""

    energy_kwh: dict[str, Array]
    unmet_kwh: Array
    """Energy that was asked for and that no source had."""
    short_w: Array
    """What is missing at the peak, after storage."""
    usd: Array
    carbon_kg: Array
    water_l: Array
    capex_usd: Number

    @property
    def served_share(self) -> Array:
        """Which share of the asked energy is there, 1 where none is asked for."""
        served = sum(self.energy_kwh.values(), np.zeros_like(self.unmet_kwh))
        asked = served + self.unmet_kwh
        return np.divide(served, asked, out=np.ones_like(asked), where=asked > 0)


def dispatch(
    sources: Sequence[Source], average_w_m: Array, peak_w_m: Array, peak_h_per_day: Number = 4.0
) -> Supply:
    """Return what each source gives when a site draws so much, the cheapest first."""
    if not sources:
        raise PlanError("no source of power; name at least a grid with its capacity in W")
    if np.any(peak_w_m < average_w_m):
        raise PlanError("the peak is below the average draw; give the peak at the meter")
    months = average_w_m.shape[-1]
    stores = [source for source in sources if np.any(np.asarray(source.storage_h) > 0)]
    makers = [source for source in sources if source not in stores]
    makers.sort(key=lambda source: float(np.mean(source.usd_per_kwh)))
    made_w = sum((s.available_m(months) for s in makers), np.zeros(months))
    short_w, lost_w = _carry_peaks(stores, np.maximum(peak_w_m - made_w, 0.0), peak_h_per_day)
    wanted_w = average_w_m + lost_w
    left_w, energy_kwh = wanted_w, dict[str, Array]()
    usd = carbon_kg = water_l = np.zeros_like(wanted_w)
    for source in makers:
        given_w = np.minimum(left_w, source.available_m(months))
        left_w = left_w - given_w
        kwh = given_w / 1e3 * HOURS_PER_MONTH
        energy_kwh[source.name] = kwh
        usd = usd + kwh * np.asarray(source.usd_per_kwh)[..., None]
        carbon_kg = carbon_kg + kwh * np.asarray(source.carbon_kg_per_kwh)[..., None]
        water_l = water_l + kwh * np.asarray(source.water_l_per_kwh)[..., None]
    capex_usd: Number = sum((s.capacity_w * s.capex_usd_per_w for s in sources), 0.0)
    unmet_kwh = left_w / 1e3 * HOURS_PER_MONTH
    return Supply(energy_kwh, unmet_kwh, short_w, usd, carbon_kg, water_l, capex_usd)


def _carry_peaks(
    stores: Sequence[Source], short_w_m: Array, peak_h_per_day: Number
) -> tuple[Array, Array]:
    """Return what is still missing at the peak, and the mean watts that storing loses."""
    lost_w = np.zeros_like(short_w_m)
    for store in stores:
        held = np.minimum(1.0, store.storage_h / np.asarray(peak_h_per_day))[..., None]
        carried_w = np.minimum(short_w_m, store.available_m(short_w_m.shape[-1]) * held)
        short_w_m = short_w_m - carried_w
        lost_share = (1 / np.asarray(store.efficiency) - 1) * peak_h_per_day / 24
        lost_w = lost_w + carried_w * lost_share[..., None]
    return short_w_m, lost_w


def facility_power_w(chips: Number, server_w_per_chip: Number, pue: Number) -> Number:
    """Return the nameplate draw at the meter: chips with their share of server, times PUE."""
    return chips * server_w_per_chip * pue


def average_power_w(
    chips: Number, server_w_per_chip: Number, pue: Number, load_share: Number = 0.75
) -> Number:
    """Return the mean draw; Epoch AI measured 0.75 of nameplate for GPUs, 0.43 for TPUs."""
    return facility_power_w(chips, server_w_per_chip, pue) * load_share


def energy_kwh(power_w: Number, hours: Number) -> Number:
    """Return energy of a constant draw."""
    return power_w / 1e3 * hours


def electricity_usd_per_year(power_w: Number, usd_per_kwh: Number) -> Number:
    """Return a year's bill."""
    return energy_kwh(power_w, HOURS_PER_YEAR) * usd_per_kwh


def carbon_kg(energy_kwh: Number, carbon_kg_per_kwh: Number) -> Number:
    """Return the carbon of energy at the meter."""
    return energy_kwh * carbon_kg_per_kwh


def water_l(
    it_energy_kwh: Number, site_l_per_kwh: Number, pue: Number, grid_l_per_kwh: Number
) -> Number:
    """Return litres used: cooling counts energy of the servers, power plants that at the meter."""
    return it_energy_kwh * (site_l_per_kwh + pue * grid_l_per_kwh)


def homes_for_a_year(energy_kwh: Number, home_kwh_per_year: Number) -> Number:
    """Return how many homes use as much in a year."""
    return energy_kwh / home_kwh_per_year
