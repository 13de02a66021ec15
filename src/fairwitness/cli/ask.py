"""`fairwitness ask`: a question in, a verified and cited answer out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import msgspec
from rich.console import Console

from fairwitness import answers
from fairwitness.answers import (
    Budget,
    Desk,
    Finished,
    Length,
    Mode,
    Parsed,
    QuestionError,
    Said,
    Told,
)
from fairwitness.cli import client
from fairwitness.cli.asking import (
    fail,
    home_option,
    json_option,
    model_options,
    moment,
    print_json,
    said_plainly,
)
from fairwitness.cli.deep import reported_by, show_report
from fairwitness.cli.explaining import edited_in, explain_options, show_explained
from fairwitness.cli.opening import chat_model, readable
from fairwitness.cli.telling import tell
from fairwitness.home import holder
from fairwitness.posts.clock import from_iso, to_iso

_HELP = """Answer QUESTION from the posts of this home.

Sentences appear as they are verified, with numbered sources under them. Nobody witnessed it: it
says so. With --deep many questions are asked of the matter, and the answer is a report; Ctrl-C ends
it with what there is. A follow-up takes what it leaves out from the question --after which it is
asked. --explain tells how it was understood; as JSON it can be changed and given back: --edited.

\b
Example:
  fairwitness ask "Who won the fight?" --as-of 2017-08-27T04:15:00Z
  fairwitness ask "And in Paris?" --after "Who won the fight in Madrid?"
  fairwitness ask "Who won the fight?" --explain --json > q.json; fairwitness ask --edited q.json
  fairwitness ask --deep "What happened in Valparaíso?" --seconds 20
"""


@click.command(help=_HELP)
@click.argument("question", required=False)
@click.option("--as-of", callback=moment, metavar="TIME", help="Answer from what was known then.")
@click.option("--mode", type=click.Choice(["regular", "fun"]), default="regular", show_default=True)
@click.option("--lang", default="", metavar="CODE", help="Language of the answer, such as es.")
@click.option(
    "--length",
    type=click.Choice(["short", "normal", "long"]),
    default="normal",
    show_default=True,
    help="How many sentences it may have.",
)
@click.option("--deep", "is_deep", is_flag=True, help="Report from many searches.")
@click.option("--seconds", type=click.FloatRange(0, 300), help="With --deep.  [default: 30]")
@click.option("--tokens", type=click.IntRange(0, 100_000), help="With --deep.  [default: 8000]")
@explain_options
@model_options
@home_option
@json_option
@said_plainly(QuestionError)
def ask(
    question: str | None,
    as_of: int | None,
    mode: str,
    lang: str,
    length: str,
    is_deep: bool,
    seconds: float | None,
    tokens: int | None,
    after: tuple[str, ...],
    is_explained: bool,
    edited: Path | None,
    model: str,
    model_server: str | None,
    home: Path,
    as_json: bool,
) -> None:
    """Answer a question from the posts of a home."""
    budget = _budget(is_deep, seconds, tokens)
    if budget is not None and (after or is_explained or edited or length != "normal"):
        fail("--deep plans its own: leave out --after, --explain, --edited and --length")
    if question is None and edited is None:
        raise click.UsageError("Missing argument 'QUESTION'.")
    given = edited_in(edited)
    as_of = from_iso(given.as_of) if as_of is None and given.as_of else as_of
    asking = _Asking(
        question or "",
        cast(Mode, mode),
        lang,
        as_of,
        after,
        given.questions,
        is_explained,
        cast(Length, length),
    )
    running = holder(home)
    if running and running.url:
        if model or model_server:
            fail(f"the model is chosen by `fairwitness up`, which runs at {running.url}")
        _ask_server(running.url, asking, budget, as_json)
        return
    with readable(home, "ask") as opened:
        _ask_here(opened.desk(chat_model(model, model_server)), asking, budget, as_json)


@dataclass(frozen=True)
class _Asking:
    """What is asked, and how it is to be answered."""

    question: str
    mode: Mode
    lang: str
    as_of_ms: int | None
    earlier: tuple[str, ...]
    edited: tuple[Parsed, ...]
    is_explained: bool
    length: Length


def _ask_server(url: str, asking: _Asking, budget: Budget | None, as_json: bool) -> None:
    body: dict[str, object] = {
        "question": asking.question,
        "mode": asking.mode,
        "lang": asking.lang,
        "as_of": "" if asking.as_of_ms is None else to_iso(asking.as_of_ms),
    }
    if budget is not None:
        show_report(reported_by(url, body, budget), as_json)
        return
    more = {
        "earlier": asking.earlier,
        "explain": asking.is_explained,
        "questions": asking.edited,
        "length": asking.length,
    }
    _show(_through(url, body | msgspec.to_builtins(more)), as_json)


def _ask_here(desk: Desk, asking: _Asking, budget: Budget | None, as_json: bool) -> None:
    if budget is not None:
        report = answers.deep(
            desk,
            asking.question,
            mode=asking.mode,
            lang=asking.lang,
            as_of_ms=asking.as_of_ms,
            budget=budget,
        )
        show_report(report, as_json)
        return
    told = answers.ask(
        desk,
        asking.question,
        mode=asking.mode,
        lang=asking.lang,
        as_of_ms=asking.as_of_ms,
        earlier=asking.earlier,
        edited=asking.edited,
        explain=asking.is_explained,
        length=asking.length,
    )
    _show(told, as_json)


def _budget(is_deep: bool, seconds: float | None, tokens: int | None) -> Budget | None:
    """Return what a report may cost, None when none is asked for."""
    given = {"seconds": seconds, "tokens": tokens}
    said = {name: value for name, value in given.items() if value is not None}
    if not is_deep and said:
        fail(f"--{next(iter(said))} needs --deep")
    return msgspec.convert(said, Budget) if is_deep else None


def _show(told: Iterator[Told], as_json: bool) -> None:
    if not as_json:
        console = Console(highlight=False)
        answer = tell(told, console)
        if answer.explained:
            show_explained(answer.explained, console)
        return
    for each in told:
        if isinstance(each, Finished):
            print_json(each.answer)


def _through(url: str, body: dict[str, object]) -> Iterator[Told]:
    for event, data in client.events(url, "/v1/ask", {**body, "stream": True}):
        if event == "said":
            yield msgspec.json.decode(data, type=Said)
        elif event == "finished":
            yield msgspec.json.decode(data, type=Finished)
        elif event == "error":
            fail(msgspec.json.decode(data)["error"]["message"])
