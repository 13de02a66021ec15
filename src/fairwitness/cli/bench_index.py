"""`fairwitness bench index`: the live index at work, beside its limits and its peers."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fairwitness.cli.asking import fail, json_option, print_json
from fairwitness.cli.opening import errors
from fairwitness.evals import stages
from fairwitness.evals.bench_index import QUICK_MINUTES, QUICK_POSTS, Plan, bench_index
from fairwitness.evals.live_run import Told

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("index")
@click.option("--quick", is_flag=True, help="Half a minute, 1 million posts; marked as quick.")
@click.option("--minutes", type=click.FloatRange(min=0.05), help="How long.  [default: 10]")
@click.option("--rate", default=31_000, show_default=True, type=click.IntRange(10, 1_000_000))
@click.option(
    "--posts", type=click.IntRange(1_000), help="The largest home.  [default: 20 million]"
)
@click.option("--texts", type=_FOLDER, help="Folder of captures to take texts from.")
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to work in; it stays, and the next run goes on with its homes.",
)
@click.option(
    "--peers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON of benchmarks/peers/run.py to print beside ours.",
)
@json_option
def bench_index_command(
    quick: bool,
    minutes: float | None,
    rate: int,
    posts: int | None,
    texts: Path | None,
    work: Path | None,
    peers: Path | None,
    as_json: bool,
) -> None:
    """Time the live index: sustained ingest, queries meanwhile, a burst, growth, each stage.

    Works in a folder of its own; your home is not touched. Ctrl-C prints what was measured.

    \b
    Example:
      fairwitness bench index --quick --json
      fairwitness bench index --texts captures --work build/bench --json
    """
    if texts is None:
        errors.print("no --texts: 18,000 bundled posts are repeated, which flatters", style="red")
    posts = posts or (QUICK_POSTS if quick else 20_000_000)
    plan = Plan(
        texts=texts,
        minutes=minutes or (QUICK_MINUTES if quick else 10.0),
        rate_hz=rate,
        posts=posts,
        stage_posts=min(stages.POSTS, posts),
        quick=quick,
    )
    beside = json.loads(peers.read_text()) if peers else {}
    with _folder(work) as folder, _told() as told:
        report = bench_index(folder, plan, beside, told)
    for part, why in report.missing.items():
        errors.print(f"not measured: {part}: {why}", style="yellow", markup=False)
    if as_json:
        print_json(report)
    else:
        for key, value in msgspec.to_builtins(report).items():
            click.echo(f"{key}: {value}")
    if report.partial:
        fail("the run is not whole; what was measured is printed and marked as partial")


@contextlib.contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="fairwitness-bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _told() -> Iterator[Told]:
    """Show one bar that says what is being done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as bar:
        task = bar.add_task("starting", total=1)

        def told(step: str, done: int, total: int) -> None:
            bar.update(task, description=step, completed=done, total=max(total, 1))

        yield told
