"""What shows whether a claim follows from its evidence: some forty numbers about a pair.

Read off two texts and what the encoder made of their tokens: how much of the claim is found, as
letters and as meaning; whether its numbers and names are; whether either side denies or guesses;
whether things stand in the same order; and how much of the sentence that tells most goes unsaid.
Nothing here is learned: `trees.py` weighs them. English only.

Shapes: t tokens of the claim, s of the evidence, d width of the encoder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.entailment import Read

Floats = NDArray[Any]

_WORD = re.compile(r"\w+(?:[.,'’:-]\w+)*")
_NUMBER = re.compile(r"\d")
_SMALL = frozenset(
    "the a an of in on at to for from by with as is are was were be been being that and or but it"
    " its this these those i you he she we they his her him them my your their our who which what"
    " when how if so than then there have has had do does did will would can could just about into"
    " over after before also such any more most other some".split()
)
_DENIALS = frozenset(
    "not no never none nobody nothing neither nor without cannot isn't aren't wasn't weren't don't"
    " doesn't didn't can't won't couldn't wouldn't shouldn't hasn't haven't hadn't denied denies"
    " deny false unlikely fails failed lack lacks hardly".split()
)
_GUESSES = frozenset(
    "may might could would should possibly perhaps allegedly reportedly probably likely if whether"
    " suspected alleged rumored rumoured expected plans planned hopes considering believed".split()
)
_DOWN = frozenset(
    "decrease decreased decreases decreasing decline declined less fewer lower fell fall falls drop"
    " dropped reduce reduced reduces cooling cooler shrink shrinking melting lost loss".split()
)
_UP = frozenset(
    "increase increased increases increasing rise rose rising rises more greater higher grew grow"
    " growing gain gained warming warmer expand expanding".split()
)
COUNT = 45


def signs(claim: str, evidence: str, own: Read, other: Read) -> Floats:
    """Return the numbers of a pair, float32; `own` and `other` are claim and evidence as read."""
    found = [*_of_words(claim, evidence), *_of_tokens(own, other)]
    return np.array(found, np.float32)


def _of_words(claim: str, evidence: str) -> list[float]:
    said, told = (_WORD.findall(text) for text in (claim, evidence))
    low, held = [word.lower() for word in said], [word.lower() for word in told]
    there = set(held)
    stems = {_stem(word) for word in held}
    telling = [word for word in low if word not in _SMALL]
    numbers = [word for word in low if _NUMBER.search(word)]
    names = [w.lower() for w in said[1:] if w[:1].isupper() and w.lower() not in _SMALL]
    pairs = set(pairwise(held))
    other_numbers = [w for w in there if _NUMBER.search(w) and w not in low]
    return [
        _share(low, there),
        _share(telling, there),
        _share([_stem(word) for word in telling], stems),
        float(len([w for w in set(telling) if _stem(w) not in stems])),
        _share(list(pairwise(low)), pairs),
        _longest(low, held) / max(1, len(low)),
        float(len(numbers)),
        float(len([w for w in numbers if w not in there])),
        float(bool(numbers) and len(other_numbers) > 0),
        float(len(names)),
        float(len([w for w in names if w not in there])),
        _share(names, there),
        _differ(low, held, _DENIALS),
        _differ(held, low, _DENIALS),
        _differ(low, held, _GUESSES),
        _differ(held, low, _GUESSES),
        float(_any(low, _UP) and _any(held, _DOWN) and not _any(held, _UP)),
        float(_any(low, _DOWN) and _any(held, _UP) and not _any(held, _DOWN)),
        float(len(low)),
        float(np.log1p(len(held))),
        len(telling) / max(1, len(low)),
        _swapped(names or telling, held),
    ]


def _stem(word: str) -> str:
    return word[:5] if len(word) > 5 else word.removesuffix("s")


def _share(asked: Sequence[Any], there: set[Any]) -> float:
    return sum(one in there for one in asked) / len(asked) if asked else 1.0


def _any(words: Sequence[str], of: frozenset[str]) -> bool:
    return any(word in of for word in words)


def _differ(ours: Sequence[str], theirs: Sequence[str], of: frozenset[str]) -> float:
    return float(_any(ours, of) and not _any(theirs, of))


def _longest(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest run of words that stands in both."""
    best, row = 0, [0] * (len(other) + 1)
    for word in one:
        before = row
        row = [0] * (len(other) + 1)
        for at, theirs in enumerate(other):
            if word == theirs:
                row[at + 1] = before[at] + 1
                best = max(best, row[at + 1])
    return best


def _swapped(words: Sequence[str], held: Sequence[str]) -> float:
    """Return the share of neighbours of the claim that stand the other way round, always."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for at, word in enumerate(held):
        first.setdefault(word, at)
        last[word] = at
    both = [(a, b) for a, b in pairwise(words) if a in first and b in first]
    turned = [first[a] > last[b] for a, b in both]
    return sum(turned) / len(turned) if turned else 0.0


def _of_tokens(own: Read, other: Read) -> list[float]:
    if min(len(own.ids), len(other.ids)) < 3:
        return [0.0] * (COUNT - 22)
    ids_t, ids_s = own.ids[1:-1], other.ids[1:-1]
    x_td, x_sd = _unit(own.x[1:-1]), _unit(other.x[1:-1])
    like_ts = x_td @ x_sd.T
    word_ts = _unit(own.word[1:-1]) @ _unit(other.word[1:-1]).T
    best_t, near_t, back_s = like_ts.max(1), word_ts.max(1), like_ts.max(0)
    # pieces stand in the vocabulary by how common they are: a place is a rarity
    rare_t = np.log(1 + ids_t / 1_000.0)
    rare_t = rare_t / max(1e-6, rare_t.sum())
    sentences = _sentences(ids_s)
    each = [like_ts[:, a:b].max(1) @ rare_t for a, b in sentences]
    a, b = sentences[int(np.argmax(each))]
    whole_d = _unit(own.x.mean(0)[None])[0]
    alike = [float(_unit(other.x[1 + i : 1 + j].mean(0)[None])[0] @ whole_d) for i, j in sentences]
    joined = best_t + near_t
    return [
        float(whole_d @ _unit(other.x.mean(0)[None])[0]),
        max(alike),
        alike[int(np.argmax(each))],
        float(best_t @ rare_t),
        float(best_t.mean()),
        float(best_t.min()),
        *(float(v) for v in np.percentile(best_t, (10, 25, 50))),
        float(near_t @ rare_t),
        float(near_t.min()),
        float(np.percentile(near_t, 25)),
        float(joined.min()),
        *_of_strange_and_known(best_t, near_t),
        float(max(each)),
        float(back_s.mean()),
        float(back_s[a:b].mean()),
        float(back_s[a:b].min()),
        *_of_order(like_ts.argmax(1)),
        float(len(sentences)),
    ]


def _of_strange_and_known(best_t: Floats, near_t: Floats) -> list[float]:
    """Tell of pieces that stand nowhere in the evidence what they mean there, and how many they
    are; and of those that do, whether any means something else."""
    strange_t, known_t = near_t < 0.7, near_t > 0.9
    return [
        float(best_t[strange_t].mean()) if strange_t.any() else 1.0,
        float(strange_t.mean()),
        float(best_t[known_t].min()) if known_t.any() else 0.0,
    ]


def _of_order(place_t: Floats) -> list[float]:
    steps_t = np.diff(place_t)
    return (
        [float((steps_t > 0).mean()), float((steps_t == 1).mean())] if len(steps_t) else [1.0, 1.0]
    )


_STOPS = (1012, 999, 1029)
"""The pieces ".", "!" and "?" of the vocabulary of BERT."""


def _sentences(ids_s: Floats) -> list[tuple[int, int]]:
    ends = [int(at) + 1 for at in np.flatnonzero(np.isin(ids_s, _STOPS))]
    bounds = [0, *(end for end in ends if end < len(ids_s)), len(ids_s)]
    parts = list(pairwise(bounds))
    return [part for part in parts if part[1] - part[0] > 3] or [(0, len(ids_s))]


def _unit(x_td: Floats) -> Floats:
    unit_td: Floats = x_td / (np.sqrt((x_td * x_td).sum(-1, keepdims=True)) + 1e-6)
    return unit_td
