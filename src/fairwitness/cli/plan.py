"""`fairwitness plan`: compute, energy, cost and runway on paper.

One command for each verb of the planner, built from the verb's own table of fields.
"""

from pathlib import Path
from typing import Any

import click

from fairwitness.cli.asking import json_option, print_json
from fairwitness.cli.plan_check import plan_check
from fairwitness.cli.planning import (
    FILE,
    SHARED,
    SHOWN,
    asked_wrongly,
    bar,
    read_said,
    show,
    the_same_again,
)
from fairwitness.planner import Field, Verb, Word
from fairwitness.planner.catalogue import KINDS, bundled, read_files
from fairwitness.planner.catalogue.told import rows_table
from fairwitness.planner.compare import Named
from fairwitness.planner.compare import compare as compared
from fairwitness.planner.plan_file import PlanFile, plan_text, read_plan
from fairwitness.planner.telling import table_text
from fairwitness.planner.verbs import VERBS


@click.group()
def plan() -> None:
    """Plan compute, energy, cost and runway: with units, ranges and sources.

    Values carry their unit ("700 kW", "0.08 USD/kWh"). They may be ranges ("30..48 %" reaches from
    the 5 % to the 95 % point) or distributions ("uniform(1..2 kW)", also normal, lognormal,
    triangular). Results are medians, with the interval that holds 80 % of the draws.

    \b
    Example:
      fairwitness plan train --model grok-1 --chips 100000 --tokens 10T
      fairwitness plan site --html site.html
      fairwitness plan catalogue H100
    """


def verb_command(verb: Verb) -> click.Command:
    """Return the command of one verb: an option for each of its fields, and what all share."""

    def run(**given: Any) -> None:
        said = {
            field.name: given[field.name] for field in verb.fields if given[field.name] is not None
        }
        with asked_wrongly():
            inputs, catalogue = read_said(verb, said, given)
            if given["save"]:
                given["save"].write_text(plan_text(inputs, catalogue), "utf-8")
            with bar() as told:
                result = verb.plan(inputs, told)
        show(result, given, the_same_again(verb, said, given))

    example = f"\b\nExample:\n  fairwitness plan {verb.name} {verb.example}".rstrip()
    return click.Command(
        verb.name,
        callback=run,
        params=[*(_option(field) for field in verb.fields), *SHARED, *SHOWN],
        help=f"{verb.help}\n\n{example}",
    )


def _option(field: Field | Word) -> click.Option:
    default = ""
    if field.default is not None:
        default = f"  [default: {field.default}]"
    if isinstance(field, Field) and field.figure:
        word, _, figure = field.figure.partition(".")
        default = f"  [default: {figure} of --{word.replace('_', '-')} in the catalogue]"
    choices = field.choices if isinstance(field, Word) else ()
    said = (field.unit or "NUMBER") if isinstance(field, Field) else "TEXT"
    return click.Option(
        [f"--{field.name.replace('_', '-')}", field.name],
        help=field.help + default,
        metavar="|".join(choices) or said,
    )


for _verb in VERBS.values():
    plan.add_command(verb_command(_verb))
plan.add_command(plan_check)


@plan.command("compare", params=[*SHOWN])
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
def compare(first: Path, second: Path, **given: Any) -> None:
    """Show two plan files side by side: what differs, and which inputs cause it.

    \b
    Example:
      fairwitness plan compare a.toml b.toml
    """
    with asked_wrongly():
        one, other = (_named(path, first.stem != second.stem) for path in (first, second))
        with bar() as told:
            result = compared(one, other, told)
    show(result, given, f"fairwitness plan compare {first} {second}")


def _named(path: Path, short: bool) -> Named:
    file: PlanFile = read_plan(path)
    if file.verb not in VERBS:
        right = f"this one knows {', '.join(VERBS)}"
        raise click.UsageError(f"{path}: plan {file.verb!r} is none that we know; {right}")
    inputs, _ = read_said(VERBS[file.verb], {}, {"plan": path})
    return Named(path.stem if short else str(path), inputs)


@plan.command("catalogue")
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only rows of this kind.")
@click.option("--catalogue", "files", type=FILE, multiple=True, help="File of rows on top of ours.")
@json_option
def catalogue(name: str | None, kind: str | None, files: tuple[Path, ...], as_json: bool) -> None:
    """Show the figures that plans take when nobody says otherwise: unit, source, date, conflicts.

    \b
    Example:
      fairwitness plan catalogue H100
      fairwitness plan catalogue --kind region --json
    """
    with asked_wrongly():
        rows = read_files(files) if files else bundled()
        chosen = (rows.row(name),) if name else rows.rows(kind or "")
        if as_json:
            print_json([row.told() for row in chosen])
        else:
            click.echo(table_text(rows_table(chosen, whole=bool(name))))
