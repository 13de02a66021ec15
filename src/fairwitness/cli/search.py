"""`fairwitness search`: posts that hold some words, best first."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness.cli import client
from fairwitness.cli.asking import home_option, json_option, moment, print_json
from fairwitness.cli.opening import readable
from fairwitness.cli.telling import safe
from fairwitness.home import holder
from fairwitness.index import Query
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import FOREVER_MS

_HELP = """Find posts that hold WORDS; without words, the newest.

\b
Example:
  fairwitness search terremoto --lang es --limit 5
"""


@click.command(help=_HELP)
@click.argument("words", nargs=-1)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--since", callback=moment, metavar="TIME", help="Seen at this time or later.")
@click.option("--until", callback=moment, metavar="TIME", help="Seen before this time.")
@click.option("--lang", multiple=True, metavar="CODE", help="In this language; repeatable.")
@click.option("--network", multiple=True, metavar="NAME", help="On this network; repeatable.")
@click.option("--author", multiple=True, metavar="NAME", help="By this author; repeatable.")
@click.option("--as-of", callback=moment, metavar="TIME", help="What could be found then.")
@home_option
@json_option
def search(
    words: tuple[str, ...],
    limit: int,
    since: int | None,
    until: int | None,
    lang: tuple[str, ...],
    network: tuple[str, ...],
    author: tuple[str, ...],
    as_of: int | None,
    home: Path,
    as_json: bool,
) -> None:
    """Find posts."""
    query = Query(
        words=" ".join(words),
        since_ms=-FOREVER_MS if since is None else since,
        until_ms=FOREVER_MS if until is None else until,
        langs=lang,
        networks=network,
        authors=author,
    )
    running = holder(home)
    if running and running.url:
        found = client.post(running.url, "/v1/search", _body(query, limit, as_of))
    else:
        with readable(home, "search") as opened:
            moment_ms = opened.now_ms() if as_of is None else as_of
            results = opened.index.search(query, as_of_ms=moment_ms, limit=limit)
        hits = [
            {"post": h.post, "score": h.score, "parts": h.parts._asdict()} for h in results.hits
        ]
        found = msgspec.to_builtins(
            {
                "as_of": to_iso(moment_ms),
                "matched": results.matched,
                "searched": results.searched,
                "hits": hits,
            }
        )
    if as_json:
        print_json(found)
    else:
        _show(found)


def _body(query: Query, limit: int, as_of: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "q": query.words,
        "limit": limit,
        "lang": query.langs,
        "network": query.networks,
        "author": query.authors,
    }
    if query.since_ms > -FOREVER_MS:
        body["since"] = to_iso(query.since_ms)
    if query.until_ms < FOREVER_MS:
        body["until"] = to_iso(query.until_ms)
    if as_of is not None:
        body["as_of"] = to_iso(as_of)
    return body


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    for hit in found["hits"]:
        post = hit["post"]
        head = Text(f"{hit['score']:.2f} ", style="cyan")
        head.append(
            f"{safe(post['author'])} on {safe(post['network'])}, {to_iso(post['created_ms'])}"
        )
        console.print(head)
        console.print(Text("  " + safe(post["text"]).replace("\n", "\n  ")))
        if post.get("url"):
            console.print(Text("  " + safe(post["url"]), style="dim"))
    console.print(Text(f"{found['matched']:,} of {found['searched']:,} posts match", style="dim"))
