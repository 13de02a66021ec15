"""What the verbs of `plan` share: options, progress, and the ways that a result is shown."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fairwitness.cli.asking import print_json
from fairwitness.cli.opening import errors
from fairwitness.planner import Inputs, PlanError, Result, Verb, read_inputs
from fairwitness.planner.catalogue import bundled, read_files
from fairwitness.planner.charts import alone, chart_svg, tornado_svg
from fairwitness.planner.fields import Told
from fairwitness.planner.page import page
from fairwitness.planner.plan_file import PlanFile, merged, read_plan
from fairwitness.planner.telling import told

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)

SHARED = (
    click.Option(["--plan"], type=FILE, help="Plan file to start from; options win over it."),
    click.Option(["--save"], type=_OUT, help="Write a plan file that gives the same again."),
    click.Option(
        ["--catalogue"], type=FILE, multiple=True, help="File of catalogue rows on top of ours."
    ),
    click.Option(
        ["--currency"], multiple=True, metavar="EUR=1.08", help="USD for one unit of a currency."
    ),
    click.Option(["--draws"], type=int, help="How many draws.  [default: 10000]"),
    click.Option(["--seed"], type=int, help="Seed of the draws.  [default: 0]"),
)
SHOWN = (
    click.Option(["--explain"], is_flag=True, help="List every input with its source."),
    click.Option(["--html"], type=_OUT, help="Write a page with plots to this file."),
    click.Option(["--plots"], type=_FOLDER, help="Write each plot as an SVG into this folder."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
)


@contextmanager
def asked_wrongly() -> Iterator[None]:
    """Say what is wrong with a plan in one line, exit code 2."""
    try:
        yield
    except PlanError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def bar() -> Iterator[Told]:
    """Show one bar that says what is being done; it vanishes."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("planning", total=1)

        def tell(step: str, done: int, total: int) -> None:
            progress.update(task, description=step, completed=done, total=max(total, 1))

        yield tell


def read_said(
    verb: Verb, said: Mapping[str, str], given: Mapping[str, Any]
) -> tuple[Inputs, tuple[str, ...]]:
    """Return the inputs of a plan from options and plan file, and the catalogue files it used."""
    file = read_plan(given["plan"]) if given.get("plan") else PlanFile(verb.name, {})
    if file.verb != verb.name:
        right = f"run fairwitness plan {file.verb} --plan {given['plan']}"
        raise click.UsageError(f"{given['plan']}: is a plan of {file.verb!r}; {right}")
    file = merged(verb, file, said)
    files = (*file.catalogue, *(str(path) for path in given.get("catalogue") or ()))
    catalogue = read_files(Path(each) for each in files) if files else bundled()
    inputs = read_inputs(
        verb,
        file.inputs,
        sources=file.sources,
        catalogue=catalogue,
        rates={**file.rates, **_rates(given.get("currency") or ())},
        count=file.draws if given.get("draws") is None else given["draws"],
        seed=file.seed if given.get("seed") is None else given["seed"],
    )
    return inputs, files


def _rates(said: tuple[str, ...]) -> dict[str, float]:
    rates = {}
    for each in said:
        code, _, rate = each.partition("=")
        try:
            rates[code.strip()] = float(rate)
        except ValueError:
            raise click.UsageError(f"--currency: {each!r} is no rate; write EUR=1.08") from None
    return rates


def show(result: Result, given: Mapping[str, Any], command: str) -> None:
    """Print a result as text or JSON, and write the page and the plots that were asked for."""
    if given["html"]:
        given["html"].write_text(page(result, command), "utf-8")
    if given["plots"]:
        _write_plots(result, given["plots"])
    if given["as_json"]:
        print_json(result)
    else:
        click.echo(told(result, explain=given["explain"]), nl=False)


def _write_plots(result: Result, folder: Path) -> None:
    """Write each chart and tornado, numbered, in the order of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    verb = result.verb.partition(" ")[0]
    for number, chart in enumerate(result.charts, start=1):
        (folder / f"{verb}-{number}.svg").write_text(alone(chart_svg(chart)), "utf-8")
    for tornado in result.tornados:
        path = folder / f"{verb}-moves-{tornado.output}.svg"
        path.write_text(alone(tornado_svg(tornado)), "utf-8")


def the_same_again(verb: Verb, said: Mapping[str, str], given: Mapping[str, Any]) -> str:
    """Return the command that gives the same result."""
    words = ["fairwitness", "plan", verb.name]
    for name, text in said.items():
        words += [f"--{name.replace('_', '-')}", text]
    for name in ("plan", "draws", "seed"):
        if given.get(name) is not None:
            words += [f"--{name}", str(given[name])]
    for name in ("catalogue", "currency"):
        for each in given.get(name) or ():
            words += [f"--{name}", str(each)]
    return shlex.join(words)
