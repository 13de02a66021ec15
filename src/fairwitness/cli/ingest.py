"""`fairwitness ingest`: listen to sources until they end, or until Ctrl-C."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

import click
import msgspec

from fairwitness.cli import client
from fairwitness.cli.asking import (
    Failed,
    fail,
    home_option,
    json_option,
    print_json,
    said_plainly,
)
from fairwitness.cli.opening import errors, opened, progress_bar
from fairwitness.home import Home, holder
from fairwitness.index import IndexFault
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.log import LogError
from fairwitness.posts.source import Source
from fairwitness.posts.sources.named import KINDS, UnknownSource, open_sources

_HELP = f"""Listen to SOURCES and keep what they say. Stop with Ctrl-C: nothing is lost.

\b
Sources:
  {KINDS.replace(chr(10), chr(10) + "  ")}

\b
Example:
  fairwitness ingest bluesky rss:https://example.org/feed.xml
  tail -F posts.jsonl | fairwitness ingest -
"""


@click.command(help=_HELP)
@click.argument("sources", nargs=-1, required=True)
@click.option("--follow", is_flag=True, help="Go on reading a file as it grows.")
@click.option("--network", default="", metavar="NAME", help="Network of rows that do not say.")
@click.option("--x-rule", multiple=True, metavar="RULE", help="Rule of the X stream; repeatable.")
@click.option("--x-daily-usd", type=click.FloatRange(min=0), help="The most that X may cost a day.")
@home_option
@json_option
@said_plainly(LogError, IndexFault, UnknownSource, ValueError)
def ingest(
    sources: tuple[str, ...],
    follow: bool,
    network: str,
    x_rule: tuple[str, ...],
    x_daily_usd: float | None,
    home: Path,
    as_json: bool,
) -> None:
    """Listen to sources."""
    running = holder(home)
    if running and running.url:
        _through(running.url, sources, follow, network, as_json)
        return
    with opened(home, "ingest") as house:
        clock = SystemClock()
        named = open_sources(
            list(sources),
            clock,
            x_rules=x_rule,
            x_daily_usd=x_daily_usd,
            follow=follow,
            network=network,
        )
        house.use_clock(clock)
        asyncio.run(_listen(house, named))
        reports = [r for r in house.health(house.now_ms()) if r.name in {s.name for s in named}]
    if as_json:
        print_json({"sources": msgspec.to_builtins(reports)})
    for report in reports:
        errors.print(
            f"{report.name}: {report.events:,} events, {report.duplicates:,} known,"
            f" {report.dropped:,} unreadable",
            markup=False,
            highlight=False,
        )
    refused = [
        f"{report.name}: {report.problem}" for report in reports if report.state == "refused"
    ]
    if refused:
        raise Failed("; ".join(refused))


async def _listen(house: Home, sources: list[Source]) -> None:
    """Listen until the sources end or somebody interrupts; either way all is settled on disk."""
    listening = asyncio.create_task(house.listen(sources))
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stop, listening.cancel)
    with progress_bar("listening") as told, contextlib.suppress(asyncio.CancelledError):
        while not listening.done():
            await asyncio.wait([listening], timeout=0.2)
            told(
                sum(
                    house.ingest.health[s.name].events
                    for s in sources
                    if s.name in house.ingest.health
                ),
                None,
            )
        await listening


def _through(url: str, names: tuple[str, ...], follow: bool, network: str, as_json: bool) -> None:
    report: dict[str, Any] = {}
    for name in names:
        if not Path(name).is_file():
            fail(f"`fairwitness up` runs at {url}: start it with --source {name} to listen to that")
        body = {"path": str(Path(name).resolve()), "follow": follow, "network": network}
        for report in client.lines(url, "/v1/ingest", body):
            if report.get("state") == "failed":
                raise Failed(report["problem"])
        if as_json:
            print_json(report)
        else:
            errors.print(f"{report.get('events', 0):,} new events from {name}", markup=False)
