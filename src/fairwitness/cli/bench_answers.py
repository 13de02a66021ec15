"""`fairwitness bench answers`: whether answers are cited, sure, silent and safe where they must."""

from pathlib import Path
from typing import Any

import click
import msgspec

from fairwitness.cli.asking import json_option, model_options, print_json
from fairwitness.cli.opening import chat_model, errors
from fairwitness.evals.bench_answers import FILES, PARTS, Timed, bench_answers

_PATH = click.Path(exists=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("answers")
@click.option("--data", type=_PATH, help="Folder of real data; the files below default to its.")
@click.option("--posts", type=_PATH, help="Posts to find nothing in, to delete, to repeat.")
@click.option("--questions", type=_PATH, help="Questions of news, in the form of RealTimeQA.")
@click.option("--docs", type=_PATH, help="Pages found for them, with publish_date.")
@click.option("--conversations", type=_PATH, help="Rumours and replies, as of RumourEval.")
@click.option("--stories", type=_PATH, help="Posts that each tell a story alone, as of CED.")
@click.option("--sets", type=_PATH, help="Questions in many languages; ours by default.")
@click.option("--crises", type=_PATH, help="Posts for them: as of CrisisLex.")
@click.option("--channels", type=_PATH, help="Posts for them: of Telegram, in Russian.")
@click.option("--talk", type=_PATH, help="Posts for them: of X, some in Japanese.")
@click.option("--attacks", type=_PATH, help="File or folder of planted instructions, as BIPIA's.")
@click.option("--prompts", type=_PATH, help="Questions labelled safe or unsafe, as XSTest's.")
@click.option("--claims", type=_PATH, help="Claims and the pages they cite, as WiCE's.")
@click.option("--climate", type=_PATH, help="Claims and five sentences each, as Climate-FEVER's.")
@click.option("--summaries", type=_PATH, help="Folder of judged summaries, as of QAGS.")
@click.option("--texts", type=_PATH, help="Folder of captures that a home to ask is made of.")
@click.option("--timed-posts", default=1_000_000, show_default=True, type=click.IntRange(100))
@click.option("--timed-home", type=_FOLDER, help="Where that home stays for another run.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only these.")
@click.option("--most", default=0, type=click.IntRange(0), help="Questions of a large set; 0: all.")
@model_options
@json_option
def bench_answers_command(
    data: Path | None,
    parts: tuple[Any, ...],
    most: int,
    timed_posts: int,
    timed_home: Path | None,
    model: str,
    model_server: str | None,
    as_json: bool,
    **files: Path | None,
) -> None:
    """Judge answers on real posts: citations, news, rumours, languages, absence, deletion, attacks;
    and how long they take with a million posts to read.

    Works in temporary homes; yours is not touched. What is not measured is named with the reason.

    \b
    Example:
      fairwitness bench answers --data ../shared/data --model none --json
    """
    paths = {name: path for name, path in files.items() if path}
    if data:
        there = {name: data / place for name, place in FILES.items() if (data / place).exists()}
        paths = there | paths
    report = bench_answers(
        paths,
        parts or PARTS,
        chat_model(model, model_server),
        most=most,
        tell=_tell,
        timed=Timed(timed_posts, timed_home),
    )
    for part, why in report.missing.items():
        errors.print(f"not measured: {part}: {why}", style="yellow", markup=False)
    if as_json:
        print_json(report)
        return
    for key, value in msgspec.to_builtins(report).items():
        click.echo(f"{key}: {value}")


def _tell(part: str, done: int, total: int) -> None:
    if done % 50 == 0:
        errors.print(f"{part} {done}/{total}", style="dim", markup=False)
