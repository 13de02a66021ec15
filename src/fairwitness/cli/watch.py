"""`fairwitness watch`: an answer that stays open, and says what changed as it changes."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness.answers import Answer, Changed, Finished, Said
from fairwitness.cli import client
from fairwitness.cli.asking import fail, home_option
from fairwitness.cli.telling import safe, tell
from fairwitness.home import holder

_HELP = """Answer QUESTION and go on: say what is new, corroborated, contradicted or withdrawn.

Needs a running `fairwitness up`. Ends with Ctrl-C, or after so many --changes.

\b
Example:
  fairwitness watch "What is happening in Valparaíso?" --alert 3
"""


@click.command(help=_HELP)
@click.argument("question")
@click.option("--alert", default=0, type=click.IntRange(0), help="Tell when so many agree.")
@click.option("--lang", default="", metavar="CODE", help="Language of the answer, such as es.")
@click.option("--changes", default=0, type=click.IntRange(0), help="End after so many changes.")
@home_option
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
def watch(question: str, alert: int, lang: str, changes: int, home: Path, as_json: bool) -> None:
    """Keep an answer open."""
    running = holder(home)
    if not running or not running.url:
        fail("nothing comes in: start `fairwitness up` first")
    body = {"question": question, "alert": alert, "lang": lang}
    console = Console(highlight=False)
    said: list[Said] = []
    left = changes
    for event, data in client.events(running.url, "/v1/watch", body):
        if event == "error":
            fail(msgspec.json.decode(data)["error"]["message"])
        if as_json:
            click.echo(data.decode())
        elif event == "said":
            said.append(msgspec.json.decode(data, type=Said))
        elif event == "finished":
            tell([*said, msgspec.json.decode(data, type=Finished)], console)
        if event == "changed":
            changed = msgspec.json.decode(data, type=Changed)
            if not as_json:
                _show(changed, console)
            left -= 1
            if changes and left <= 0:
                return


def _show(changed: Changed, console: Console) -> None:
    answer: Answer = changed.answer
    for change in changed.changes:
        words = f": {change.why}"
        if change.what == "new":
            words = f": “{safe(answer.sentences[change.at].text)}”"
        elif change.post:
            words += f", {change.post}"
        console.print(Text(f"{answer.as_of} {change.what}{words}"))
