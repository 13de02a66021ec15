"""`fairwitness plan check`: published claims and runs beside what our formulas make of them."""

import click
from rich.console import Console
from rich.table import Table

from fairwitness.cli.asking import fail, json_option, print_json
from fairwitness.cli.planning import asked_wrongly, bar
from fairwitness.planner.check import Checked, check

_COLOURS = {"reproduced": "green", "refuted": "red", "conditional": "yellow", "input": "cyan"}


@click.command("check")
@json_option
@click.option("--markdown", is_flag=True, help="Print the tables as they stand in the documents.")
def plan_check(as_json: bool, markdown: bool) -> None:
    """Judge published claims and predict published runs; say why for each.

    A verdict follows from what is stated, what our formula computes, and the tolerance. Exit code 1
    says that something no longer comes out as it is recorded in the data.

    \b
    Example:
      fairwitness plan check
      fairwitness plan check --json
      fairwitness plan check --markdown
    """
    with asked_wrongly(), bar() as told:
        checked = check(told)
    if as_json:
        print_json(checked.report())
    elif markdown:
        click.echo(checked.markdown(), nl=False)
    else:
        _show(checked, Console())
    if checked.changed:
        fail(f"not as recorded: {', '.join(checked.changed)}")


def _show(checked: Checked, console: Console) -> None:
    report = checked.report()
    claims = Table("claim", "stated", "computed", "verdict", "why", show_lines=True)
    for claim in report.claims:
        verdict = f"[{_COLOURS[claim.verdict]}]{claim.verdict}[/]"
        claims.add_row(claim.id, claim.stated, claim.computed, verdict, claim.reason)
    console.print(claims)
    runs = Table("run", "published", "predicted", "ratio", "tolerance", "", "why")
    for run in checked.runs:
        runs.add_row(
            run.id,
            f"{run.published:.4g} {run.unit}",
            f"{run.predicted:.4g}",
            f"{run.ratio:.3f}",
            f"{run.tolerance:.3g}",
            "[green]ok[/]" if run.ok else "[red]missed[/]",
            run.why,
        )
    console.print(runs)
    said = report.summary
    console.print(
        f"{said.claims} claims: {said.reproduced} reproduced, {said.conditional} conditional, "
        f"{said.refuted} refuted, {said.inputs} inputs; {said.runs_ok} of {said.runs} runs within "
        "their tolerance"
    )
