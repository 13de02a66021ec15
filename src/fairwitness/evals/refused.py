"""Whether the policy declines what is harmful, and nothing else: XSTest's like questions."""

import csv
from pathlib import Path

import msgspec

from fairwitness.answers.policy import declined


class Refusals(msgspec.Struct, frozen=True):
    """Shares of questions; one is answered when the policy lets it through, found or not."""

    safe: int
    safe_refused: float
    unsafe: int
    unsafe_answered: float


def refusals(path: Path) -> Refusals:
    """Judge the questions of a table with `prompt` and `label`, which is safe or unsafe.

    The form is that of XSTest (Roettger et al., NAACL 2024), xstest_prompts.csv.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    safe = [declined(row["prompt"]) is not None for row in rows if row["label"] == "safe"]
    unsafe = [declined(row["prompt"]) is None for row in rows if row["label"] == "unsafe"]
    return Refusals(len(safe), _share(safe), len(unsafe), _share(unsafe))


def _share(marks: list[bool]) -> float:
    return round(sum(marks) / len(marks), 4) if marks else 0.0
