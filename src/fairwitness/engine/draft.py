"""Tokens guessed ahead, and how many of them are worth running.

What came last has often stood before, and then it goes on as it did: answers that quote are copies
of their prompt. A wrong guess changes no answer, for the model keeps what it would have said itself
(see `choosing`), but each row takes time. So a guess is cut where the tokens that it is likely to
bring no longer pay for the rows. How likely a token is follows from how many tokens before it
agree, and from how such guesses went in this answer.

Looking up is Saxena's prompt lookup decoding (github.com/apoorvumang/prompt-lookup-decoding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_MATCH = 4  # more that agree say no more
FORM, MODEL = 5, 6
LIKELY = {1: 0.35, 2: 0.6, 3: 0.75, LONGEST_MATCH: 0.9, FORM: 0.88, MODEL: 0.7}
"""How often a token of each grade is right, before anything is known of the answer: one before
which so many agree, one that a form makes likely, one of a draft model."""
BELIEF = 6.0  # as many tries as that is worth
MEMORY = 0.98  # of what was heard, at each asking


@dataclass(frozen=True)
class Guess:
    """Tokens that may follow, each with its grade in `LIKELY`."""

    ids: tuple[int, ...] = ()
    grades: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ids)


class Odds:
    """How guesses of each grade went in one answer."""

    def __init__(self) -> None:
        self._tried = dict.fromkeys(LIKELY, 0.0)
        self._right = dict.fromkeys(LIKELY, 0.0)

    def worth(self, grades: Sequence[int], writing: int, costs: Sequence[float]) -> int:
        """How many of the guessed tokens to run in a step of `writing` rows, so that it brings the
        most tokens for its time. `costs` says what steps of 1, 2, … rows take; there are no larger
        ones. What was heard long ago counts less, so what went wrong is tried again."""
        for told in (self._tried, self._right):
            for grade in told:
                told[grade] *= MEMORY
        tokens, all_right = float(writing), 1.0
        best, count = tokens / costs[writing - 1], 0
        for place, (grade, cost) in enumerate(zip(grades, costs[writing:], strict=False), 1):
            all_right *= self._likely(grade)
            tokens += all_right
            if tokens / cost > best:
                best, count = tokens / cost, place
        return count

    def heard(self, grades: Sequence[int], right: int) -> None:
        """The first `right` of the tokens that were run were right; what came after the first wrong
        one says nothing."""
        for place, grade in enumerate(grades[: right + 1]):
            self._tried[grade] += 1
            self._right[grade] += place < right

    def _likely(self, grade: int) -> float:
        believed = LIKELY[grade] * BELIEF
        return (believed + self._right[grade]) / (BELIEF + self._tried[grade])


class PromptLookup:
    """The index of one sequence: after which tokens it went on where.

    What it proposes follows from the ids alone; that it remembers those of the last call only saves
    time: a token costs `LONGEST_MATCH` entries.
    """

    def __init__(self) -> None:
        self._follower: dict[tuple[int, ...], int] = {}  # last tokens → place of what came next
        self._read = 1

    def propose(self, ids: Sequence[int], most: int) -> Guess:
        """At most `most` tokens that may follow `ids`: a copy of what stands after the latest
        earlier occurrence of its last tokens, of as many as agree, again and again if that reaches
        the end. Empty if the last one never stood before.

        `ids` are those of the last call and maybe more.
        """
        assert len(ids) >= self._read - 1, "the ids of a sequence only grow"
        for place in range(self._read, len(ids)):
            for length in range(1, min(LONGEST_MATCH, place) + 1):
                self._follower[tuple(ids[place - length : place])] = place
        self._read = max(self._read, len(ids))
        for length in range(LONGEST_MATCH, 0, -1):
            place = self._follower.get(tuple(ids[-length:]), 0)
            if place:
                period = len(ids) - place
                copy = tuple(ids[place + i % period] for i in range(most))
                return Guess(copy, tuple(min(length + i, LONGEST_MATCH) for i in range(most)))
        return Guess()
