"""`python -m fairwitness.train --data FOLDER --out FILE`: make the verifier's head and its trees.

Minutes on one core, most of them for reading texts with the encoder. The head learns from titles of
Reddit (PDDL), tweets of FiveThirtyEight (CC BY 4.0) and of CrisisLex T6 (MIT), pages and claims of
three fifths of WiCE's dev set (ODC-BY); the trees from those and from three fifths of the claims
and articles of Climate-FEVER. Nothing else: other sets are only judged by.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from gzip import open as open_gzip
from pathlib import Path
from random import Random

from fairwitness.models.encoder import Parameters
from fairwitness.models.encoder_download import pull_encoder
from fairwitness.models.encoder_files import open_encoder
from fairwitness.models.entailment import Reader
from fairwitness.models.verifier import Head
from fairwitness.train.climate import climate_pairs
from fairwitness.train.entailment import Lesson, as_used, learn, read_all
from fairwitness.train.grow import Growth
from fairwitness.train.heads import write_head
from fairwitness.train.pairs import (
    TAUGHT_FOLDS,
    WICE_KINDS,
    Pair,
    WiceRow,
    fold_of,
    made_pairs,
    statements,
    wice_pairs,
    wice_rows,
)
from fairwitness.train.weighing import drawn_again, grown, rows_of

STREAMS = {
    "reddit-top-2013/posts_subset.jsonl.gz": ("title", 0.38),
    "fivethirtyeight-tweets/trump_obama.jsonl.gz": ("text", 0.10),
    "crisislex/t6_labeled.jsonl.gz": ("text", 0.12),
}
"""Files in the folder of data: the field that is read, and its share of the made pairs."""

WICE = "ground-wice/data/entailment_retrieval/claim/dev.jsonl"
WICE_SHARE = 0.40
CLIMATE = "ground-climatefever/dataset/climate-fever.jsonl"
PAIRS = 6_500
WEIGHED = 1_800
"""Pairs made of streams that the trees learn from; drawn anew, by a seed of their own."""
_DRAWN_SEED = 99
KEPT_BACK = 4
"""The fold of the evidence of which half is not learned from by the head."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the head and write it."""
    parser = ArgumentParser(prog="python -m fairwitness.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of streams and of WiCE")
    parser.add_argument("--out", type=Path, required=True, help="the head; must not be there yet")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how many are made")
    options = parser.parse_args(arguments)
    lesson, rng = Lesson(), Random(Lesson().seed)
    rows = [row for row in wice_rows(options.data / WICE) if row.fold in TAUGHT_FOLDS]
    pairs = taught(options.data, options.pairs, rows, rng)
    _tell(f"{len(pairs)} pairs, {sum(pair.holds for pair in pairs)} of them hold")
    reader = Reader(*open_encoder(pull_encoder()))
    weights = _head(reader, pairs, lesson)
    weighed = weighed_pairs(options.data, rows, pairs, rng)
    seen = rows_of(reader, weights, weighed, _progress("weighed", time.monotonic()))
    trees, (scale, shift, threshold) = grown(seen, weighed, Growth())
    _tell(f"scale {scale:.3f}, shift {shift:.3f}, threshold {threshold:.3f}")
    _tell(f"sha256 {write_head(options.out, Head(weights, trees, scale, shift, threshold))}")


def _head(reader: Reader, pairs: Sequence[Pair], lesson: Lesson) -> Parameters:
    started_s = time.monotonic()
    claims = read_all(reader, [pair.claim for pair in pairs], _progress("read", started_s))
    evidence = read_all(reader, [pair.evidence for pair in pairs], _progress("read", started_s))
    learned = [at for at, pair in enumerate(pairs) if not _kept_back(pair)]
    holds = [pairs[at].holds for at in learned]
    head = None
    for pupil, loss in learn(claims.only(learned), evidence.only(learned), holds, lesson):
        head = pupil.head
        if pupil.steps % 50 == 0:
            _tell(f"step {pupil.steps}, loss {loss:.4f}, {time.monotonic() - started_s:.0f} s")
    used: Parameters = as_used(head)
    return used


def _progress(what: str, started_s: float) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        _tell(f"{what} {done} of {total}, {time.monotonic() - started_s:.0f} s")

    return tell


def taught(data: Path, count: int, rows: Sequence[WiceRow], rng: Random) -> list[Pair]:
    """Return the pairs that the head learns from; the same for the same seed."""
    pairs: list[Pair] = []
    for name, (field, share) in STREAMS.items():
        told = statements(_texts(data / name, field))
        pairs += made_pairs(told, int(count * share), rng)
    pages = statements(text for row in rows for text in row.evidence)
    pairs += made_pairs(pages, int(count * WICE_SHARE), rng)
    pairs += wice_pairs(rows, rng)
    return pairs


def weighed_pairs(
    data: Path, rows: Sequence[WiceRow], first: Sequence[Pair], rng: Random
) -> list[Pair]:
    """Return the pairs that the trees learn from; `first` are those of the head."""
    made: list[Pair] = []
    drawn = Random(_DRAWN_SEED)
    for name, (field, share) in STREAMS.items():
        told = statements(_texts(data / name, field))
        made += made_pairs(told, int(WEIGHED * share / (1 - WICE_SHARE)), drawn)
    judged = drawn_again(rows, [pair for pair in first if pair.kind in WICE_KINDS], rng)
    return [*made, *judged, *climate_pairs(data / CLIMATE, taught=True)]


def _kept_back(pair: Pair) -> bool:
    return fold_of(pair.evidence) == KEPT_BACK and Random(pair.evidence).random() < 0.5


def _texts(path: Path, field: str) -> Iterator[str]:
    with open_gzip(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line).get(field) or ""


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
