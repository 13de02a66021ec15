"""A result as a terminal shows it: verdict, quantities, tables, what moves it, and the notes."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from fairwitness.planner.amounts import digits_of, shown
from fairwitness.planner.result import Cell, Result, Table, Tornado

_WIDTH = 100
_SWINGS = 6


def told(result: Result, *, explain: bool = False) -> str:
    """Return a result as text; `explain` lists every input with its source."""
    return "\n".join(_lines(result, explain)).rstrip() + "\n"


def table_text(table: Table) -> str:
    """Return a table with its columns under each other."""
    rows = [table.columns, *([cell_text(cell) for cell in row] for row in table.rows)]
    return "\n".join(_columns(rows, head=True))


def cell_text(cell: Cell) -> str:
    """Return one cell: numbers with three digits."""
    match cell:
        case None:
            return "-"
        case bool() | str():
            return str(cell)
        case int():
            return f"{cell:,}"
    return digits_of(cell)


def _lines(result: Result, explain: bool) -> Iterator[str]:
    if result.verdict:
        yield from _wrapped(result.verdict)
        yield ""
    if result.quantities:
        yield from _columns(_quantities(result), head=True)
        yield ""
    for table in result.tables:
        yield f"{table.title}"
        yield table_text(table)
        if table.note:
            yield from _wrapped(table.note, "  ")
        yield ""
    for tornado in result.tornados:
        yield from _tornado(tornado)
        yield ""
    for note in result.notes:
        yield from _wrapped(f"- {note}", "  ")
    origins = Counter(each.origin for each in result.inputs)
    counted = ", ".join(f"{origin} {count}" for origin, count in sorted(origins.items()))
    more = "" if explain else "; --explain lists them"
    drawn = f"{result.draws:,} draws, seed {result.seed}"
    yield f"inputs: {len(result.inputs)} ({counted}){more}. {drawn}"
    if explain:
        yield from _columns(_inputs(result), head=True)


def _quantities(result: Result) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("", "median", "80 % of draws")]
    for each in result.quantities:
        sure = each.low == each.high
        interval = "" if sure else f"{shown(each.low, each.unit)} .. {shown(each.high, each.unit)}"
        note = f"  {each.note}" if each.note else ""
        rows.append((each.label, shown(each.median, each.unit), interval + note))
    return rows


def _tornado(tornado: Tornado) -> Iterator[str]:
    middle = shown(tornado.middle, tornado.unit)
    yield f"what moves {tornado.label} ({middle} with all inputs at their medians)"
    rows = [
        (
            f"  {swing.input}",
            f"{swing.at_low} .. {swing.at_high}",
            f"{shown(swing.low, tornado.unit)} .. {shown(swing.high, tornado.unit)}",
        )
        for swing in tornado.swings[:_SWINGS]
    ]
    yield from _columns(rows)


def _inputs(result: Result) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("input", "value", "from", "source")]
    rows += [(each.name, each.text, each.origin, each.source) for each in result.inputs]
    return rows


def _columns(rows: Sequence[Sequence[str]], *, head: bool = False) -> Iterator[str]:
    if not rows:
        return
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for place, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if head and place == 0:
            yield "  ".join("─" * width for width in widths)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False) or [""]
