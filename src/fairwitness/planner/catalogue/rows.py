"""The catalogue: rows of figures in TOML files, ours beside this module and people's own.

A figure is a text with a unit, as a person would type it, and who says so, when. It is a claim,
not a constant: what others say stands beside it as `conflicts`. A file of a user's adds rows and
replaces single figures; a figure without unit, source or date is refused by name.

    [sources.maker]
    text = "data sheet of the maker"
    date = "2026-08-21"

    [MyChip]
    kind = "accelerator"
    title = "My chip"
    power = { value = "700 W", source = "maker" }
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from fairwitness.planner.errors import CatalogueError, InputError, near
from fairwitness.planner.fields import Field
from fairwitness.planner.ranges import HIGH, LOW, Spread
from fairwitness.planner.reading import read

# Every kind of row, and the unit of each figure that it may have.
KINDS: dict[str, dict[str, str]] = {
    "accelerator": {
        "bf16": "FLOP/s",
        "fp8": "FLOP/s",
        "fp4": "FLOP/s",
        "int8": "FLOP/s",
        "memory": "byte",
        "memory_rate": "byte/s",
        "power": "W",
        "scale_up": "byte/s",
        "scale_up_chips": "chip",
        "scale_out": "byte/s",
        "price": "USD/chip",
        "rent": "USD/chip/h",
        "spot": "USD/chip/h",
    },
    "server": {
        "chips": "chip",
        "power": "W",
        "chip_to_server_power": "",
        "price_ratio": "",
        "average_draw": "",
    },
    "network": {
        "rate": "byte/s",
        "latency": "s",
        "share_of_cluster": "",
    },
    "storage": {
        "rate": "byte/s",
        "price": "USD/byte/month",
        "capital": "USD/byte",
    },
    "power": {
        "capacity": "W",
        "carbon": "kg/kWh",
        "cost": "USD/kWh",
    },
    "cooling": {
        "pue": "",
        "water": "l/kWh",
    },
    "site": {
        "pue": "",
        "average_draw": "",
        "capital": "USD/W",
        "months": "month",
        "water": "l/kWh",
        "life": "year",
        "upkeep": "1/year",
        "price_fall": "1/year",
        "interest": "1/year",
        "failures": "1/chip/h",
        "power": "W",
        "capacity": "W",
        "chips": "chip",
        "cost": "USD",
    },
    "region": {
        "electricity": "USD/kWh",
        "carbon": "kg/kWh",
        "water": "l/kWh",
    },
    "cloud": {
        "rent": "USD/chip/h",
    },
}
# A figure that an accelerator may lack, and a factor or fraction that is no fraction of one.
_OVER_ONE = {"pue", "chip_to_server_power", "price_ratio"}


@dataclass(frozen=True)
class Figure:
    """One number of a row: its text, what it means in `unit`, and who says so, when."""

    text: str
    unit: str
    spread: Spread
    source: str
    date: str
    conflicts: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """The middle of what is said, in `unit`."""
        return self.spread.median


@dataclass(frozen=True)
class Row:
    """One thing of the catalogue."""

    name: str
    kind: str
    title: str
    said: Mapping[str, "Said"] = field(repr=False)

    def told(self) -> dict[str, object]:
        """Return the row as JSON shows it: each figure in its unit, with all that is said of it."""
        figures = {}
        for name, said in self.said.items():
            figure = self.figure(name)
            figures[name] = {
                "value": said.text,
                "median": figure.median,
                "low": figure.spread.quantile(LOW),
                "high": figure.spread.quantile(HIGH),
                "unit": figure.unit,
                "source": said.source,
                "date": said.date,
                "conflicts": said.conflicts,
            }
        return {"name": self.name, "kind": self.kind, "title": self.title, "figures": figures}

    def figure(self, name: str) -> Figure:
        """Return a figure in its unit."""
        if name not in self.said:
            has = ", ".join(self.said)
            raise CatalogueError(f"{self.name}: has no figure {name!r}; it has {has}")
        said = self.said[name]
        unit = KINDS[self.kind][name]
        spread = read(_field(self.name, name, unit), said.text, {})
        return Figure(said.text, unit, spread, said.source, said.date, said.conflicts)


@dataclass(frozen=True)
class Said:
    """A figure as it stands in a file."""

    text: str
    source: str
    date: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All rows by name."""

    by_name: Mapping[str, Row]

    def row(self, name: str, field: str = "catalogue") -> Row:
        """Return a row by its name, in whatever case; else name `field` and what is near."""
        for each in self.by_name.values():
            if each.name.lower() == name.strip().lower():
                return each
        right = near(name, self.by_name, "see fairwitness plan catalogue")
        raise InputError(field, name, "is in no row of the catalogue", right)

    def rows(self, kind: str = "") -> tuple[Row, ...]:
        """Return all rows, or those of one kind."""
        return tuple(row for row in self.by_name.values() if kind in ("", row.kind))


@cache
def bundled() -> Catalogue:
    """Return the rows that come along."""
    return _merged({}, sorted(Path(__file__).parent.glob("*.toml")))


def read_files(paths: Iterable[Path]) -> Catalogue:
    """Return the bundled rows with those of `paths` over them, each figure of these checked."""
    paths = list(paths)
    catalogue = _merged(bundled().by_name, paths)
    for path in paths:
        for row in _rows(path, catalogue.by_name):
            for name in row.said:
                row.figure(name)
    return catalogue


def _merged(rows: Mapping[str, Row], paths: Iterable[Path]) -> Catalogue:
    merged = dict(rows)
    for path in paths:
        for row in _rows(path, merged):
            old = merged.get(row.name)
            said = {**old.said, **row.said} if old else row.said
            merged[row.name] = replace(row, said=said)
    return Catalogue(merged)


def _rows(path: Path, known: Mapping[str, Row]) -> list[Row]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: is no TOML: {error}") from error
    sources = tables.pop("sources", {})
    return [_row(path, name, table, sources, known.get(name)) for name, table in tables.items()]


def _row(path: Path, name: str, table: Any, sources: Any, old: Row | None) -> Row:
    if not isinstance(table, dict):
        raise CatalogueError(f"{path}: {name}: is no row; write [{name}] and its figures under it")
    kind = table.get("kind", old.kind if old else "")
    if kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise CatalogueError(f"{path}: {name}: kind {kind!r} is none of {kinds}")
    title = str(table.get("title", old.title if old else name))
    said = {
        figure: _said(f"{path}: {name}.{figure}", kind, figure, value, sources)
        for figure, value in table.items()
        if figure not in ("kind", "title")
    }
    return Row(name, kind, title, said)


def _said(place: str, kind: str, figure: str, value: Any, sources: Any) -> Said:
    if figure not in KINDS[kind]:
        has = ", ".join(KINDS[kind])
        raise CatalogueError(f"{place}: is no figure of a row of kind {kind}; those are {has}")
    if not isinstance(value, dict) or not isinstance(value.get("value"), str):
        right = '{ value = "700 W", source = "..", date = "2026-08-21" }'
        raise CatalogueError(f"{place}: {value!r} is no figure; write {right}")
    named = value.get("source", "")
    about = sources.get(named, {}) if isinstance(sources, dict) else {}
    source = str(about.get("text", named))
    date = str(value.get("date", about.get("date", "")))
    if not source:
        raise CatalogueError(f"{place}: {value['value']!r} has no source; say who says so")
    if not re.fullmatch(r"\d{4}(-\d{2}){0,2}", date):
        right = "when it was read, like 2026-08-21"
        raise CatalogueError(f"{place}: {value['value']!r} has no date; say {right}")
    return Said(value["value"], source, date, tuple(value.get("conflicts", ())))


def _field(row: str, figure: str, unit: str) -> Field:
    most = math.inf if unit or figure in _OVER_ONE else 1.0
    bits = unit == "byte/s"
    return Field(f"{row}.{figure}", unit, "", zero=True, most=most, bits=bits)
