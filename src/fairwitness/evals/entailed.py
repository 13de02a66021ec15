"""Whether the verifier's model is right: four sets that people judged or that were made false.

Beside it stand two judges that read nothing: the share of a claim's words that the evidence holds,
and how alike the two texts are to the encoder as it was published. Each judge's threshold is chosen
on four fifths of a set and judged on the last, in turn; the model is judged at its own threshold
too, the one that it ships with. What it was trained on is never in a set.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.evals.hearing import rows_of
from fairwitness.evals.people import People
from fairwitness.models.encoder import meaning
from fairwitness.models.encoder_download import find_encoder
from fairwitness.models.telling import core, sentences_of, telling
from fairwitness.models.verifier import HEAD, Verifier
from fairwitness.train.calibrate import best_threshold
from fairwitness.train.climate import climate_pairs
from fairwitness.train.pairs import (
    FOLDS,
    TAUGHT_FOLDS,
    Pair,
    fold_of,
    made_pairs,
    statements,
    wice_rows,
)

Scores = NDArray[np.float64]
Judge = Callable[[Sequence[Pair]], Scores]
"""Gives each pair a number, the larger the surer that the claim follows."""

MADE = 2_000
_BINS = 10


class Judged(msgspec.Struct, frozen=True):
    """How well one judge did on one set."""

    balanced_accuracy: float
    f1: float
    """Of the pairs that hold."""


class Bin(msgspec.Struct, frozen=True):
    """Pairs of which the model said about the same."""

    pairs: int
    said: float
    held: float


class JudgedSet(msgspec.Struct, frozen=True):
    """One set: how many pairs, how many hold, and how each judge did."""

    pairs: int
    holding: float
    model: Judged
    as_shipped: Judged
    """The model at the threshold that claims of ours must reach."""
    overlap: Judged
    likeness: Judged
    calibration_error: float
    """How far what was said is from what held, over ten bins, weighted by their pairs (ECE)."""
    reliability: tuple[Bin, ...]


class Verification(msgspec.Struct, frozen=True):
    """What the verifier's model is worth."""

    name: str
    macro: float
    """Mean balanced accuracy over the sets, thresholds from the other folds."""
    macro_as_shipped: float
    threshold: float
    sets: dict[str, JudgedSet]
    people: dict[str, People]
    """Of the sets of which every single judgement is known: how far people agree, on all pairs."""
    pair_ms_p50: float
    """CPU time of a pair that was not read before, both texts; `pair_tokens_p50` long."""
    pair_ms_p95: float
    pair_tokens_p50: int
    claim_ms_p50: float
    """CPU time of a new claim whose quotes were read before."""
    encoder_bytes: int
    head_bytes: int


def verification(
    verifier: Verifier,
    sets: Mapping[str, Sequence[Pair]],
    people: Mapping[str, People],
    tell: Callable[[int, int], None],
) -> Verification:
    """Judge the verifier on each set."""
    judged, timed = {}, _Timed([], [], [])
    total, done = sum(map(len, sets.values())), 0
    for name, pairs in sets.items():
        said, likeness = np.zeros(len(pairs)), np.zeros(len(pairs))
        for at, pair in enumerate(pairs):
            said[at] = timed.follows(verifier, pair)
            read = verifier.reader.read(pair.claim, pair.evidence)
            likeness[at] = float(meaning(read[0].x) @ meaning(read[1].x))
            tell(done + at, total)
        done += len(pairs)
        judged[name] = judged_set(pairs, said, likeness, verifier.threshold)
    encoder = find_encoder()
    return Verification(
        name=verifier.name,
        macro=_mean([each.model.balanced_accuracy for each in judged.values()]),
        macro_as_shipped=_mean([each.as_shipped.balanced_accuracy for each in judged.values()]),
        threshold=round(verifier.threshold, 3),
        sets=judged,
        people=dict(people),
        pair_ms_p50=round(float(np.percentile(timed.pair_ms, 50)), 2),
        pair_ms_p95=round(float(np.percentile(timed.pair_ms, 95)), 2),
        pair_tokens_p50=int(np.percentile(timed.tokens, 50)),
        claim_ms_p50=round(float(np.percentile(timed.claim_ms, 50)), 2),
        encoder_bytes=encoder.stat().st_size if encoder else 0,
        head_bytes=HEAD.stat().st_size,
    )


def _mean(figures: Sequence[float]) -> float:
    return round(sum(figures) / len(figures), 3)


@dataclass(frozen=True)
class _Timed:
    """How long each pair took."""

    pair_ms: list[float]
    claim_ms: list[float]
    tokens: list[int]

    def follows(self, verifier: Verifier, pair: Pair) -> float:
        verifier.reader.forget()
        start = time.process_time()
        said = verifier.follows(pair.claim, pair.evidence)
        self.pair_ms.append((time.process_time() - start) * 1000)
        texts = verifier.reader.read(pair.claim, pair.evidence)
        self.tokens.append(sum(len(text.ids) for text in texts))
        verifier.reader.forget()
        verifier.reader.read(pair.evidence)
        start = time.process_time()
        verifier.follows(pair.claim, pair.evidence)
        self.claim_ms.append((time.process_time() - start) * 1000)
        return said


def wice(path: Path) -> list[Pair]:
    """Return the claims of the pages that were not learned from, with what tells most of them."""
    held = [row for row in wice_rows(path) if row.fold not in TAUGHT_FOLDS]
    return [Pair(r.claim, telling(r.claim, r.evidence), r.holds, r.label) for r in held]


def climate_fever(path: Path) -> list[Pair]:
    """Return each claim with each of its sentences, where neither claim nor article was taught."""
    return climate_pairs(path, taught=False)


def qags(folder: Path) -> list[Pair]:
    """Return sentences of summaries with what tells most of them; most of three people judged."""
    found = []
    for path in sorted(folder.glob("mturk_*.jsonl")):
        for row in rows_of(path):
            article = sentences_of(row["article"])
            for each in row["summary_sentences"]:
                yes = sum(one["response"] == "yes" for one in each["responses"])
                holds = 2 * yes > len(each["responses"])
                found.append(Pair(each["sentence"], telling(each["sentence"], article), holds))
    return found


def made(path: Path) -> list[Pair]:
    """Return pairs made of posts of a stream that was not learned from."""
    told = statements(row["text"] for row in rows_of(path))
    return list(made_pairs(told, MADE, Random(7)))


def overlap(pairs: Sequence[Pair]) -> Scores:
    """Return the share of each claim's words that its evidence holds."""
    return np.array([_share(_words(p.claim), _words(p.evidence)) for p in pairs])


def _share(asked: set[str], held: set[str]) -> float:
    return len(asked & held) / max(1, len(asked))


def _words(text: str) -> set[str]:
    return {core(word) for word in text.split()} - {""}


def judged_set(
    pairs: Sequence[Pair], model: Scores, likeness: Scores, threshold: float
) -> JudgedSet:
    """Return how the judges did; `model` is what it said, from 0 to 1."""
    holds = np.array([pair.holds for pair in pairs])
    fold = np.array([fold_of(pair.claim) for pair in pairs])
    bins = _reliability(model, holds)
    return JudgedSet(
        pairs=len(pairs),
        holding=round(float(holds.mean()), 3),
        model=_cross_judged(model, holds, fold),
        as_shipped=_judged(model >= threshold, holds),
        overlap=_cross_judged(overlap(pairs), holds, fold),
        likeness=_cross_judged(likeness, holds, fold),
        calibration_error=round(sum(b.pairs * abs(b.said - b.held) for b in bins) / len(pairs), 3),
        reliability=bins,
    )


def _cross_judged(scores: Scores, holds: NDArray[Any], fold: NDArray[Any]) -> Judged:
    said = np.zeros(len(scores), bool)
    for out in range(FOLDS):
        rest = fold != out
        said[~rest] = scores[~rest] >= best_threshold(scores[rest], holds[rest])
    return _judged(said, holds)


def _judged(said: NDArray[Any], holds: NDArray[Any]) -> Judged:
    right_yes, right_no = (said & holds).sum(), (~said & ~holds).sum()
    balanced = (right_yes / max(1, holds.sum()) + right_no / max(1, (~holds).sum())) / 2
    f1 = 2 * right_yes / max(1, said.sum() + holds.sum())
    return Judged(round(float(balanced), 3), round(float(f1), 3))


def _reliability(said: Scores, holds: NDArray[Any]) -> tuple[Bin, ...]:
    place = np.minimum((said * _BINS).astype(int), _BINS - 1)
    return tuple(
        Bin(
            int((place == at).sum()),
            round(float(said[place == at].mean()), 3),
            round(float(holds[place == at].mean()), 3),
        )
        for at in range(_BINS)
        if (place == at).any()
    )
