"""What the verbs share: their options, and how a failure is said."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec

from fairwitness.home import default_folder
from fairwitness.posts.clock import from_iso

Command = TypeVar("Command", bound=Callable[..., Any])


class Failed(click.ClickException):
    """The verb could not do what it was asked; the message says what and why."""

    exit_code = 1


def fail(message: object) -> NoReturn:
    """End the verb with an error."""
    raise Failed(str(message))


def home_option(command: Command) -> Command:
    """Give a verb `--home`."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        callback=lambda _context, _option, value: value or default_folder(),
        help="Folder that holds all state.  [default: $FAIRWITNESS_HOME or your user data folder]",
    )(command)


def json_option(command: Command) -> Command:
    """Give a verb `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def model_options(command: Command) -> Command:
    """Give a verb `--model` and `--model-server`."""
    command = click.option(
        "--model-server",
        metavar="URL",
        help="Use the model of an OpenAI-compatible server, such as http://127.0.0.1:8080/v1.",
    )(command)
    return click.option(
        "--model",
        default="",
        metavar="NAME",
        help="Model that writes: a name of `fairwitness models list`, hf:owner/repo, a path, or"
        " `none` for quotes alone.  [default: smollm2-135m-instruct]",
    )(command)


def draft_option(command: Command) -> Command:
    """Give a verb `--draft-model`."""
    return click.option(
        "--draft-model",
        default="",
        metavar="NAME",
        help="A smaller model of the same tokens that guesses ahead, named as --model is; answers"
        " stay the same.",
    )(command)


def moment(_context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """Read a time option as Unix milliseconds."""
    if value is None:
        return None
    try:
        return from_iso(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 2017-08-27T04:15:00Z", param=option) from None


def print_json(value: object) -> None:
    """Print one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def said_plainly(*errors: type[Exception]) -> Callable[[Command], Command]:
    """Make a verb say these errors in one line instead of a traceback."""

    def wrap(command: Command) -> Command:
        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return command(*args, **kwargs)
            except errors as error:
                fail(error)

        return run  # type: ignore[return-value]

    return wrap
