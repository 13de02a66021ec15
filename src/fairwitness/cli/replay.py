"""`fairwitness replay`: live through a capture again, on a virtual clock."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from fairwitness.cli import client
from fairwitness.cli.asking import Failed, home_option, json_option, print_json, said_plainly
from fairwitness.cli.opening import errors, opened, progress_bar
from fairwitness.home import Home, holder
from fairwitness.index import IndexFault
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.log import LogError
from fairwitness.posts.sources.lines import open_lines
from fairwitness.posts.sources.replay import Replay

_HELP = """Replay the capture FILE (.jsonl, .jsonl.gz or .jsonl.zst) into this home.

Each post is seen at the moment it was made: a virtual clock moves through the capture, and the same
replay gives the same answers. Interrupted, it goes on where it was.

\b
Example:
  fairwitness replay fight.jsonl.gz --speed max
  fairwitness replay fight.jsonl.gz --speed 60      # a minute a second
"""


class Speed(click.ParamType[float | None]):
    """`max`, or how many seconds of the capture pass in one of ours."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return None for `max`, else a positive number."""
        if value is None or value == "max":
            return None
        try:
            speed = float(str(value).removesuffix("x"))
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"speed must be `max` or a number above 0, not {value!r}", param, ctx)
        return speed


@click.command(help=_HELP)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--speed", type=Speed(), default="1", show_default=True, help="`max`, or N times real time."
)
@click.option("--network", default="", metavar="NAME", help="Network of rows that do not say.")
@home_option
@json_option
@said_plainly(LogError, IndexFault, ValueError)
def replay(file: Path, speed: float | None, network: str, home: Path, as_json: bool) -> None:
    """Replay a capture."""
    running = holder(home)
    if running and running.url:
        _through(running.url, file, speed, network, as_json)
        return
    with opened(home, "replay") as house:
        report = _run(house, file, speed, network=network)
    _tell(report, as_json)


def _run(house: Home, file: Path, speed: float | None, *, network: str = "") -> dict[str, Any]:
    """Replay `file` into an open home, with a progress bar; return what came of it."""
    if house.log.clock_ms and not house.log.virtual:
        raise Failed(f"home {house.folder} has heard live sources; replay into another with --home")
    clock = VirtualClock()
    source = Replay(file, clock, speed, network=network)
    house.use_clock(clock)
    before = _counts(house, source.name)
    started_s = time.monotonic()
    total = rows(file)

    async def play() -> None:
        with progress_bar(f"replaying {file.name}") as told:
            playing = asyncio.create_task(house.listen([source]))
            while not playing.done():
                await asyncio.wait([playing], timeout=0.2)
                told(min(sum((_counts(house, source.name) - before).values()), total), total)
            await playing

    asyncio.run(play())
    health = house.ingest.health[source.name]
    if health.state == "refused":
        raise Failed(health.problem)
    gone = _counts(house, source.name)
    gone.subtract(before)
    seconds = round(time.monotonic() - started_s, 3)
    posts = house.index.stats().posts
    return _report({**gone, "source": source.name, "seconds": seconds, "posts": posts})


def _counts(house: Home, name: str) -> Counter[str]:
    health = house.ingest.health.get(name, SourceHealth(name))
    return Counter(events=health.events, duplicates=health.duplicates, dropped=health.dropped)


def rows(file: Path) -> int:
    """Return how many rows a capture has at most."""
    with open_lines(file) as raw:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: raw.read(1 << 20), b""))


def _through(url: str, file: Path, speed: float | None, network: str, as_json: bool) -> None:
    body = {"path": str(file.resolve()), "speed": speed or "max", "network": network}
    progress: dict[str, Any] = {}
    total = rows(file)
    with progress_bar(f"replaying {file.name}") as told:
        for progress in client.lines(url, "/v1/replay", body):
            if progress["state"] == "failed":
                raise Failed(progress["problem"])
            told(min(progress["done"], total), total)
    _tell(_report(progress), as_json)


def _report(counts: dict[str, Any]) -> dict[str, Any]:
    report = {key: counts[key] for key in ("source", "events", "duplicates", "dropped", "seconds")}
    played = counts["events"] + counts["duplicates"]
    report["posts_per_s"] = round(played / max(counts["seconds"], 1e-6))
    return {**report, "posts": counts["posts"]}


def _tell(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    errors.print(
        f"{report['events']:,} new events from {report['source']},"
        f" {report['duplicates']:,} known, {report['dropped']:,} unreadable,"
        f" in {report['seconds']:.1f} s; {report['posts']:,} posts in this home",
        markup=False,
        highlight=False,
    )
