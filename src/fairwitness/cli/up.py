"""`fairwitness up`: the main job. Posts come in, the page and the API answer."""

import functools
import importlib.resources
from collections.abc import Callable
from pathlib import Path

import click

from fairwitness.cli.asking import (
    fail,
    home_option,
    json_option,
    model_options,
    print_json,
    said_plainly,
)
from fairwitness.cli.opening import chat_model, errors, opened, pulled
from fairwitness.cli.replay import run as replay_file
from fairwitness.engine import ChatModel, LocalChat
from fairwitness.home import Home
from fairwitness.index import IndexFault
from fairwitness.models import ModelError, registry
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.log import LogError
from fairwitness.posts.source import Source
from fairwitness.posts.sources.named import KINDS, UnknownSource, open_sources
from fairwitness.server.errors import ServerError
from fairwitness.server.house import House
from fairwitness.server.serve import bind, serve, url_of

DEFAULT_PORT = 8765
SAMPLE = "sample"

_HELP = f"""Serve the page and the API, and listen to sources.

Without a source, an empty home is given a sample of real posts, so that there is something to ask.

\b
Sources:
  {KINDS.replace(chr(10), chr(10) + "  ")}

\b
Example:
  fairwitness up
  fairwitness up --source bluesky --source rss:https://example.org/feed.xml
"""


@click.command(help=_HELP)
@click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Listen; repeatable.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--x-rule", multiple=True, metavar="RULE", help="Rule of the X stream; repeatable.")
@click.option("--x-daily-usd", type=click.FloatRange(min=0), help="The most that X may cost a day.")
@model_options
@home_option
@json_option
@said_plainly(LogError, IndexFault, UnknownSource, ServerError)
def up(
    sources: tuple[str, ...],
    host: str,
    port: int,
    x_rule: tuple[str, ...],
    x_daily_usd: float | None,
    model: str,
    model_server: str | None,
    home: Path,
    as_json: bool,
) -> None:
    """Serve the page and the API."""
    door = bind(host, port)
    _fetch_model(model, model_server)
    with opened(home, "up") as house:
        listening: list[Source] = []
        if sources:
            clock = SystemClock()
            listening = open_sources(list(sources), clock, x_rules=x_rule, x_daily_usd=x_daily_usd)
            house.use_clock(clock)
        elif house.log.sources.keys() <= {SAMPLE}:
            _give_sample(house)
        _announce(url_of(door), house, as_json)
        load = functools.partial(_load_warm, chat_model(model, model_server))
        serve(House(house, load_chat=load, sources=listening), host, port, door=door)


def _load_warm(load: Callable[[], ChatModel | None]) -> ChatModel | None:
    """Open the model and compile its programs, so that the first question waits for neither."""
    chat = load()
    if isinstance(chat, LocalChat):
        chat.engine.warm_up()
    return chat


def _announce(url: str, house: Home, as_json: bool) -> None:
    posts = house.index.stats().posts
    if as_json:
        print_json({"url": url, "home": str(house.folder), "posts": posts})
    else:
        click.echo(f"{posts:,} posts in {house.folder}\nAsk at {url} (Ctrl-C stops)")


def _fetch_model(name: str, server: str | None) -> None:
    """Have the model on disk before serving, with a progress bar; a default may be missing."""
    if server or name == "none":
        return
    try:
        pulled(name or registry.DEFAULT_MODEL)
    except ModelError as error:
        if name:
            fail(error)
        errors.print(f"no model, so quotes alone: {error}", style="yellow", markup=False)


def _give_sample(house: Home) -> None:
    """Replay the bundled capture into a home that has heard nothing else; done once."""
    sample = importlib.resources.files("fairwitness.data") / f"{SAMPLE}.jsonl.gz"
    with importlib.resources.as_file(sample) as file:
        replay_file(house, file, None, name=SAMPLE)
