"""How a question was understood: printed, read back from a file, and the options for both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness.answers import Explained, Parsed
from fairwitness.cli.asking import fail
from fairwitness.cli.telling import safe

Command = TypeVar("Command", bound=Callable[..., Any])


class _File(msgspec.Struct):
    """What `--explain --json` printed, as far as it is read back."""

    explained: Explained


def explain_options(command: Command) -> Command:
    """Give a verb `--after`, `--explain` and `--edited`."""
    command = click.option(
        "--edited",
        type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
        metavar="FILE",
        help="Ask what FILE holds: what --explain --json printed, with `explained` changed.",
    )(command)
    command = click.option(
        "--explain", "is_explained", is_flag=True, help="Tell how the question was understood."
    )(command)
    return click.option(
        "--after",
        multiple=True,
        metavar="QUESTION",
        help="What was asked before, for a follow-up; may be given several times.",
    )(command)


def edited_in(file: Path | None) -> Explained:
    """Return the questions that `file` holds, none without a file; ends the verb if it is none."""
    if file is None:
        return Explained()
    with click.open_file(str(file), "rb") as opened:
        raw = opened.read()
    try:
        return msgspec.json.decode(raw, type=_File).explained
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fail(f"{file} is not what --explain --json prints: {error}")


def show_explained(explained: Explained, console: Console) -> None:
    """Print how each question was understood, and what was searched for it."""
    for place, parsed in enumerate(explained.questions):
        console.print(Text(f"\nUnderstood: {safe(parsed.question)}", style="bold"))
        console.print(Text("  " + " · ".join(_parts(parsed, explained.as_of)), style="dim"))
        for each in explained.searches:
            if each.question == place:
                line = f"  searched {each.posts:,} posts for {safe(' '.join(each.words))}"
                line += f"; read {each.read:,}, {each.spans:,} sentences are about it; by "
                line += ", ".join(f"{round_.how} {round_.found:,}" for round_ in each.rounds)
                console.print(Text(line, style="dim"))


def _parts(parsed: Parsed, as_of: str) -> list[str]:
    told = [f"asks {parsed.asks}", f"language {parsed.lang}"]
    for name in ("words", "phrases", "names", "handles", "speakers", "numbers", "among"):
        if words := getattr(parsed, name):
            told.append(f"{name} {safe(', '.join(words))}")
    if parsed.since or parsed.until:
        told.append(f"from {parsed.since or 'the first post'} until {parsed.until or 'now'}")
    return [*told, f"as of {as_of}"]
