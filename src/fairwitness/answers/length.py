"""How long an answer is: a budget of sentences, chosen by whoever asks.

Length changes what is shown and never what is counted: a short answer stands on the same witnesses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Length = Literal["short", "normal", "long"]


@dataclass(frozen=True, slots=True)
class Measure:
    """The most sentences of each sort."""

    side: int
    """Quotes of what leads a question that has a short answer."""
    quotes: int
    """Quotes of an open question."""
    denials: int
    claim: bool
    """Whether the model is asked for a sentence."""
    points: int
    """Statements of a summary, and of each side of a comparison."""
    each: int = 3
    """Quotes of one thing that is said, of different witnesses."""

    @property
    def of_summary(self) -> "Measure":
        """The measure of a summary: one quote for each point."""
        return replace(self, quotes=self.points, each=1)


NORMAL = Measure(side=3, quotes=4, denials=2, claim=True, points=5)

MEASURES: Mapping[Length, Measure] = {
    "short": Measure(side=1, quotes=2, denials=1, claim=False, points=3),
    "normal": NORMAL,
    "long": Measure(side=8, quotes=10, denials=4, claim=True, points=10, each=8),
}
