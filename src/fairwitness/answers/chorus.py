"""What many posts say in the same words: copies of one statement, however each is dressed up.

Copies differ in what stands before and behind: a tag, a number, a few words. A run of words in the
middle is the same in all of them, so the run that half of the posts have is what they copy. Runs of
the question's own words tell nothing: whoever answers it may use them.
"""

from collections import Counter
from collections.abc import Sequence

from fairwitness.answers import words
from fairwitness.answers.understand import Asked, is_glue

_WORDS = 4
_CHARS = 8
"""So long is a run; of characters in scripts without spaces."""

_HEARD = 100
"""Of so many texts, evenly chosen, it is found what half of all say."""


def chorus(asked: Asked, texts: Sequence[str]) -> str:
    """Return a run of words that half of `texts` or more have, folded; empty when there is none."""
    heard = texts[:: max(1, len(texts) // _HEARD)]
    count = Counter(run for text in heard for run in _runs(text))
    known = words.stems(asked.text)
    often = [
        (-_telling(run, known), -many, run)
        for run, many in count.items()
        if many > 1 and 2 * many >= len(heard) and _telling(run, known)
    ]
    return min(often)[2] if often else ""


def _runs(text: str) -> set[str]:
    said = [words.fold(match.group()) for match in words.spaced(text)]
    runs = {" ".join(said[at : at + _WORDS]) for at in range(len(said) - _WORDS + 1)}
    for match in words.unspaced_runs(text):
        run = match.group()
        runs.update(run[at : at + _CHARS] for at in range(len(run) - _CHARS + 1))
    return runs


def _telling(run: str, known: frozenset[str]) -> int:
    """Return how many words of `run` the question does not have."""
    return len(words.stems(run) - known - {word for word in run.split() if is_glue(word)})
