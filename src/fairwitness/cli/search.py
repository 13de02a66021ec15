"""`fairwitness search`: posts found as in X's search box, best first."""

from pathlib import Path
from textwrap import indent
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness.cli import client
from fairwitness.cli.asking import fail, home_option, json_option, moment, print_json
from fairwitness.cli.opening import readable
from fairwitness.cli.telling import safe
from fairwitness.home import holder
from fairwitness.index import LiveIndex, Query, SyntaxProblem, all_or_any, parse
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import FOREVER_MS

_HELP = """Find posts by what one would type into X's search box; without it, the newest.

\b
Example:
  fairwitness search terremoto lang:es --limit 5
  fairwitness search '"state of emergency" (flood OR storm) -drill min_replies:3'
  fairwitness search from:nasa since:2026-11-01 filter:links -filter:replies
"""


@click.command(help=_HELP, context_settings={"ignore_unknown_options": True})
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
    text = _typed(words)
    options = Query(
        since_ms=-FOREVER_MS if since is None else since,
        until_ms=FOREVER_MS if until is None else until,
        langs=lang,
        networks=network,
        authors=author,
    )
    running = holder(home)
    if running and running.url:
        found = client.post(running.url, "/v1/search", _body(text, options, limit, as_of))
    else:
        with readable(home, "search") as opened:
            moment_ms = opened.now_ms() if as_of is None else as_of
            found = _found(opened.index, _both(parse(text, moment_ms), options), limit, moment_ms)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _typed(words: tuple[str, ...]) -> str:
    """Return what was typed in one piece; fail where it cannot be read, before anything opens."""
    for word in words:
        if word.startswith("--") and " " not in word:
            fail(f"no such option: {word}")
    text = " ".join(words)
    try:
        parse(text, 0)
    except SyntaxProblem as problem:
        fail("this search cannot be read\n" + indent(problem.pointed(), "  "))
    return text


def _both(typed: Query, options: Query) -> Query:
    """Return a query that holds to what was typed and to the options."""
    return msgspec.structs.replace(
        options,
        words=typed.words,
        clauses=typed.clauses,
        since_ms=max(typed.since_ms, options.since_ms),
        until_ms=min(typed.until_ms, options.until_ms),
    )


def _found(index: LiveIndex, query: Query, limit: int, moment_ms: int) -> dict[str, Any]:
    """Return what the server would."""
    results, holds_all = all_or_any(
        lambda asked: index.search(asked, as_of_ms=moment_ms, limit=limit), query
    )
    hits = [{"post": h.post, "score": h.score, "parts": h.parts._asdict()} for h in results.hits]
    found: dict[str, Any] = msgspec.to_builtins(
        {
            "as_of": to_iso(moment_ms),
            "match": "all" if holds_all else "any",
            "matched": results.matched,
            "searched": results.searched,
            "hits": hits,
        }
    )
    return found


def _body(text: str, options: Query, limit: int, as_of: int | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "q": text,
        "limit": limit,
        "lang": options.langs,
        "network": options.networks,
        "author": options.authors,
    }
    if options.since_ms > -FOREVER_MS:
        body["since"] = to_iso(options.since_ms)
    if options.until_ms < FOREVER_MS:
        body["until"] = to_iso(options.until_ms)
    if as_of is not None:
        body["as_of"] = to_iso(as_of)
    return body


def _show(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    if found["match"] == "any" and found["hits"]:
        console.print(Text("no post holds all of it; these hold some of the words", style="yellow"))
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
