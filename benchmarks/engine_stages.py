"""Where a step of the native decoder spends its time, beside what this machine can do.

    python benchmarks/engine_stages.py [--json] [--svg docs/engine-roofline.svg]

A table in Markdown of each stage, in us of one thread's processor time, the least of many steps;
for the plot, the operations and bytes of each stage beside how fast it went. What one thread can is
measured too, as the bench of the engine has it: the products that a weight takes in our arithmetic,
those of attention, and a sweep over all weights.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fairwitness.evals.machine import commit, machine
from fairwitness.kernels.pages import PAGE, Kind, Pages
from fairwitness.kernels.peak import measured_peak
from fairwitness.kernels.quantised import Tiles
from fairwitness.kernels.stack import STAGES, Row, Stack, Weights
from fairwitness.models import open_model
from fairwitness.models.packed import shape_of
from fairwitness.models.registry import DEFAULT_MODEL, pull

CONTEXT, LATE = 1_024, 896
KIND: Kind = "f32"
TITLES = {
    "begin": "embed, angles",
    "norm": "norm and quantise",
    "project": "query, key, value",
    "attend": "attention",
    "out": "out",
    "gate_up": "gate, up, silu",
    "down": "down",
    "head": "head",
}
DRAWN = ("project", "attend", "out", "gate_up", "down", "head")
COLOURS = ("#d1495b", "#2e86ab", "#3a9d5d", "#c98a1b", "#7d5ba6", "#5c6b73")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 420, 60, 170, 20, 44


@dataclass(frozen=True)
class Case:
    """Rows at positions, one sequence each unless they follow each other."""

    name: str
    rows: int
    position: int
    together: bool
    wanted: int
    times: int


CASES = (
    Case("1 row at 16", 1, 16, True, 1, 200),
    Case("1 row at 1,000", 1, 1_000, True, 1, 100),
    Case("8 rows at 96", 8, 96, False, 8, 60),
    Case("32 rows at 96", 32, 96, False, 32, 30),
    Case("128 rows at 0", 128, 0, True, 1, 15),
    Case("128 rows at 896", 128, LATE, True, 1, 15),
)


@dataclass(frozen=True)
class Point:
    """A stage of one case: operations (a product and a sum are two) and bytes of weights or of keys
    and values that it has to read, and the time it took."""

    stage: str
    case: str
    operations: float
    size_bytes: float
    spent_us: float


@dataclass(frozen=True)
class Peaks:
    """What one thread can: operations a second of weights times vectors and of attention, in our
    arithmetic, and bytes a second of weights."""

    weights_s: float
    attention_s: float
    bytes_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", type=Path)
    told = parser.parse_args()
    model = open_model(pull(DEFAULT_MODEL))
    weights = model.packed()
    assert weights is not None
    stack = Stack(shape_of(model.config), model.config.norm_epsilon, weights, 1)
    spent = {case.name: spent_us(stack, case) for case in CASES}
    points = list(points_of(stack, weights, spent))
    peaks = peaks_of(stack)
    if told.svg:
        told.svg.write_text(plot(points, peaks))
    if told.json:
        figures = {"machine": machine(), "commit": commit(), "peaks": asdict(peaks)}
        print(json.dumps(figures | {"points": [asdict(point) for point in points]}))
        return
    print(f"{machine()}; commit {commit()}; one thread's processor time, the least of many, us.\n")
    print(table(spent))


def spent_us(stack: Stack, case: Case) -> dict[str, float]:
    """The least that each stage took."""
    rows, pages = rows_of(stack, case)
    least = np.full(len(STAGES), np.inf)
    for _ in range(case.times):
        spent_ns = stack.watch()
        stack.step(rows, range(len(rows) - case.wanted, len(rows)), pages)
        least = np.minimum(least, spent_ns[0])
    return dict(zip(STAGES, (least / 1_000).tolist(), strict=True))


def rows_of(stack: Stack, case: Case) -> tuple[list[Row], Pages]:
    """The rows of a case, with everything run that stands before them."""
    count = -(-CONTEXT // PAGE)
    pages = Pages(stack.shape, count + case.rows, KIND)
    table_p = np.arange(count, dtype=np.int32)
    tokens = np.random.default_rng(0).integers(0, stack.shape.vocabulary, CONTEXT).tolist()
    before = [Row(token, i, table_p) for i, token in enumerate(tokens[: case.position])]
    for first in range(0, len(before), 128):
        stack.step(before[first : first + 128], [], pages)
    if case.together:
        places = range(case.position, case.position + case.rows)
        return [Row(tokens[place], place, table_p) for place in places], pages
    shared = table_p[: case.position // PAGE].tolist()
    tables = [np.array([*shared, count + i], np.int32) for i in range(case.rows)]
    for own in tables:  # what stands before them in their own page
        firsts = range(case.position // PAGE * PAGE, case.position)
        stack.step([Row(tokens[place], place, own) for place in firsts], [], pages)
    return [Row(tokens[i], case.position, own) for i, own in enumerate(tables)], pages


def points_of(
    stack: Stack, weights: Weights, spent: dict[str, dict[str, float]]
) -> Iterator[Point]:
    """The drawn stages of all cases."""
    shape, layers = stack.shape, weights.layers
    matrices: dict[str, list[Tiles]] = {
        "project": [m for layer in layers for m in (layer.query_key, layer.value)],
        "out": [layer.out for layer in layers],
        "gate_up": [layer.gate_up for layer in layers],
        "down": [layer.down for layer in layers],
        "head": [weights.head],
    }
    heads = shape.layers * shape.head_size
    for case in CASES:
        seen = case.position + (case.rows + 1) / 2 if case.together else case.position + 1
        held = case.position + (case.rows if case.together else 1)
        sequences = 1 if case.together else case.rows
        for stage in DRAWN:
            if stage == "attend":
                operations = 4 * case.rows * seen * shape.query_heads * heads
                size_bytes = 8 * sequences * held * shape.kv_heads * heads
            else:
                rows = case.wanted if stage == "head" else case.rows
                operations = 2 * rows * sum(m.rows * m.columns for m in matrices[stage])
                size_bytes = sum(m.data.nbytes for m in matrices[stage])
            yield Point(stage, case.name, operations, size_bytes, spent[case.name][stage])


def peaks_of(stack: Stack) -> Peaks:
    """Measured now, with the instructions that a step has."""
    peak = measured_peak(stack.threads)
    assert peak is not None, "only with AVX2, AVX-512 or AMX"
    return Peaks(
        2 * peak.bytes_s / peak.products_a_weight,
        2 * peak.attention_s(KIND),
        stack.swept_bytes / least_s(stack.sweep, 50),
    )


def least_s(work: Callable[[], object], times: int) -> float:
    """The least thread time of some runs."""
    taken = []
    for _ in range(times):
        started = time.thread_time()
        work()
        taken.append(time.thread_time() - started)
    return min(taken)


def table(spent: dict[str, dict[str, float]]) -> str:
    """Stages down, cases across."""
    lines = [
        "| stage | " + " | ".join(spent) + " |",
        "|---|" + "---|" * len(spent),
    ]
    for stage in STAGES:
        cells = (f"{stages[stage]:,.0f}" for stages in spent.values())
        lines.append(f"| {TITLES[stage]} | " + " | ".join(cells) + " |")
    sums = (f"{sum(stages.values()):,.0f}" for stages in spent.values())
    return "\n".join([*lines, "| sum | " + " | ".join(sums) + " |"])


def plot(points: Sequence[Point], peaks: Peaks) -> str:
    """SVG by hand: operations a byte across, as many a second up, both logarithmic; the roofs, and
    a point for each stage of each case."""
    across = [point.operations / point.size_bytes for point in points]
    up = [point.operations / point.spent_us / 1e3 for point in points]  # billions a second
    top = max(*up, peaks.weights_s / 1e9, peaks.attention_s / 1e9) * 1.5
    x = _scale(min(across) / 1.5, max(across) * 1.5, _LEFT, _WIDTH - _RIGHT)
    y = _scale(min(up) / 1.5, top, _HEIGHT - _BOTTOM, _TOP)
    ends = min(across) / 1.5, max(across) * 1.5, min(up) / 1.5
    roofs = {"weights, one thread": peaks.weights_s, "attention, one thread": peaks.attention_s}
    drawn = [_roof(x, y, name, fast, peaks.bytes_s, *ends) for name, fast in roofs.items()]
    for stage, colour in zip(DRAWN, COLOURS, strict=True):
        own = [point for point in points if point.stage == stage]
        for point in own:
            place = (point.operations / point.size_bytes, point.operations / point.spent_us / 1e3)
            title = f"{TITLES[stage]}, {point.case}: {place[0]:.1f} a byte, {place[1]:.0f} G/s"
            drawn.append(
                f'<circle cx="{x(place[0]):.1f}" cy="{y(place[1]):.1f}" r="4" fill="{colour}">'
                f"<title>{title}</title></circle>"
            )
        row = _TOP + 20 + 20 * DRAWN.index(stage)
        drawn.append(f'<circle cx="{_WIDTH - _RIGHT + 16}" cy="{row - 4}" r="4" fill="{colour}"/>')
        drawn.append(f'<text x="{_WIDTH - _RIGHT + 26}" y="{row}">{TITLES[stage]}</text>')
    drawn += _ticks(x, y, min(across), max(across), min(up), top)
    style = "<style>text{font:12px sans-serif;fill:#888}</style>"
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    title = "<title>Each stage's operations a byte, and how fast it goes</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{title}{style}'
    return head + "".join(drawn) + "</svg>\n"


def _roof(
    x: Callable[[float], float],
    y: Callable[[float], float],
    name: str,
    operations_s: float,
    bytes_s: float,
    least: float,
    most: float,
    lowest: float,
) -> str:
    fast, wide = operations_s / 1e9, bytes_s / 1e9
    first = max(least, lowest / wide)
    corners = [(first, first * wide), (fast / wide, fast), (most, fast)]
    path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in corners)
    label = f'<text x="{x(most) - 130:.1f}" y="{y(fast) - 6:.1f}">{name}</text>'
    return f'<polyline points="{path}" fill="none" stroke="#888" stroke-width="2"/>{label}'


def _ticks(
    x: Callable[[float], float],
    y: Callable[[float], float],
    left: float,
    right: float,
    low: float,
    top: float,
) -> Iterator[str]:
    for power in range(math.floor(math.log10(left)), math.ceil(math.log10(right)) + 1):
        if left <= 10.0**power <= right:
            yield f'<text x="{x(10.0**power):.1f}" y="{_HEIGHT - 24}">{10.0**power:g}</text>'
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(top)) + 1):
        if low <= 10.0**power <= top:
            yield f'<text x="8" y="{y(10.0**power):.1f}">{10.0**power:g} G/s</text>'
    yield f'<text x="{_LEFT}" y="{_HEIGHT - 6}">operations a byte of weights, keys, values</text>'


def _scale(least: float, most: float, first: float, end: float) -> Callable[[float], float]:
    span = math.log(most / least)
    return lambda value: first + (end - first) * math.log(value / least) / span


if __name__ == "__main__":
    main()
