"""`fairwitness trends`: what is said much more than it was, and since when."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairwitness.cli import client
from fairwitness.cli.asking import home_option, json_option, print_json
from fairwitness.cli.opening import readable
from fairwitness.cli.telling import safe
from fairwitness.home import holder
from fairwitness.index.trends import chart_of, listing
from fairwitness.posts.clock import to_iso

_HELP = """Say what is said much more than usual: words, hashtags, links, copied texts.

An author counts once, and so do copies of one text.

\b
Example:
  fairwitness trends --lang es --posts
"""


@click.command(help=_HELP)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--lang", multiple=True, metavar="CODE", help="In this language; repeatable.")
@click.option("--posts", is_flag=True, help="Show posts that show each trend.")
@home_option
@json_option
def trends(limit: int, lang: tuple[str, ...], posts: bool, home: Path, as_json: bool) -> None:
    """List trends."""
    running = holder(home)
    if running and running.url:
        found = client.get(running.url, "/v1/trends", limit=limit, lang=list(lang))
    else:
        with readable(home, "trends") as opened:
            found = msgspec.to_builtins(listing(chart_of(home), opened.index.get, limit, lang))
    if as_json:
        print_json(found)
    else:
        _show(found, posts)


def _show(found: dict[str, Any], posts: bool) -> None:
    console = Console(highlight=False)
    if not found["trends"]:
        when = f"as of {found['at']}" if found["at"] else "nothing was heard yet"
        console.print(Text(f"0 trends: quiet ({when})"))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("trend", "lang", "posts/min", "growth", "since", "first post"):
        table.add_column(head, justify="right" if head in ("posts/min", "growth") else "left")
    for trend in found["trends"]:
        table.add_row(*_row(trend))
    console.print(table)
    for trend in found["trends"] if posts else ():
        console.print(Text(f"\n{safe(trend['name'])}", style="bold"))
        for post in (trend["first"], *trend["examples"]):
            console.print(_told(post))
    console.print(Text(f"{len(found['trends'])} trends as of {found['at']}", style="dim"))


def _row(trend: dict[str, Any]) -> list[Text]:
    first = trend["first"]
    others = [safe(term) for term in trend["terms"] if term != trend["name"]]
    name = Text(safe(trend["name"]), style="bold")
    name.append(f" {' '.join(others)}" if others else "", style="not bold dim")
    return [
        name,
        Text(safe(trend["lang"]) or "all"),
        Text(f"{trend['per_minute']:.1f}", style="cyan"),
        Text(f"x{trend['growth']:.0f}"),
        Text(trend["since"]),
        Text(f"{safe(first['author'])} {to_iso(first['seen_ms'])} {safe(first['id'])}"),
    ]


def _told(post: dict[str, Any]) -> Text:
    line = " ".join(safe(post["text"]).split())
    return Text(f"  {safe(post['author'])}: {line}", style="dim", overflow="ellipsis")
