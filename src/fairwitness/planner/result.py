"""What every verb returns: one object that the terminal, the JSON and the page are all made from.

Numbers stand in the unit that is named beside them; infinity means never, or without end, and is
null in JSON.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Cell = str | float | int | None


class Quantity(msgspec.Struct, frozen=True):
    """A result: its median, and the interval that holds 80 % of the draws."""

    name: str
    label: str
    unit: str
    median: float
    low: float
    high: float
    note: str = ""


class Input(msgspec.Struct, frozen=True):
    """An input as it was used; numbers are None for a word."""

    name: str
    text: str
    unit: str
    median: float | None
    low: float | None
    high: float | None
    origin: str  # you, default, catalogue
    source: str
    help: str = ""


class Swing(msgspec.Struct, frozen=True):
    """A result with one input at its 10 % and 90 % points, the others at their medians."""

    input: str
    at_low: str
    at_high: str
    low: float
    high: float


class Tornado(msgspec.Struct, frozen=True):
    """What moves a result, the strongest first."""

    output: str
    label: str
    unit: str
    middle: float  # all inputs at their medians
    swings: tuple[Swing, ...]


class Table(msgspec.Struct, frozen=True):
    """Rows beside the quantities."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


class Line(msgspec.Struct, frozen=True):
    """A line of a chart, with a band from `low` to `high` if given; bars have names."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    names: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """A moment on the horizontal axis that is worth a word."""

    x: float
    text: str


class Chart(msgspec.Struct, frozen=True):
    """A plot: lines, bars, or lines over a logarithmic vertical axis."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    kind: Literal["line", "bar", "log"] = "line"
    marks: tuple[Mark, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """A plan: what comes out, from what, what moves it, and what is worth saying about it."""

    verb: str
    verdict: str
    quantities: tuple[Quantity, ...]
    inputs: tuple[Input, ...]
    tornados: tuple[Tornado, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    draws: int = 0

    def quantity(self, name: str) -> Quantity:
        """Return a quantity by its name."""
        return next(each for each in self.quantities if each.name == name)
