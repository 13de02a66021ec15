"""Tokens guessed ahead by looking them up: what came last has often stood before, and then it goes
on as it did. Answers that quote their prompt are copies, so most guesses there are right.

A draft costs nothing to be wrong: the model reads it in one step and keeps what it would have said
itself (see `choosing`). The idea is Saxena's prompt lookup decoding
(github.com/apoorvumang/prompt-lookup-decoding).
"""

from __future__ import annotations

from collections.abc import Sequence

# How many of the last tokens are looked up, and how far a copy is worth running after them: the
# more agree, the better the guess.
WORTH = {3: 16, 2: 6, 1: 1}


class PromptLookup:
    """The index of one sequence: after which tokens it went on where.

    What it proposes follows from the ids alone; that it remembers those of the last call only saves
    time: a token costs `len(WORTH)` entries.
    """

    def __init__(self) -> None:
        self._follower: dict[tuple[int, ...], int] = {}  # last tokens → place of what came next
        self._read = 1

    def propose(self, ids: Sequence[int], most: int) -> tuple[int, ...]:
        """At most `most` tokens that may follow `ids`: a copy of what stands after the latest
        earlier occurrence of its last tokens, again and again if that reaches the end. Empty if
        those never stood before.

        `ids` are those of the last call and maybe more.
        """
        assert len(ids) >= self._read - 1, "the ids of a sequence only grow"
        for place in range(self._read, len(ids)):
            for length in WORTH:
                if length <= place:
                    self._follower[tuple(ids[place - length : place])] = place
        self._read = max(self._read, len(ids))
        for length, worth in WORTH.items():
            place = self._follower.get(tuple(ids[-length:]), 0)
            if place:
                period = len(ids) - place
                return tuple(ids[place + i % period] for i in range(min(most, worth)))
        return ()
