"""`plan check`: what was published, beside what our formulas make of it.

Claims are judged by rule, runs are predicted and compared. Data says what came out when somebody
last looked; the check is whole as long as it still comes out like that.
"""

from collections import Counter

import msgspec

from fairwitness.planner.claims.claim import VERDICTS, Judged, claims, judge
from fairwitness.planner.fields import Told
from fairwitness.planner.runs import Run, runs

_HEAD = """# Published claims and runs

Made by `fairwitness plan check --markdown`; a test holds that it is current. A claim is
*reproduced* when our formula gives what it states, *conditional* when that takes something that it
does not say, *refuted* when it does not, and an *input* when it states nothing to compare with.
"""


_CLAIM_COLUMNS = (
    "| claim | stated | computed | by | verdict | reason |",
    "|---|---|---|---|---|---|",
)
_RUN_COLUMNS = (
    "| run | published | predicted | ratio | tolerance | | why |",
    "|---|---|---|---|---|---|---|",
)


class CheckedClaim(msgspec.Struct, frozen=True):
    """A claim as `--json` tells it."""

    id: str
    source: str
    stated: str
    computed: str
    verdict: str
    reason: str


class CheckedRun(msgspec.Struct, frozen=True):
    """A published run as `--json` tells it."""

    id: str
    published: float
    predicted: float
    ratio: float
    tolerance: float
    ok: bool


class Summary(msgspec.Struct, frozen=True):
    """How many came out how."""

    claims: int
    reproduced: int
    refuted: int
    conditional: int
    inputs: int
    runs: int
    runs_ok: int


class Report(msgspec.Struct, frozen=True):
    """What `fairwitness plan check --json` prints."""

    claims: tuple[CheckedClaim, ...]
    runs: tuple[CheckedRun, ...]
    summary: Summary


class Checked(msgspec.Struct, frozen=True):
    """All claims and runs, with what each came to."""

    judged: tuple[Judged, ...]
    runs: tuple[Run, ...]

    @property
    def whole(self) -> bool:
        """Whether every claim and every run came out as recorded."""
        return not self.changed

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of what no longer comes out as it did."""
        claims = [each.claim.id for each in self.judged if not each.as_recorded]
        return (*claims, *(run.id for run in self.runs if not run.as_recorded))

    def report(self) -> Report:
        """Return it in the form of the JSON."""
        counted = Counter(each.verdict for each in self.judged)
        reproduced, refuted, conditional, inputs = (counted[each] for each in VERDICTS)
        return Report(
            tuple(_claim(each) for each in self.judged),
            tuple(_run(each) for each in self.runs),
            Summary(
                len(self.judged),
                reproduced,
                refuted,
                conditional,
                inputs,
                len(self.runs),
                sum(run.ok for run in self.runs),
            ),
        )

    def markdown(self) -> str:
        """Return both tables as a document: `docs/claims.md` is this text."""
        report = self.report()
        said = report.summary
        lines = [
            _HEAD,
            f"{said.claims} claims: {said.reproduced} reproduced, {said.conditional} conditional, "
            f"{said.refuted} refuted, {said.inputs} inputs. "
            f"{said.runs_ok} of {said.runs} runs within their tolerance.",
        ]
        source = ""
        for claim, each in zip(report.claims, self.judged, strict=True):
            if each.claim.source != source:
                source = each.claim.source
                lines += ["", f"## {source[0].upper()}{source[1:]}", "", *_CLAIM_COLUMNS]
            formula = f"`{each.claim.formula}`"
            cells = (claim.id, claim.stated, claim.computed, formula, claim.verdict, claim.reason)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines += ["", "## Runs", "", *_RUN_COLUMNS]
        lines += [
            f"| {run.id} | {run.published:.4g} {run.unit} | {run.predicted:.4g} | {run.ratio:.3f} "
            f"| {run.tolerance:.3g} | {'ok' if run.ok else 'missed'} | {run.why} |"
            for run in self.runs
        ]
        return "\n".join(lines) + "\n"


def check(told: Told) -> Checked:
    """Judge all claims and predict all runs."""
    known = claims()
    judged = []
    for number, claim in enumerate(known):
        told("claims", number, len(known))
        judged.append(judge(claim))
    told("runs", 0, 1)
    return Checked(tuple(judged), runs())


def _claim(judged: Judged) -> CheckedClaim:
    return CheckedClaim(
        judged.claim.id,
        "; ".join(judged.claim.sources),
        judged.stated_text,
        judged.computed_text,
        judged.verdict,
        judged.reason_text,
    )


def _run(run: Run) -> CheckedRun:
    return CheckedRun(run.id, run.published, run.predicted, run.ratio, run.tolerance, run.ok)
