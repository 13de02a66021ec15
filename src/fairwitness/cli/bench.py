"""`fairwitness bench`: every figure that we publish, measured on this machine."""

import tempfile
from pathlib import Path

import click
import msgspec

from fairwitness.cli.asking import json_option, model_options, print_json
from fairwitness.cli.bench_answers import bench_answers_command
from fairwitness.cli.bench_engine import bench_engine_command
from fairwitness.cli.bench_index import bench_index_command
from fairwitness.cli.opening import chat_model, errors
from fairwitness.evals.bench_ask import bench_ask


@click.group()
def bench() -> None:
    """Measure what we promise, on this machine.

    \b
    Example:
      fairwitness bench ask --json
      fairwitness bench answers --data ../shared/data --json
      fairwitness bench index --quick --json
      fairwitness bench engine --json
    """


bench.add_command(bench_answers_command)
bench.add_command(bench_index_command)
bench.add_command(bench_engine_command)


@bench.command("ask")
@click.option("--posts", default=100_000, show_default=True, type=click.IntRange(100))
@click.option("--rate", default=5_000, show_default=True, help="Posts a second for freshness.")
@click.option("--seconds", default=15.0, show_default=True, help="How long to stream them.")
@click.option("--rounds", default=5, show_default=True, help="Times that each question is asked.")
@model_options
@json_option
def bench_ask_command(
    posts: int,
    rate: int,
    seconds: float,
    rounds: int,
    model: str,
    model_server: str | None,
    as_json: bool,
) -> None:
    """Time the main job: ingest, first verified sentence, whole answer, post to searchable.

    Works in a temporary home; yours is not touched.

    \b
    Example:
      fairwitness bench ask --posts 20000 --json
    """
    with tempfile.TemporaryDirectory(prefix="fairwitness-bench-") as folder:
        report = bench_ask(
            Path(folder),
            chat_model(model, model_server),
            posts=posts,
            rate_hz=rate,
            seconds=seconds,
            rounds=rounds,
            told=lambda step: errors.print(step, style="dim", markup=False),
        )
    if as_json:
        print_json(report)
        return
    for key, value in msgspec.to_builtins(report).items():
        click.echo(f"{key}: {value}")
