"""`fairwitness explain`: one post, what it answers, who denies it and who else reports it."""

from pathlib import Path
from urllib.parse import quote

import click
import msgspec
from rich.console import Console

from fairwitness import answers
from fairwitness.answers import Answer, Finished, Said, UnknownPost
from fairwitness.cli import client
from fairwitness.cli.asking import home_option, json_option, moment, print_json, said_plainly
from fairwitness.cli.opening import readable
from fairwitness.cli.telling import tell
from fairwitness.home import holder
from fairwitness.posts.clock import to_iso

_HELP = """Explain POST, by its id or its address.

\b
Example:
  fairwitness explain https://x.com/i/status/901671001230102528
"""


@click.command(help=_HELP)
@click.argument("post")
@click.option("--as-of", callback=moment, metavar="TIME", help="As far as was known then.")
@home_option
@json_option
@said_plainly(UnknownPost)
def explain(post: str, as_of: int | None, home: Path, as_json: bool) -> None:
    """Explain a post of a home."""
    told = _explained(post, as_of, home)
    if as_json:
        print_json(told)
        return
    said = [Said(sentence, ()) for sentence in told.sentences]
    tell([*said, Finished(told)], Console(highlight=False))


def _explained(post: str, as_of: int | None, home: Path) -> Answer:
    running = holder(home)
    if running and running.url:
        when = {"as_of": to_iso(as_of)} if as_of is not None else {}
        found = client.get(running.url, f"/v1/explain/{quote(post, safe='')}", **when)
        return msgspec.convert(found, Answer)
    with readable(home, "explain") as opened:
        return answers.explain(opened.desk(), post, as_of)
