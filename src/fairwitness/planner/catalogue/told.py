"""Rows of the catalogue as a table."""

from collections.abc import Sequence

from fairwitness.planner.amounts import band, shown
from fairwitness.planner.catalogue.rows import Figure, Row
from fairwitness.planner.ranges import HIGH, LOW
from fairwitness.planner.result import Cell, Table


def rows_table(rows: Sequence[Row], *, whole: bool) -> Table:
    """Return all figures of rows; `whole` adds sources and conflicts."""
    return _figures(rows) if whole else _overview(rows)


def _overview(rows: Sequence[Row]) -> Table:
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        figures = ", ".join(f"{name} {said.text}" for name, said in row.said.items())
        cells.append((row.name, row.kind, row.title, figures))
    return Table("Catalogue", ("row", "kind", "what it is", "figures"), tuple(cells))


def _figures(rows: Sequence[Row]) -> Table:
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        for name in row.said:
            figure = row.figure(name)
            cells.append((name, figure.text, _meant(figure), figure.source, figure.date))
            cells += [("", "", "but", conflict, "") for conflict in figure.conflicts]
    columns = ("figure", "value", "median [80 %]", "source", "date")
    return Table("Figures", columns, tuple(cells))


def _meant(figure: Figure) -> str:
    if figure.spread.certain:
        return shown(figure.median, figure.unit)
    ends = figure.spread.quantile(LOW), figure.spread.quantile(HIGH)
    return band(figure.median, *ends, figure.unit)
