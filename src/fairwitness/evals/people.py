"""How far people agree on whether a claim follows: what a judge of their pairs can reach at most.

Where several people judged a pair by themselves, each of them can be judged by the others, as the
verifier is judged by all of them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from fairwitness.evals.hearing import rows_of


class People(msgspec.Struct, frozen=True):
    """How well people foretell each other."""

    balanced_accuracy: float
    """Of one, judged by most of the others who read the same pair; nobody where those are split."""
    of_one_mind: float
    """Share of the pairs, with two judgements or more, that all judged alike."""


def people(votes: Iterable[Sequence[bool]]) -> People:
    """Return how far judgements agree; `votes` are those of one pair, True where it holds."""
    said, held, alike = [], [], []
    for each in votes:
        if len(each) < 2:
            continue
        alike.append(len(set(each)) == 1)
        for one in each:
            rest = sum(each) - one
            if 2 * rest != len(each) - 1:
                said.append(one)
                held.append(2 * rest > len(each) - 1)
    yes, held_n = np.array(said), np.array(held)
    balanced = (yes[held_n].mean() + (~yes[~held_n]).mean()) / 2
    return People(round(float(balanced), 3), round(float(np.mean(alike)), 3))


def qags_votes(folder: Path) -> list[list[bool]]:
    """Return what three people said of each sentence of QAGS' summaries."""
    return [
        [one["response"] == "yes" for one in sentence["responses"]]
        for path in sorted(folder.glob("mturk_*.jsonl"))
        for row in rows_of(path)
        for sentence in row["summary_sentences"]
    ]


def climate_votes(path: Path) -> list[list[bool]]:
    """Return who said of each sentence of Climate-FEVER that it supports its claim."""
    return [
        [vote == "SUPPORTS" for vote in each["votes"] if vote]
        for row in rows_of(path)
        for each in row["evidences"]
    ]
