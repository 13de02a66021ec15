"""`plan check`: the JSON's exact form, and a check that fails when something changed."""

from pathlib import Path

import msgspec
import pytest

from fairwitness.planner.check import Checked, check
from fairwitness.planner.claims.claim import VERDICTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checked() -> Checked:
    return check(lambda step, done, total: None)


def test_everything_comes_out_as_recorded(checked: Checked) -> None:
    assert checked.changed == ()
    assert checked.whole


def test_the_json_has_exactly_this_form(checked: Checked) -> None:
    told = msgspec.to_builtins(checked.report())
    assert list(told) == ["claims", "runs", "summary"]
    for claim in told["claims"]:
        assert list(claim) == ["id", "source", "stated", "computed", "verdict", "reason"]
        assert all(isinstance(value, str) and value for value in claim.values())
        assert claim["verdict"] in VERDICTS
    for run in told["runs"]:
        assert list(run) == ["id", "published", "predicted", "ratio", "tolerance", "ok"]
        assert run["ratio"] == pytest.approx(run["predicted"] / run["published"])
    assert list(told["summary"]) == [
        "claims", "reproduced", "refuted", "conditional", "inputs", "runs", "runs_ok",
    ]  # fmt: skip


def test_the_summary_counts(checked: Checked) -> None:
    report = checked.report()
    said = report.summary
    assert said.claims == len(report.claims)
    assert said.reproduced + said.refuted + said.conditional + said.inputs == said.claims
    assert said.runs == len(report.runs)
    assert said.runs_ok == sum(run.ok for run in report.runs)


def test_a_claim_that_came_out_otherwise_is_named(checked: Checked) -> None:
    first = checked.judged[0]
    other = msgspec.structs.replace(first, computed=(1e9, 2e9), verdict="refuted")
    changed = Checked((other, *checked.judged[1:]), checked.runs)
    assert changed.changed == (first.claim.id,)
    assert not changed.whole
    assert "recorded as reproduced" in changed.report().claims[0].reason


def test_a_run_that_is_missed_unexpectedly_is_named(checked: Checked) -> None:
    good = next(run for run in checked.runs if run.ok and run.low is None)
    worse = msgspec.structs.replace(good, predicted=good.published * (2 + good.tolerance))
    runs = tuple(worse if run is good else run for run in checked.runs)
    changed = Checked(checked.judged, runs)
    assert changed.changed == (good.id,)
    assert changed.report().summary.runs_ok == checked.report().summary.runs_ok - 1


def test_the_document_is_current(checked: Checked) -> None:
    """Make it again with `fairwitness plan check --markdown > docs/claims.md`."""
    assert (ROOT / "docs" / "claims.md").read_text("utf-8") == checked.markdown()


def test_the_markdown_has_a_row_for_each(checked: Checked) -> None:
    text = checked.markdown()
    for each in checked.judged:
        assert f"| {each.claim.id} |" in text
    for run in checked.runs:
        assert f"| {run.id} |" in text
