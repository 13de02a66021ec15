"""Plots as SVG text: lines with bands, bars, and tornados. No script, no font from outside.

Colours are classes: a page styles them once for day and night, a file of its own carries the style
with it.
"""

import math
from collections.abc import Callable, Sequence
from html import escape

from fairwitness.planner.amounts import digits_of, shown
from fairwitness.planner.result import Chart, Line, Swing, Tornado

WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 20, 48
_BAR = 26
_COLOURS = 6

STYLE = """
.plot{--ink:#1b1f24;--dim:#57606a;--grid:#d8dee4;--c0:#0b62c4;--c1:#c2410c;--c2:#15803d;--c3:#7e22ce;
--c4:#a16207;--c5:#be185d;font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){.plot{--ink:#e6edf3;--dim:#9da7b1;--grid:#30363d;--c0:#6cb0ff;
--c1:#ff9a5c;--c2:#5fd38a;--c3:#c89bff;--c4:#e6c15c;--c5:#ff8fc0}}
.plot text{fill:var(--ink)}.plot .dim{fill:var(--dim);font-size:12px}.plot .grid{stroke:var(--grid)}
.plot .axis{stroke:var(--dim)}.plot .mark{stroke:var(--dim);stroke-dasharray:4 3}
.plot .line{fill:none;stroke-width:2}.plot .band{opacity:.18;stroke:none}
""" + "".join(
    f".plot .s{n}{{stroke:var(--c{n})}}.plot .f{n}{{fill:var(--c{n})}}" for n in range(_COLOURS)
)

_Scale = Callable[[float], float]


def alone(svg: str) -> str:
    """Return a plot as a file of its own, with its style."""
    head, _, rest = svg.partition(">")
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{STYLE}</style>{rest}\n'


def chart_svg(chart: Chart) -> str:
    """Return a chart as one svg element."""
    return _bars(chart) if chart.kind == "bar" else _lines(chart)


def tornado_svg(tornado: Tornado) -> str:
    """Return a tornado: for each input a bar between the results at its two ends."""
    ends = [end for swing in tornado.swings for end in (swing.low, swing.high)]
    finite = [end for end in [*ends, tornado.middle] if math.isfinite(end)] or [0.0]
    low, high = min(finite), max(finite)
    x = _scale(low, high, 260, WIDTH - 130)
    bottom = _TOP + _BAR * len(tornado.swings)
    parts = [
        _swing(swing, tornado.unit, x, _TOP + _BAR * n) for n, swing in enumerate(tornado.swings)
    ]
    parts.append(_rule("axis", x(tornado.middle), _TOP - 6, x(tornado.middle), bottom))
    parts += [
        _text(x(value), bottom + 16, shown(value, tornado.unit), "middle", "dim")
        for value in sorted({low, tornado.middle, high})
        if value == tornado.middle or abs(x(value) - x(tornado.middle)) > 80
    ]
    return _svg(f"What moves {tornado.label}", parts, bottom + 26)


def _swing(swing: Swing, unit: str, x: _Scale, y: float) -> str:
    """Return one bar with the input's name and ends, and the results when it is pointed at."""
    sides = [(swing.low, swing.at_low), (swing.high, swing.at_high)]
    (left, left_text), (right, right_text) = sorted(sides)
    parts = [
        f"<title>{escape(swing.input)}: {shown(left, unit)} .. {shown(right, unit)}</title>",
        _rect("f0", x(left), y, x(right) - x(left), 16),
        _text(6, y + 12, swing.input.replace("_", " "), "start"),
        _text(x(left) - 4, y + 12, left_text, "end", "dim"),
        _text(x(right) + 4, y + 12, right_text, "start", "dim"),
    ]
    return f"<g>{''.join(parts)}</g>"


def _lines(chart: Chart) -> str:
    xs = [x for line in chart.lines for x in line.x] + [mark.x for mark in chart.marks]
    log = chart.kind == "log"
    ys = [y for line in chart.lines for part in (line.y, line.low, line.high) for y in part]
    ys = [y for y in ys if math.isfinite(y) and (y > 0 or not log)] or [0.0, 1.0]
    xs = [x for x in xs if math.isfinite(x)] or [0.0, 1.0]
    x_ticks, y_ticks = _ticks(min(xs), max(xs)), _ticks(min(ys), max(ys), log=log)
    x = _scale(min(xs), max(xs), _LEFT, WIDTH - _RIGHT)
    y = _scale(y_ticks[0], y_ticks[-1], HEIGHT - _BOTTOM, _TOP, log=log)
    parts = [
        _rule("grid", _LEFT, y(t), WIDTH - _RIGHT, y(t))
        + _text(_LEFT - 6, y(t) + 4, _tick(t), "end", "dim")
        for t in y_ticks
    ]
    parts += [
        _text(x(t), HEIGHT - _BOTTOM + 16, _tick(t), "middle", "dim")
        for t in x_ticks
        if min(xs) <= t <= max(xs)
    ]
    for number, line in enumerate(chart.lines):
        parts += _line(line, number % _COLOURS, x, y)
    for row, mark in enumerate(chart.marks):
        at = x(mark.x)
        parts.append(_rule("mark", at, _TOP, at, HEIGHT - _BOTTOM))
        anchor = "end" if at > WIDTH * 0.7 else "start"
        shift = -4 if anchor == "end" else 4
        parts.append(_text(at + shift, _TOP + 12 + 14 * row, mark.text, anchor))
    parts += _labels(chart)
    return _svg(chart.title, parts, HEIGHT + _legend_height(chart))


def _line(line: Line, colour: int, x: _Scale, y: _Scale) -> list[str]:
    parts = []
    if line.low and line.high:
        above = [f"{x(a):.1f},{y(b):.1f}" for a, b in zip(line.x, line.high, strict=True)]
        below = [f"{x(a):.1f},{y(b):.1f}" for a, b in zip(line.x, line.low, strict=True)]
        points = " ".join([*above, *reversed(below)])
        parts.append(f'<polygon class="band f{colour}" points="{points}"/>')
    good = [(a, b) for a, b in zip(line.x, line.y, strict=True) if math.isfinite(b)]
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in good)
    parts.append(f'<polyline class="line s{colour}" points="{points}"/>')
    return parts


def _bars(chart: Chart) -> str:
    """Return horizontal bars, one group for each name, one bar in it for each line."""
    names = chart.lines[0].names
    finite = [y for line in chart.lines for y in line.y if math.isfinite(y)] or [0.0]
    ticks = _ticks(min(0.0, *finite), max(0.0, *finite))
    left = 190
    x = _scale(ticks[0], ticks[-1], left, WIDTH - 70)
    thick = 16
    group = thick * len(chart.lines) + 10
    bottom = _TOP + group * len(names)
    parts = [
        _rule("grid", x(t), _TOP - 4, x(t), bottom)
        + _text(x(t), bottom + 14, _tick(t), "middle", "dim")
        for t in ticks
    ]
    for place, name in enumerate(names):
        top = _TOP + group * place
        parts.append(_text(left - 6, top + thick * len(chart.lines) / 2 + 4, name, "end"))
        for number, line in enumerate(chart.lines):
            start, end = sorted((x(0.0), x(line.y[place])))
            y = top + thick * number
            parts.append(_rect(f"f{number % _COLOURS}", start, y, end - start, thick - 3))
            parts.append(_text(end + 4, y + thick - 5, digits_of(line.y[place]), "start", "dim"))
    parts.append(_text((left + WIDTH - 70) / 2, bottom + 32, chart.y_label, "middle"))
    parts += _legend(chart, bottom + 42)
    return _svg(chart.title, parts, bottom + 44 + _legend_height(chart))


def _labels(chart: Chart) -> list[str]:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    return [
        _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 12, chart.x_label, "middle"),
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(chart.y_label)}</text>",
        *_legend(chart, HEIGHT),
    ]


def _legend_height(chart: Chart) -> int:
    return 0 if len(chart.lines) < 2 else 18 * math.ceil(len(chart.lines) / 3) + 6


def _legend(chart: Chart, top: float) -> list[str]:
    if len(chart.lines) < 2:
        return []
    parts = []
    for number, line in enumerate(chart.lines):
        x, y = 20 + (number % 3) * 205, top + 18 * (number // 3)
        parts.append(_rect(f"f{number % _COLOURS}", x, y, 12, 12))
        parts.append(_text(x + 17, y + 10, line.name, "start"))
    return parts


def _svg(title: str, parts: Sequence[str], height: float) -> str:
    said = escape(title)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{''.join(parts)}</svg>"
    )


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    size = f'width="{max(width, 0.5):.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def _rule(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    extra = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def _scale(low: float, high: float, start: float, end: float, *, log: bool = False) -> _Scale:
    if log:
        low, high = math.log10(low), math.log10(high)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        if log:
            value = math.log10(value) if value > 0 else low
        return start + (_held(value, low, high) - low) / span * (end - start)

    return place


def _held(value: float, low: float, high: float) -> float:
    """Return a value within the plot: infinity lies on its edge."""
    return min(max(value, low), high)


def _ticks(low: float, high: float, *, log: bool = False) -> list[float]:
    """Return round numbers that reach from under the lowest to over the highest value."""
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in (1, 2, 2.5, 5, 10) if power * part >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    count = math.ceil(high / step - 1e-9) - first
    return [(first + n) * step for n in range(count + 1)]


def _tick(value: float) -> str:
    if abs(value) < 1e6:
        return digits_of(value, 4)
    return shown(value, "token").partition(" ")[0]
