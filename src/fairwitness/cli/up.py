"""`fairwitness up`: the main job. Posts come in, the page and the API answer."""

import asyncio
import functools
import importlib.resources
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from fairwitness.cli.asking import (
    Failed,
    draft_option,
    fail,
    home_option,
    json_option,
    model_options,
    print_json,
    said_plainly,
)
from fairwitness.cli.opening import chat_model, errors, join_ray, progress_bar, pulled
from fairwitness.cli.replay import rows
from fairwitness.engine import ChatModel, LocalChat
from fairwitness.home import (
    Followed,
    HomeBusy,
    HomeUnusable,
    IntakeRefused,
    Sources,
    Writer,
    WriterFailed,
)
from fairwitness.index import IndexFault
from fairwitness.models import ModelError, registry
from fairwitness.posts.log import LogError
from fairwitness.posts.sources.named import KINDS
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
  fairwitness up --source bluesky --keep 30d
  fairwitness up --replicas 2
"""

_UNITS_MS = {"h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}


class Keep(click.ParamType[int | None]):
    """How long posts are kept, such as `12h`, `30d` or `8w`; milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return milliseconds."""
        found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw])", str(value))
        if not found:
            self.fail(f"takes a time like 12h, 30d or 8w, not {value!r}", param, ctx)
        return int(found[1]) * _UNITS_MS[found[2]]


class NamedFolder(click.ParamType[tuple[str, Path]]):
    """A folder under a name of letters, digits, dots, dashes and underlines."""

    name = "name=folder"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        """Return the name and the folder."""
        found = re.fullmatch(r"([A-Za-z0-9._-]{1,64})=(.+)", str(value))
        if not found:
            self.fail(f"takes NAME=FOLDER, not {value!r}", param, ctx)
        return found[1], Path(found[2])


@click.command(help=_HELP)
@click.option("--source", "sources", multiple=True, metavar="SOURCE", help="Listen; repeatable.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--x-rule", multiple=True, metavar="RULE", help="Rule of the X stream; repeatable.")
@click.option("--x-daily-usd", type=click.FloatRange(min=0), help="The most that X may cost a day.")
@click.option(
    "--keep", type=Keep(), metavar="DURATION", help="Drop older posts for good.  [default: never]"
)
@model_options
@draft_option
@click.option(
    "--adapter",
    "adapters",
    type=NamedFolder(),
    multiple=True,
    metavar="NAME=FOLDER",
    help="Serve the model with this LoRA adapter as MODEL:NAME too; repeatable.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Run the model in N processes of Ray Serve, of the cluster that $RAY_ADDRESS names or of"
    " this machine.  [default: in this process]",
)
@home_option
@json_option
@said_plainly(
    LogError, IndexFault, ServerError, HomeBusy, HomeUnusable, WriterFailed, IntakeRefused
)
def up(
    sources: tuple[str, ...],
    host: str,
    port: int,
    x_rule: tuple[str, ...],
    x_daily_usd: float | None,
    keep: int | None,
    model: str,
    model_server: str | None,
    draft_model: str,
    adapters: tuple[tuple[str, Path], ...],
    replicas: int | None,
    home: Path,
    as_json: bool,
) -> None:
    """Serve the page and the API."""
    options = (("--adapter", adapters), ("--replicas", replicas), ("--draft-model", draft_model))
    for option, is_given in options:
        if is_given and (model_server or model == "none"):
            raise click.UsageError(f"{option} needs a model that runs here")
    if replicas and draft_model:
        raise click.UsageError("--draft-model needs the model in this process, not in --replicas")
    door = bind(host, port)
    _fetch_model(model, model_server)
    listening = Sources(sources, x_rule, x_daily_usd) if sources else None
    with _writing(home, listening, keep) as writer:
        if not sources and {each.name for each in writer.home.report.sources} <= {SAMPLE}:
            _give_sample(writer)
        if replicas:
            join_ray(replicas)
        _announce(url_of(door), writer.home, as_json)
        opening = chat_model(model, model_server, dict(adapters), replicas or 0, draft_model)
        load = functools.partial(_load_warm, opening)
        serve(House(writer, load_chat=load), host, port, door=door)


@contextmanager
def _writing(home: Path, listening: Sources | None, keep_ms: int | None) -> Iterator[Writer]:
    """Open the home with a process of its own that takes in; it ends whatever happens."""
    with progress_bar("reading the log", count="bytes") as told:
        writer = Writer(home, "up", listening, keep_ms=keep_ms, caught_up=told)
    try:
        yield writer
    finally:
        writer.close()


def _load_warm(load: Callable[[], ChatModel | None]) -> ChatModel | None:
    """Open the model and compile its programs, so that the first question waits for neither."""
    chat = load()
    if isinstance(chat, LocalChat):
        chat.engine.warm_up()
    return chat


def _announce(url: str, house: Followed, as_json: bool) -> None:
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


def _give_sample(writer: Writer) -> None:
    """Replay the bundled capture into a home that has heard nothing else; done once."""
    sample = importlib.resources.files("fairwitness.data") / f"{SAMPLE}.jsonl.gz"

    async def play(file: Path) -> None:
        total = rows(file)
        with progress_bar(f"replaying {file.name}") as told:
            async for progress in await writer.replay(file, None, name=SAMPLE):
                if progress.state == "failed":
                    raise Failed(progress.problem)
                told(min(progress.done, total), total)

    with importlib.resources.as_file(sample) as file:
        asyncio.run(play(file))
