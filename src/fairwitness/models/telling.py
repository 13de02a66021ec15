"""Which sentences of a text tell most of a claim: those that share its rare words.

What is read of a long text is chosen so, where the verifier is used, judged and taught.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import log

_WORD = re.compile(r"^\W*([\w'’-]*\w|\w)\W*$")
_SENTENCE = re.compile(r"(?<=[.!?])[\"”']?\s+(?=[\"“']?[A-Z0-9])")


def sentences_of(text: str) -> list[str]:
    """Return the sentences of prose."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def core(word: str) -> str:
    """Return a word without what is written around it, in lower case."""
    match = _WORD.match(word)
    return match.group(1).lower() if match else ""


def words_in(text: str) -> int:
    """Return how many words a text has."""
    return len(text.split())


def telling(
    claim: str,
    sentences: Sequence[str],
    most: int = 4,
    room: int = 110,
    length: Callable[[str], int] = words_in,
) -> str:
    """Return those of `sentences` that share most with a claim, in their own order.

    Rare words count for more. Up to `most` sentences are returned, no longer than `room` together
    by `length`; but the one that shares most always is.
    """
    held = [{core(word) for word in text.split()} - {""} for text in sentences]
    holders = Counter(word for each in held for word in each)
    asked = {core(word) for word in claim.split()} - {""}
    scores = [
        # in one order, since sums of floats depend on it
        sum(log(1 + len(held) / holders[word]) for word in sorted(each & asked))
        / (len(each) + 12) ** 0.35
        for each in held
    ]
    chosen: list[int] = []
    for at in sorted(range(len(held)), key=lambda at: -scores[at])[:most]:
        long = length(sentences[at])
        if chosen and long > room:
            continue
        chosen.append(at)
        room -= long
    return " ".join(sentences[at] for at in sorted(chosen))
