"""One sequence as the scheduler sees it: its tokens, how far they were run, and on which pages."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Ordered
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.draft import Guess, Odds
from fairwitness.engine.prefix import Node
from fairwitness.engine.sample import Logits

Propose = Callable[[list[int], int], Guess]
"""At most so many tokens that may follow these."""


@dataclass(eq=False)
class Sequence:
    """Positions below `done` stand in the pages of `table`.

    Logits are wanted from the position `wanted_from` on, or what the head would see there
    (`shows_hidden`). A sequence that writes wants those of its
    last token, and grows by what is chosen from them, up to `limit` tokens. If each is simply the
    likeliest until one of `ends`, the model can go on by itself.
    """

    ids: list[int]
    prompt_tokens: int
    limit: int
    wanted_from: int
    deadline_s: float = float("inf")  # on the clock that the scheduler is asked with
    propose: Propose | None = None
    adapter: str = ""
    shows_hidden: bool = False
    ends: tuple[int, ...] | None = None
    done: int = 0
    table: list[int] = field(default_factory=list)
    node: Node | None = None  # of its last whole page that stands in the prefix tree
    shared: int = 0  # how many whole pages that is
    odds: Odds = field(default_factory=Odds)
    grades: tuple[int, ...] = ()  # of the tokens that are guessed in this step
    has_begun: bool = False  # something came of it already, here or elsewhere
    is_over: bool = False

    @property
    def pending(self) -> int:
        """Tokens that have to run before the next one can be chosen."""
        return len(self.ids) - self.done

    @property
    def is_writing(self) -> bool:
        """Whether one token is all that stands before the next choice."""
        return self.pending == 1 and self.done >= self.prompt_tokens


@dataclass(frozen=True)
class Piece:
    """Rows of one sequence for one step: `ids` from its position `start` on.

    The last `wants` rows' logits are wanted. The last `drafted` ids are guesses. A single row may
    go on by itself, and run up to `more` tokens that follow it.
    """

    sequence: Sequence
    start: int
    ids: tuple[int, ...]
    wants: int
    drafted: int = 0
    more: int = 0


@dataclass(frozen=True)
class Shown:
    """What a piece's wanted rows give: logits, or where hidden states are shown these, after the
    last norm, (wants, width); or of a row that went on by itself, each likeliest token with its
    natural log-probability, which is NaN where the logits are not finite."""

    logits: Ordered[Logits] = ()
    hidden_wd: NDArray[np.float32] | None = None
    likeliest: Ordered[tuple[int, float]] = ()
