"""`python -m fairwitness.train --data FOLDER --out FILE`: make the verifier's head from streams.

Minutes on one core, most of them for reading each text once with the encoder. Learned from: titles
of Reddit (PDDL), tweets of FiveThirtyEight (CC BY 4.0) and of CrisisLex T6 (MIT), pages and claims
of three fifths of WiCE's dev set (ODC-BY). Nothing else: other sets are only judged by.
"""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from gzip import open as open_gzip
from pathlib import Path
from random import Random

from fairwitness.models.encoder_download import pull_encoder
from fairwitness.models.encoder_files import open_encoder
from fairwitness.models.entailment import Reader
from fairwitness.train.calibrate import calibrated
from fairwitness.train.entailment import Lesson, learn, read_all, said
from fairwitness.train.heads import write_head
from fairwitness.train.pairs import (
    TAUGHT_FOLDS,
    Pair,
    fold_of,
    made_pairs,
    statements,
    wice_pairs,
    wice_rows,
)

STREAMS = {
    "reddit-top-2013/posts_subset.jsonl.gz": ("title", 0.38),
    "fivethirtyeight-tweets/trump_obama.jsonl.gz": ("text", 0.10),
    "crisislex/t6_labeled.jsonl.gz": ("text", 0.12),
}
"""Files in the folder of data: the field that is read, and its share of the made pairs."""

WICE = "ground-wice/data/entailment_retrieval/claim/dev.jsonl"
WICE_SHARE = 0.40
PAIRS = 6_500
CHOSEN_BY = 4
"""The fold of the evidence that is not learned from, but sets calibration and threshold."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the head and write it."""
    parser = ArgumentParser(prog="python -m fairwitness.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of streams and of WiCE")
    parser.add_argument("--out", type=Path, required=True, help="the head; must not be there yet")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how many are made")
    options = parser.parse_args(arguments)
    lesson = Lesson()
    pairs = taught(options.data, options.pairs, lesson.seed)
    _tell(f"{len(pairs)} pairs, {sum(pair.holds for pair in pairs)} of them hold")
    reader = Reader(*open_encoder(pull_encoder()))
    started_s = time.monotonic()

    def tell(done: int, total: int) -> None:
        _tell(f"read {done} of {total}, {time.monotonic() - started_s:.0f} s")

    claims = read_all(reader, [pair.claim for pair in pairs], tell)
    evidence = read_all(reader, [pair.evidence for pair in pairs], tell)
    chosen = [at for at, pair in enumerate(pairs) if _chooses(pair)]
    learned = [at for at, pair in enumerate(pairs) if not _chooses(pair)]
    holds = [pair.holds for pair in pairs]
    head = None
    for pupil, loss in learn(
        claims.only(learned), evidence.only(learned), [holds[at] for at in learned], lesson
    ):
        head = pupil.head
        if pupil.steps % 50 == 0:
            _tell(f"step {pupil.steps}, loss {loss:.4f}, {time.monotonic() - started_s:.0f} s")
    logit = said(head, claims.only(chosen), evidence.only(chosen))
    scale, shift, threshold = calibrated(logit, [holds[at] for at in chosen])
    _tell(f"scale {scale:.3f}, shift {shift:.3f}, threshold {threshold:.3f}")
    _tell(f"sha256 {write_head(options.out, head, scale, shift, threshold)}")


def taught(data: Path, count: int, seed: int) -> list[Pair]:
    """Return the pairs that are learned from or chosen by; the same for the same seed."""
    rng = Random(seed)
    rows = [row for row in wice_rows(data / WICE) if row.fold in TAUGHT_FOLDS]
    pairs: list[Pair] = []
    for name, (field, share) in STREAMS.items():
        told = statements(_texts(data / name, field))
        pairs += made_pairs(told, int(count * share), rng)
    pages = statements(text for row in rows for text in row.evidence)
    pairs += made_pairs(pages, int(count * WICE_SHARE), rng)
    pairs += wice_pairs(rows, rng)
    return pairs


def _chooses(pair: Pair) -> bool:
    return fold_of(pair.evidence) == CHOSEN_BY and Random(pair.evidence).random() < 0.5


def _texts(path: Path, field: str) -> Iterator[str]:
    with open_gzip(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line).get(field) or ""


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
