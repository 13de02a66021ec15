"""A result as one page that a manager can read: self-contained, no script, light and dark, prints.

What stands in a result may come from a plan file of anybody's: all of it is escaped.
"""

from collections.abc import Iterator
from html import escape

from fairwitness.planner.amounts import band, shown
from fairwitness.planner.charts import STYLE, chart_svg, tornado_svg
from fairwitness.planner.result import Chart, Input, Quantity, Result, Table, Tornado
from fairwitness.planner.telling import cell_text

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--card:#f6f8fa;
--edge:#d8dee4}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b1;--paper:#0d1117;--card:#161b22;
--edge:#30363d}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.3rem}h2{font-size:1.15rem;margin-top:2.2rem}
.verdict{font-size:1.1rem;padding:.8rem 1rem;background:var(--card);border-left:4px solid #0b62c4}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.7rem;
margin:1rem 0}
.card{background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:.6rem .8rem}
.card b{display:block;font-size:1.25rem}.dim,figcaption{color:var(--dim);font-size:.85rem}
figure{margin:1rem 0}svg{width:100%;height:auto}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--edge);vertical-align:top}
@media print{body{max-width:none;margin:0}figure,.card,tr{break-inside:avoid}}
"""


def page(result: Result, command: str = "") -> str:
    """Return a whole HTML document; `command` is what gives the same page again."""
    return "".join(_parts(result, command))


def _parts(result: Result, command: str) -> Iterator[str]:
    title = f"Plan: {result.verb}"
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}{STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    if result.verdict:
        yield f'<p class="verdict">{escape(result.verdict)}</p>'
    if result.quantities:
        yield f'<div class="cards">{"".join(map(_card, result.quantities))}</div>'
    said = f"Medians of {result.draws:,} draws; in brackets the interval that holds 80 %."
    yield f'<p class="dim">{said}</p>'
    yield from (_figure(each) for each in result.charts)
    yield from (_moved(each) for each in result.tornados)
    yield from (_table(each) for each in result.tables)
    if result.notes:
        yield "<h2>Worth knowing</h2><ul>"
        yield from (f"<li>{escape(note)}</li>" for note in result.notes)
        yield "</ul>"
    if result.inputs:
        yield "<h2>What it stands on</h2>" + _inputs(result.inputs)
    if command:
        yield f"<h2>The same again</h2><pre>{escape(command)}</pre>"
    yield "</body></html>\n"


def _card(each: Quantity) -> str:
    interval = "" if each.low == each.high else (
        f"[{shown(each.low, each.unit)} .. {shown(each.high, each.unit)}]"
    )  # fmt: skip
    note = f'<div class="dim">{escape(each.note)}</div>' if each.note else ""
    return (
        f'<div class="card"><span class="dim">{escape(each.label)}</span>'
        f"<b>{escape(shown(each.median, each.unit))}</b>"
        f'<span class="dim">{escape(interval)}</span>{note}</div>'
    )


def _figure(chart: Chart) -> str:
    return f"<h2>{escape(chart.title)}</h2><figure>{chart_svg(chart)}</figure>"


def _moved(tornado: Tornado) -> str:
    middle = escape(shown(tornado.middle, tornado.unit))
    return (
        f"<h2>What moves {escape(tornado.label)}</h2><figure>{tornado_svg(tornado)}"
        f"<figcaption>Each input at its 10 % and 90 % points, the others at their medians"
        f" ({middle}).</figcaption></figure>"
    )


def _table(table: Table) -> str:
    rows = [[cell_text(cell) for cell in row] for row in table.rows]
    note = f'<p class="dim">{escape(table.note)}</p>' if table.note else ""
    return f"<h2>{escape(table.title)}</h2>{_grid(list(table.columns), rows)}{note}"


def _inputs(inputs: tuple[Input, ...]) -> str:
    rows = [[each.help or each.name, each.text, _meant(each), each.origin, each.source]
            for each in inputs]  # fmt: skip
    return _grid(["input", "as said", "median [80 %]", "from", "source"], rows)


def _meant(each: Input) -> str:
    if each.median is None or each.low is None or each.high is None:
        return ""
    return band(each.median, each.low, each.high, each.unit)


def _grid(columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'
