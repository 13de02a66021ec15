"""A summary: the main statements about a matter, the newest and the most witnessed first.

Statements that share telling words are one point. The best of each stands for it, and behind it
stand the witnesses of all of them; a point that nobody else makes is kept when it is new.
"""

import math
from collections.abc import Sequence

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE
from fairwitness.answers.sides import Stance, is_firm
from fairwitness.answers.understand import Asked
from fairwitness.answers.verify import meaning

SHARED = 2
"""Telling words that statements of one point have in common."""

ABOUT = 0.6
"""Share of the best score from which a statement is about the matter."""

CANDIDATES = 120
"""Statements that are grouped, the best first."""

AGE_COUNTS = 0.5
"""What the oldest point loses of its worth for its age."""

_SMALL = frozenset(words.stem(word) for word in GLUE)


def points(asked: Asked, heard: Sequence[Stance], most: int) -> list[Stance]:
    """Return at most `most` points of what was `heard`, the newest and most witnessed first."""
    if not heard:
        return []
    best = max(stance.best for stance in heard)
    about = [s for s in heard if s.best >= ABOUT * best and is_firm(s.spans[0][0].span)]
    groups = _grouped(about[:CANDIDATES], telling_of(asked))
    since_ms = min((group.middle_ms for group in groups), default=0)
    until_ms = max((group.middle_ms for group in groups), default=0)

    def worth(group: Stance) -> float:
        age = (until_ms - group.middle_ms) / max(1, until_ms - since_ms)
        return group.best * math.log(1 + group.witnesses) * (1 - AGE_COUNTS * age)

    return sorted(groups, key=lambda g: (-worth(g), g.first_seen_ms))[:most]


def telling_of(*asked: Asked) -> frozenset[str]:
    """Return the stems that tell nothing: small words, and those of the questions."""
    return _SMALL.union(*(meaning(each.text) for each in asked))


def tells(text: str, known: frozenset[str]) -> frozenset[str]:
    """Return the telling stems of `text`."""
    return frozenset(meaning(text)) - known


def _grouped(stances: Sequence[Stance], known: frozenset[str]) -> list[Stance]:
    telling = [tells(stance.spans[0][0].span.text, known) for stance in stances]
    left = list(range(len(stances)))
    found = []
    while left:
        seed = left[0]
        of_it = [at for at in left if at == seed or one_point(telling[seed], telling[at])]
        left = [at for at in left if at not in of_it]
        spans = tuple(pair for at in of_it for pair in stances[at].spans)
        found.append(Stance("", spans))
    return found


def one_point(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether statements with these telling stems say one thing."""
    return len(one & other) >= min(SHARED, max(1, min(len(one), len(other))))
