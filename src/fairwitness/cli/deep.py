"""A report in a terminal: how far it is on standard error, all of it at its end.

Every step carries the report by then, so an interruption loses no sentence that was verified.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from fairwitness.answers import Budget, Progressed, Report, Reported
from fairwitness.cli import client
from fairwitness.cli.asking import fail, print_json
from fairwitness.cli.opening import errors
from fairwitness.cli.telling import safe, show_disputes, show_sources, shown

Steps = Iterator[Progressed | Reported]

INTERRUPTED = 130


def reported_by(url: str, body: dict[str, Any], budget: Budget) -> Steps:
    """Yield the steps of a report that a running server makes."""
    asked = {**body, **msgspec.to_builtins(budget), "stream": True}
    for event, data in client.events(url, "/v1/deep", asked):
        if event == "progressed":
            yield msgspec.json.decode(data, type=Progressed)
        elif event == "reported":
            yield msgspec.json.decode(data, type=Reported)
        elif event == "error":
            fail(msgspec.json.decode(data)["error"]["message"])


def show_report(steps: Steps, as_json: bool) -> None:
    """Show a report when it has ended, or when Ctrl-C ends it: then as partial, exit code 130."""
    report: Report | None = None
    told, interrupted = "", False
    try:
        with errors.status("planning") as line:
            for step in steps:
                report = step.report
                if isinstance(step, Progressed) and (far := _far(step)) != told:
                    told = far
                    line.update(Text(far))
                    if not errors.is_terminal:
                        errors.print(Text(far))
    except KeyboardInterrupt:
        if report is None:
            raise
        interrupted = True
        report = msgspec.structs.replace(report, partial="interrupted")
    assert report is not None
    if as_json:
        print_json(report)
    else:
        _tell(report, Console(highlight=False))
    if interrupted:
        raise SystemExit(INTERRUPTED)


def _far(step: Progressed) -> str:
    plan = step.report.plan
    return f"{step.at + 1}/{len(plan)} {safe(plan[step.at].question)}"


def _tell(report: Report, console: Console) -> None:
    for section in report.sections:
        console.print(Text(f"\n{safe(section.question)}", style="bold underline"))
        if section.abstention:
            console.print(Text(section.abstention))
        for sentence in section.sentences:
            console.print(shown(sentence))
    show_disputes(report.disputes, console)
    if report.timeline:
        console.print(Text("\nTimeline", style="bold underline"))
    for moment in report.timeline:
        who = f"{moment.at} {safe(moment.author)} on {safe(moment.network)}: "
        console.print(Text(who).append(shown(moment.quote)))
    show_sources(report.sources, console)
    console.print(Text("\n" + " · ".join(_about(report)), style="dim"))


def _about(report: Report) -> Iterator[str]:
    asked = sum(step.state not in ("open", "asking") for step in report.plan)
    yield f"{asked} of {len(report.plan)} searches as of {report.as_of}"
    yield f"{report.seconds:.1f} s, {report.tokens:,} tokens"
    if report.partial:
        why = "interrupted" if report.partial == "interrupted" else "its seconds are over"
        yield f"PARTIAL: {why}"
    if report.without_model:
        yield "the model was not asked everywhere: its budget is spent"
