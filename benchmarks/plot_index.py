"""The figures of `fairwitness bench index --json` as Markdown tables and as a plot that grows.

Run: python benchmarks/plot_index.py bench.json --svg growth.svg --markdown figures.md

The rows of growth alone, `scale/rows.json` of the run's `--work`, give the table of growth and the
plot. `--rows` and `--peers` take them, and what benchmarks/peers/run.py wrote, from other runs than
that of the figures.

The plot is SVG written by hand: four lines over the number of posts, both axes logarithmic, so that
it needs no library and reads in light and dark pages.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.evals.beside import compared
from fairwitness.evals.limits import Machine

Row = dict[str, Any]

LINES = (
    ("query_all_p99_ms", "query over all, p99 ms", "#d1495b"),
    ("query_day_p99_ms", "query over a day, p99 ms", "#2e86ab"),
    ("bytes_per_post", "bytes a post", "#3a9d5d"),
    ("open_s", "opening, s", "#c98a1b"),
)
_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 200, 20, 40


def tables(figures: Row) -> str:
    """Return the tables of growth, of stages, of limits and of peers, those that there are."""
    if "rows" in figures:
        return _scale_table(figures["rows"]) + "\n"
    parts = [_header(figures), _scale_table(figures["scale"]), _stage_table(figures["stage_us"])]
    parts += [_limit_table(figures.get("limits", [])), _peer_table(figures)]
    return "\n\n".join(part for part in parts if part) + "\n"


def joined(figures: Row, rows: Sequence[Row], peers: Row) -> Row:
    """Return figures with growth and peers that other runs measured, set beside each other."""
    speed = msgspec.convert(figures["speed"], Machine | None)
    ours = _ours({**figures, "scale": rows})
    beside = {name: compared(ours, peer, speed) for name, peer in peers.items()}
    return {**figures, "scale": rows, "peers": beside}


def plot(rows: Sequence[Row]) -> str:
    """Return the SVG of how figures grow; raises ValueError when there are no two sizes."""
    if len(rows) < 2:
        raise ValueError("a plot of growth needs two sizes")
    values = [row[key] for key, *_ in LINES for row in rows if row[key] > 0]
    x = _scale([row["posts"] for row in rows], _LEFT, _WIDTH - _RIGHT)
    y = _scale([*values, *_decades(values)], _HEIGHT - _BOTTOM, _TOP)
    drawn = [*_grid(rows, values, x, y)]
    labels = sorted((y(rows[-1][key]), key) for key, *_ in LINES if rows[-1][key] > 0)
    places = _apart([place for place, _ in labels])
    at = {key: place for (_, key), place in zip(labels, places, strict=True)}
    for key, title, colour in LINES:
        if key in at:
            drawn += _line(rows, key, title, colour, x, y, at[key])
    style = "<style>text{font:12px sans-serif;fill:#888}</style>"
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    title = "<title>How query time, size and opening grow with the number of posts</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{title}{style}'
    return head + "".join(drawn) + "</svg>\n"


def _header(figures: Row) -> str:
    quick = ", a quick run" if figures.get("quick") else ""
    partial = ", **partial**" if figures.get("partial") else ""
    return f"{figures['machine']}; commit {figures['commit']}{quick}{partial}."


def _scale_table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    return _table(
        (
            "posts",
            "last day p50 / p99 ms",
            "all p50 / p99 ms",
            "B a post",
            "log B a post",
            "open s",
        ),
        [
            (
                f"{row['posts']:,}",
                f"{row['query_day_p50_ms']} / {row['query_day_p99_ms']}",
                f"{row['query_all_p50_ms']} / {row['query_all_p99_ms']}",
                row["bytes_per_post"],
                row["log_bytes_per_post"],
                row["open_s"],
            )
            for row in rows
        ],
    )


def _stage_table(cost_us: Row) -> str:
    if not cost_us:
        return ""
    return _table(("stage", "µs a post"), list(cost_us.items()))


def _limit_table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    cells = [
        (
            row["what"],
            f"{row['ours']:,} {row['unit']}",
            f"{row['limit']:,} {row['unit']}",
            f"{row['share']:.1%}",
            row["because"],
        )
        for row in rows
    ]
    return _table(("what", "ours", "limit", "share", "because"), cells)


def _peer_table(figures: Row) -> str:
    if not figures["ingest_posts_per_s"]:
        return ""
    ours = _ours(figures)
    speed = msgspec.convert(figures.get("speed"), Machine | None)
    rows = [("**fairwitness**", *_peer_cells(compared({}, ours, speed)))]
    rows += [
        (f"{name} ({peer['version']})" if "version" in peer else name, *_peer_cells(peer))
        for name, peer in figures["peers"].items()
    ]
    head = ("engine", "posts/s", "question p50 / p99 ms", "found after p50 / p99 s", "B a post")
    return _table((*head, "of the disk's limit"), rows)


def _ours(figures: Row) -> Row:
    """Return what is compared of ours; its bytes are index and log of the largest home."""
    ours = {key: figures[key] for key in ("ingest_posts_per_s", "query_ms", "freshness_s")}
    if figures["scale"]:
        last = figures["scale"][-1]
        ours["bytes_per_post"] = round(last["bytes_per_post"] + last["log_bytes_per_post"], 1)
    return ours


def _peer_cells(peer: Row) -> tuple[object, ...]:
    """Return cells with figures and, in brackets, how many times better ours are."""
    if "error" in peer:
        return (peer["error"][:80].replace("|", "/"), "", "", "", "")
    kept = "" if peer.get("kept", True) else ", 1 s not kept"
    rate, times = peer["ingest_posts_per_s"], peer.get("ours_is", {})

    def of(*keys: str) -> str:
        told = [f"{times[key]:g}" for key in keys if key in times]
        return f" ({' / '.join(told)} ×)" if told else ""

    query, fresh = (
        f"{peer[key]['p50']} / {peer[key]['p99']}" + of(f"{key}_p50", f"{key}_p99")
        for key in ("query_ms", "freshness_s")
    )
    return (
        f"{rate:,}{of('ingest_posts_per_s')}{kept}",
        query,
        fresh,
        f"{peer.get('bytes_per_post', '')}{of('bytes_per_post')}",
        f"{peer['share_of_limit']:.1%}" if "share_of_limit" in peer else "",
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _scale(values: Sequence[float], first: float, last: float) -> Callable[[float], float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    return lambda value: first + (math.log10(value) - low) / ((high - low) or 1) * (last - first)


def _decades(values: Sequence[float]) -> list[float]:
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    return [10.0**power for power in powers]


def _grid(
    rows: Sequence[Row],
    values: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> list[str]:
    right = _WIDTH - _RIGHT
    drawn = []
    for decade in _decades(values):
        at = y(decade)
        drawn.append(f'<path d="M{_LEFT} {at:.1f}H{right}" stroke="#8884"/>')
        drawn.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{decade:g}</text>')
    for row in rows:
        at, said = x(row["posts"]), f"{row['posts'] / 1e6:g} M"
        place = f'x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 20}"'
        drawn.append(f'<text {place} text-anchor="middle">{said}</text>')
    return drawn


def _line(
    rows: Sequence[Row],
    key: str,
    title: str,
    colour: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    label_y: float,
) -> list[str]:
    points = [(x(row["posts"]), y(row[key])) for row in rows if row[key] > 0]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    dots = [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in points]
    name = f'<text x="{points[-1][0] + 8:.1f}" y="{label_y + 4:.1f}" style="fill:{colour}">'
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return [line, *dots, f"{name}{title}</text>"]


def _apart(places: Sequence[float], gap: float = 15.0) -> list[float]:
    """Return ascending places moved down where they are nearer than `gap`."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", type=Path)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--markdown", type=Path, help="else standard output")
    parser.add_argument("--rows", type=Path, help="growth that another run recorded")
    parser.add_argument("--peers", type=Path, help="what benchmarks/peers/run.py wrote")
    options = parser.parse_args()
    figures = json.loads(options.figures.read_text())
    if options.rows or options.peers:
        rows = json.loads(options.rows.read_text())["rows"] if options.rows else figures["scale"]
        peers = json.loads(options.peers.read_text()) if options.peers else figures["peers"]
        figures = joined(figures, rows, peers)
    if options.svg:
        options.svg.write_text(plot(figures.get("rows") or figures["scale"]))
    if options.markdown:
        options.markdown.write_text(tables(figures))
    else:
        print(tables(figures), end="")


if __name__ == "__main__":
    main()
