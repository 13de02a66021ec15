"""`fairwitness diff`: how the answer to one question changed between two moments."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness import answers
from fairwitness.answers import Answer, Difference, Finished, QuestionError, difference
from fairwitness.cli import client
from fairwitness.cli.asking import fail, home_option, json_option, moment, print_json, said_plainly
from fairwitness.cli.opening import readable
from fairwitness.cli.telling import safe
from fairwitness.home import holder
from fairwitness.posts.clock import to_iso

_HELP = """Answer QUESTION as of two moments, and say what changed.

\b
Example:
  fairwitness diff "Who won the fight?" --as-of 2017-08-27T04:15:00Z --as-of 2017-08-27T05:00:00Z
"""
_SIGN = {"new": "+", "gone": "-"}


def _moments(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[int, int]:
    if len(values) != 2:
        raise click.BadParameter("say it twice: the moment before and the moment after")
    one, other = (moment(context, option, value) for value in values)
    assert one is not None
    assert other is not None
    return one, other


@click.command(help=_HELP)
@click.argument("question")
@click.option("--as-of", multiple=True, callback=_moments, metavar="TIME", help="Twice.")
@click.option("--lang", default="", metavar="CODE", help="Language of the answer, such as es.")
@home_option
@json_option
@said_plainly(QuestionError)
def diff(question: str, as_of: tuple[int, int], lang: str, home: Path, as_json: bool) -> None:
    """Lay two answers side by side."""
    told = difference(*_answers(question, as_of, lang, home))
    if as_json:
        print_json(told)
        return
    _show(told, Console(highlight=False))


def _answers(question: str, moments: tuple[int, int], lang: str, home: Path) -> list[Answer]:
    running = holder(home)
    if running and running.url:
        bodies = [{"question": question, "lang": lang, "as_of": to_iso(ms)} for ms in moments]
        told = [client.post(running.url, "/v1/ask", body) for body in bodies]
        return [msgspec.convert(each, Answer) for each in told]
    with readable(home, "diff") as opened:
        found = []
        for ms in moments:
            *_, last = answers.ask(opened.desk(), question, lang=lang, as_of_ms=ms)
            if not isinstance(last, Finished):
                fail("the question was not answered")
            found.append(last.answer)
        return found


def _show(told: Difference, console: Console) -> None:
    for answer in (told.before, told.after):
        console.print(Text(f"{answer.as_of}: {answer.standing}", style="bold"))
    for change in told.changes:
        answer = told.before if change.what == "gone" else told.after
        words = answer.sentences[change.at].text if change.at >= 0 else change.why
        sign = _SIGN.get(change.what, change.what)
        console.print(Text(f"{sign} {safe(words)}"))
    if told.before.abstained or told.after.abstained:
        silent = told.before if told.before.abstained else told.after
        console.print(Text(f"{silent.as_of}: {safe(silent.answer)}", style="dim"))
    if not told.changes and told.before.standing == told.after.standing:
        console.print(Text("nothing changed", style="dim"))
