"""Pairs of a claim and its evidence, and whether the one follows from the other.

Most are made of statements in real streams, by changing them; the rest are claims of Wikipedia that
people held against the pages they cite (WiCE, ODC-BY, github.com/ryokamoi/wice). Only streams whose
licence allows it are learned from. What is held out never shares a page or a stream with the rest.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec

from fairwitness.models.telling import core, telling
from fairwitness.train import swaps
from fairwitness.train.perturb import falsified, kept, reworded

FOLDS = 5
TAUGHT_FOLDS = (0, 1, 2)
"""Of WiCE; claims of the other pages are judged."""
WICE_KINDS = frozenset(
    ("supported", "partially_supported", "not_supported", "marked", "unmarked", "partly")
)
SPOKEN = 0.08
"""Share of pairs in which a statement is somebody's; else a speaker would always be a falsehood."""

_NOISE = re.compile(r"https?://\S*|\bRT\b|@\w+:?|#|&\w+;|\[[^\]]*\]|…|\.\.\.")
_ENGLISH = frozenset("the a of in to is for and on with at by was are from that his he it".split())


@dataclass(frozen=True)
class Pair:
    """A claim, the text it is held against, and the verdict of whoever knows."""

    claim: str
    evidence: str
    holds: bool
    kind: str = ""
    """How it was made, or which label it had."""


class WiceRow(msgspec.Struct, frozen=True):
    """A claim of Wikipedia and the page that it cites."""

    label: str
    supporting_sentences: list[list[int]]
    claim: str
    evidence: list[str]

    @property
    def holds(self) -> bool:
        """Whether people found all of it on the page."""
        return self.label == "supported"

    @property
    def fold(self) -> int:
        """Which of FOLDS it is in; claims that cite one page are in one."""
        return fold_of(" ".join(self.evidence[:20]))


def fold_of(text: str) -> int:
    """Return the fold that a text is in, the same on every machine."""
    return sha256(text.encode("utf-8", "replace")).digest()[0] % FOLDS


def wice_rows(path: Path) -> list[WiceRow]:
    """Read `claim/dev.jsonl` of WiCE."""
    return [msgspec.json.decode(line, type=WiceRow) for line in path.read_bytes().splitlines()]


def statements(texts: Iterable[str]) -> list[str]:
    """Return the English statements among `texts`, without links, handles and signs, each once."""
    found: dict[str, None] = {}
    for text in texts:
        plain = " ".join(_NOISE.sub(" ", text).split()).strip(" \"'“”-|:")
        words = plain.split()
        if 7 <= len(words) <= 40 and not plain.endswith("?"):
            english = sum(core(word) in _ENGLISH for word in words)
            letters = sum(letter.isascii() for letter in plain)
            if english >= 2 and letters >= 0.97 * len(plain):
                found.setdefault(plain)
    return list(found)


def made_pairs(told: Sequence[str], count: int, rng: Random) -> Iterator[Pair]:
    """Yield `count` pairs, half of which hold, made of statements."""
    near = _Neighbours(told)
    for number in range(count):
        at = rng.randrange(len(told))
        others = [told[n] for n in near.of(at, rng, 3)]
        pair = None
        if rng.random() < SPOKEN:
            yield _spoken(told[at], others, rng, holds=number % 2 == 0)
            continue
        if number % 2 == 0:
            pair = Pair(kept(told[at], rng), "", True, "kept")
        elif rng.random() < 0.15 and others:
            pair = Pair(kept(others[0], rng), "", False, "other")
            others = others[1:]
        else:
            # what was kept is falsified, so that both kinds are cut and reworded alike
            made = falsified(kept(told[at], rng), rng, [*others, told[rng.randrange(len(told))]])
            pair = Pair(made[0], "", False, made[1]) if made else None
        if pair is None or (not pair.holds and _says(pair.claim, told[at])):
            continue
        yield Pair(pair.claim, _among(told[at], others, rng), pair.holds, pair.kind)


def _spoken(statement: str, others: Sequence[str], rng: Random, *, holds: bool) -> Pair:
    """Return a pair in which somebody says a statement: who says it in the evidence, or another."""
    who, other = rng.sample(swaps.SPEAKERS, 2)
    saying = rng.choice(swaps.SAYINGS)
    claim = saying.format(who=who if holds else other, what=reworded(statement, rng))
    spoken = rng.choice(swaps.SAYINGS).format(who=who, what=statement)
    return Pair(claim, _among(spoken, others, rng), holds, "spoken" if holds else "speaker")


def _says(claim: str, statement: str) -> bool:
    """Whether every word of a claim stands in the statement in one run: then it does follow."""
    plain = " ".join(filter(None, map(core, claim.split())))
    return plain in " ".join(filter(None, map(core, statement.split())))


def _among(statement: str, others: Sequence[str], rng: Random) -> str:
    """Return the evidence: the statement alone, or among others about the like."""
    beside = list(others[: rng.choice([0, 0, 0, 1, 1, 2])])
    beside.insert(rng.randint(0, len(beside)), statement)
    return " ".join(text if text.endswith((".", "!")) else f"{text}." for text in beside)


class _Neighbours:
    """Which statements share rare words with one."""

    def __init__(self, told: Sequence[str]) -> None:
        self._words = [
            {core(word) for word in text.split() if len(core(word)) > 4} for text in told
        ]
        self._holders: dict[str, list[int]] = defaultdict(list)
        for at, words in enumerate(self._words):
            for word in sorted(words):
                self._holders[word].append(at)

    def of(self, at: int, rng: Random, most: int) -> list[int]:
        """Return up to `most` others, those that share most first."""
        shared: Counter[int] = Counter()
        for word in sorted(self._words[at]):
            holders = self._holders[word]
            if len(holders) <= 2_000:
                for other in rng.sample(holders, min(len(holders), 30)):
                    shared[other] += 1
        shared.pop(at, None)
        unlike = (n for n, _ in shared.most_common(20) if self._unlike(at, n))
        return [n for n, _ in zip(unlike, range(most), strict=False)]

    def _unlike(self, one: int, other: int) -> bool:
        both = self._words[one] & self._words[other]
        return len(both) <= 0.5 * min(len(self._words[one]), len(self._words[other]))


def wice_pairs(rows: Iterable[WiceRow], rng: Random) -> Iterator[Pair]:
    """Yield pairs that people judged, and such as follow from what they marked."""
    for row in rows:
        marked = sorted({n for group in row.supporting_sentences for n in group})
        yield Pair(row.claim, telling(row.claim, row.evidence), row.holds, row.label)
        if row.holds:
            group = rng.choice(row.supporting_sentences)
            yield Pair(row.claim, " ".join(row.evidence[n] for n in group), True, "marked")
            rest = [text for n, text in enumerate(row.evidence) if n not in marked]
            if rest:
                yield Pair(row.claim, telling(row.claim, rest), False, "unmarked")
        elif marked:
            part = " ".join(row.evidence[n] for n in marked)
            yield Pair(row.claim, part, False, "partly")
