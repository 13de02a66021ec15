"""`fairwitness bench engine`: the engine beside llama.cpp and beside float32."""

from pathlib import Path

import click
import msgspec

from fairwitness.cli.asking import fail, json_option, print_json
from fairwitness.cli.opening import errors
from fairwitness.engine.native import CACHE_KIND
from fairwitness.evals.bench_engine import Plan, bench_engine
from fairwitness.evals.engine_peer import PeerFailed, python_of_peer, python_of_transformers
from fairwitness.kernels.pages import KINDS, Kind
from fairwitness.models.errors import ModelError
from fairwitness.models.registry import DEFAULT_MODEL, pull


@click.command("engine")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Name or path of a model.")
@click.option(
    "--against",
    multiple=True,
    type=click.Choice(["llama.cpp", "transformers"]),
    help="Beside a peer; may be given twice.",
)
@click.option(
    "--peer-venv",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where llama.cpp is, or will be installed.  [default: the cache folder]",
)
@click.option(
    "--torch-venv",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where transformers is, or will be installed.  [default: the cache folder]",
)
@click.option(
    "--text",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text for perplexity and prompts, such as wikitext-2's valid.",
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--kv",
    "kind",
    type=click.Choice(list(KINDS)),
    default=CACHE_KIND,
    show_default=True,
    help="How keys and values are kept.",
)
@json_option
def bench_engine_command(
    model: str,
    against: tuple[str, ...],
    peer_venv: Path | None,
    torch_venv: Path | None,
    text: Path | None,
    rounds: int,
    kind: Kind,
    as_json: bool,
) -> None:
    """Time the engine: decoding, reading prompts, many streams, guesses, first tokens, memory; and
    hold it to float32.

    llama.cpp is compiled for this machine the first time, which takes minutes.

    \b
    Example:
      fairwitness bench engine --json
      fairwitness bench engine --against llama.cpp --text valid.txt --json
    """

    def told(step: str) -> None:
        errors.print(step, style="dim", markup=False)

    try:
        path = pull(model)
        for peer in against:
            told(f"installing {peer}, if it is not there")
        python = python_of_peer(peer_venv) if "llama.cpp" in against else None
        torch = python_of_transformers(torch_venv) if "transformers" in against else None
    except (ModelError, PeerFailed) as error:
        fail(str(error))
    report = bench_engine(Plan(path, python, torch, text, rounds, kind=kind), told)
    for part, why in report.missing.items():
        errors.print(f"not measured: {part}: {why}", style="yellow", markup=False)
    if as_json:
        print_json(report)
        return
    for key, value in msgspec.to_builtins(report).items():
        click.echo(f"{key}: {value}")
