"""`fairwitness models`: what can write here, and getting it."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from fairwitness.cli.asking import fail, json_option, print_json, said_plainly
from fairwitness.cli.opening import pulled
from fairwitness.models import ModelError, registry
from fairwitness.models.model import describe

_HELP = """List, fetch and describe models.

\b
Example:
  fairwitness models pull smollm2-135m-instruct
  fairwitness models show hf:HuggingFaceTB/SmolLM2-360M-Instruct
"""


@click.group(help=_HELP)
def models() -> None:
    """List, fetch and describe models."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the models that are known, and those that are here.

    \b
    Example:
      fairwitness models list --json
    """
    listings = registry.available()
    if as_json:
        print_json(listings)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("model", "here", "download"):
        table.add_column(column)
    for listing in listings:
        size = f"{listing.download_bytes / 1e6:.0f} MB" if listing.download_bytes else ""
        table.add_row(listing.name, "yes" if listing.path else "no", size)
    Console(highlight=False).print(table)


@models.command()
@click.argument("name", default=registry.DEFAULT_MODEL)
@json_option
@said_plainly(ModelError)
def pull(name: str, as_json: bool) -> None:
    """Fetch the model NAME, checked against its pinned hash.

    \b
    Example:
      fairwitness models pull
    """
    path = pulled(name)
    if as_json:
        print_json({"name": name, "path": str(path)})
    else:
        click.echo(path)


@models.command()
@click.argument("name", default=registry.DEFAULT_MODEL)
@json_option
@said_plainly(ModelError)
def show(name: str, as_json: bool) -> None:
    """Describe the model NAME: its shape, size and licence.

    \b
    Example:
      fairwitness models show smollm2-135m-instruct
    """
    path: Path | None = registry.find(name)
    if path is None:
        fail(f"{name} is not here; `fairwitness models pull {name}` fetches it")
    card = msgspec.to_builtins(describe(path))
    if as_json:
        print_json(card)
        return
    for key, value in card.items():
        click.echo(f"{key.replace('_', ' ')}: {value}")
