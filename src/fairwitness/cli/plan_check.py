"""`fairwitness plan check`: published claims and runs beside what our formulas make of them."""

import textwrap
from collections.abc import Iterator

import click

from fairwitness.cli.asking import fail, json_option, print_json
from fairwitness.cli.planning import asked_wrongly, bar
from fairwitness.planner.check import Checked, check

_COLOURS = {"reproduced": "green", "refuted": "red", "conditional": "yellow", "input": "cyan"}
_WIDTH = 100


@click.command("check")
@json_option
@click.option("--markdown", is_flag=True, help="Print the tables as docs/claims.md has them.")
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
    else:
        text = checked.markdown() if markdown else "\n".join(_lines(checked)) + "\n"
        click.echo(text, nl=False)
    if checked.changed:
        fail(f"not as recorded: {', '.join(checked.changed)}")


def _lines(checked: Checked) -> Iterator[str]:
    report = checked.report()
    source = ""
    for claim, judged in zip(report.claims, checked.judged, strict=True):
        if judged.claim.source != source:
            source = judged.claim.source
            yield click.style(source, bold=True)
            yield ""
        yield f"{click.style(claim.verdict, fg=_COLOURS[claim.verdict])}  {claim.id}"
        rows = (("stated", claim.stated), ("computed", claim.computed), ("why", claim.reason))
        for name, text in (*rows, ("by", judged.claim.formula)):
            yield from textwrap.wrap(
                f"  {name:9} {text}", _WIDTH, subsequent_indent=" " * 12, break_on_hyphens=False
            )
        yield ""
    yield click.style("published runs: published, predicted, ratio, tolerance", bold=True)
    yield ""
    for run in checked.runs:
        mark = click.style("ok    ", fg="green") if run.ok else click.style("missed", fg="red")
        published = f"{run.published:.4g} {run.unit}".strip()
        yield (
            f"{mark}  {run.id:34} {published:>22} {run.predicted:>11.4g} {run.ratio:7.3f} "
            f"{run.tolerance:7.3g}"
        )
        if not run.ok:
            yield from textwrap.wrap(
                run.why, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8
            )
    said = report.summary
    yield ""
    yield (
        f"{said.claims} claims: {said.reproduced} reproduced, {said.conditional} conditional, "
        f"{said.refuted} refuted, {said.inputs} inputs. "
        f"{said.runs_ok} of {said.runs} runs within their tolerance."
    )
