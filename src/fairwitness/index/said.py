"""Conditions on what is said in a post: which rows of a slice hold some words."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.index import pointing, tokens
from fairwitness.index.ask import aside_key, text_key
from fairwitness.index.query import Condition
from fairwitness.kernels.postings import Run

_READ_CHARS = 10_000
"""So much of one condition is read."""
_PHRASE_TOKENS = 64
"""The first tokens find every post that holds the whole, and hardly any other."""
_ANY_WORD = re.compile(r"(?<!\S)\*(?!\S)")
_SCHEME = re.compile(r"^https?://(www\.)?", re.IGNORECASE)

Rows = NDArray[np.int64]


class Placed(NamedTuple):
    """A token of a phrase, and how many tokens after the first it stands."""

    offset: int
    token: str


class Said(NamedTuple):
    """What a condition asks for: a phrase in the text, or words that all stand beside it."""

    phrase: tuple[Placed, ...]
    aside: tuple[str, ...]

    def rows_in(self, run: Run) -> Rows:
        """Return the rows of a run that say it, whether the condition is negated or not."""
        found = np.zeros(0, np.int64)
        if self.phrase:
            keys = [text_key(token) for _, token in self.phrase]
            found = run.rows_saying(keys, [offset for offset, _ in self.phrase])
        if self.aside:
            found = np.union1d(found, _holding(run, map(aside_key, self.aside)))
        return found


def said(condition: Condition) -> Said | None:
    """Return what to look for, or None when there is no word in it, so no post says it."""
    text = str(condition.value)[:_READ_CHARS]
    match condition.kind:
        case "to":
            found = Said((), tuple(tokens.signs_of(pointing.to(text))))
        case "site":
            found = Said((), tuple(tokens.signs_of(pointing.site(text))))
        case "phrase":
            found = Said(_placed(text), ())
        case _ if text.startswith(tuple("#@$")):
            found = Said((), tuple(tokens.signs_of(text)))
        case _:
            phrase = _placed(_SCHEME.sub("", text))
            found = Said(phrase, tuple(dict.fromkeys(token for _, token in phrase)))
    return found if found.phrase or found.aside else None


def _holding(run: Run, keys: Iterable[int]) -> Rows:
    """Return the rows that hold all of some keys, of which there is at least one."""
    found: Rows | None = None
    for key in keys:
        rows = run.rows_with(key)
        found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
        if not len(found):
            break
    assert found is not None
    return found


def _placed(text: str) -> tuple[Placed, ...]:
    """Return the tokens of a phrase; a lone `*` takes the place of one."""
    placed: list[Placed] = []
    offset = 0
    for number, piece in enumerate(_ANY_WORD.split(text)):
        offset += number > 0
        for token in tokens.of_question(piece):
            placed.append(Placed(offset, token))
            offset += 1
    first = placed[0].offset if placed else 0
    return tuple(Placed(at - first, token) for at, token in placed[:_PHRASE_TOKENS])
