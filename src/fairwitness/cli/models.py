"""`fairwitness models`: what can write here, getting it, and writing it anew."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from fairwitness.cli.asking import fail, json_option, print_json, said_plainly
from fairwitness.cli.opening import encoder_pulled, progress_bar, pulled
from fairwitness.models import ModelError, registry
from fairwitness.models.convert import convert as convert_model
from fairwitness.models.encoder_download import ENCODER, encoder_listing
from fairwitness.models.model import describe
from fairwitness.models.parity import FamilyStatus, statuses
from fairwitness.models.quantise import WRITABLE

_HELP = """List, fetch, describe and convert models.

\b
Example:
  fairwitness models pull smollm2-135m-instruct
  fairwitness models show hf:HuggingFaceTB/SmolLM2-360M-Instruct
  fairwitness models convert smollm2-135m-instruct small.gguf --quantise q4_0
"""


@click.group(help=_HELP)
def models() -> None:
    """List, fetch, describe and convert models."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the models that are known, those that are here, and the families that we run.

    Of each family: whether its quantised GGUF files run in the native step (all run in JAX), and
    how near the logits of JAX are to those of its peer, as the tests of parity found.

    \b
    Example:
      fairwitness models list --json
    """
    listings, families = [*registry.available(), encoder_listing()], statuses()
    if as_json:
        print_json({"models": listings, "families": families})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("model", "here", "download"):
        table.add_column(column)
    for listing in listings:
        size = f"{listing.download_bytes / 1e6:.0f} MB" if listing.download_bytes else ""
        table.add_row(listing.name, "yes" if listing.path else "no", size)
    Console(highlight=False).print(table, "", _family_table(families))


def _family_table(families: list[FamilyStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("family", "GGUF", "native", "logits within", "of"):
        table.add_column(column)
    for family in families:
        near = f"{family.error_below:g}"
        table.add_row(family.title, family.gguf or "no", family.native, near, family.against)
    return table


@models.command()
@click.argument("name", default=registry.DEFAULT_MODEL)
@json_option
@said_plainly(ModelError)
def pull(name: str, as_json: bool) -> None:
    """Fetch the model NAME, checked against its pinned hash.

    \b
    Example:
      fairwitness models pull
      fairwitness models pull all-minilm-l6-v2
    """
    path = encoder_pulled() if name == ENCODER else pulled(name)
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


@models.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--quantise",
    "quantisation",
    type=click.Choice([name.lower() for name in WRITABLE]),
    help="Format of the matrices; without it each keeps its own.",
)
@json_option
@said_plainly(ModelError)
def convert(source: str, target: Path, quantisation: str | None, as_json: bool) -> None:
    """Write the model IN anew at OUT, which must not be there yet.

    A .gguf file becomes a .gguf file; a folder of safetensors becomes a folder or, if OUT ends in
    .gguf, such a file. OUT appears when it is whole, or not at all.

    \b
    Example:
      fairwitness models convert smollm2-135m-instruct small.gguf --quantise q4_0
    """
    path = pulled(source)
    with progress_bar(f"writing {target}", count="bytes") as told:
        converted = convert_model(path, target, quantisation, told)
    if as_json:
        print_json(msgspec.to_builtins(converted))
        return
    formats = ", ".join(f"{count} {name}" for name, count in converted.tensors.items())
    click.echo(f"{converted.path}: {converted.size_bytes / 1e6:.1f} MB, tensors: {formats}")
