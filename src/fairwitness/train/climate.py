"""Claims about the climate, each with five sentences of Wikipedia that people held it against.

CLIMATE-FEVER (arXiv:2012.00614, github.com/tdiggelm/climate-fever-dataset). Its repository states
no licence; nothing of its text is kept in what is learned. A claim and an article are each in one
fold: a pair is taught or judged only when both are on that side, so neither is ever on both.
"""

from pathlib import Path

import msgspec

from fairwitness.train.pairs import TAUGHT_FOLDS, Pair, fold_of


class ClimateEvidence(msgspec.Struct, frozen=True):
    """A sentence, where it stands, and what people said of the claim by it."""

    evidence: str
    article: str
    evidence_label: str


class ClimateRow(msgspec.Struct, frozen=True):
    """A claim with its sentences."""

    claim: str
    evidences: list[ClimateEvidence]


def climate_pairs(path: Path, *, taught: bool) -> list[Pair]:
    """Return the pairs that are learned from, or those that are judged; it holds where a sentence
    supports the claim."""
    rows = [msgspec.json.decode(line, type=ClimateRow) for line in path.read_bytes().splitlines()]
    return [
        Pair(row.claim, each.evidence, each.evidence_label == "SUPPORTS", each.evidence_label)
        for row in rows
        for each in row.evidences
        if _sides(row.claim, each.article) == {taught}
    ]


def _sides(claim: str, article: str) -> set[bool]:
    return {fold_of(text) in TAUGHT_FOLDS for text in (claim, article)}
