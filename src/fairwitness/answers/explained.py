"""How a message was understood and what was searched for it, as it is shown and given back."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Asks = Literal["who", "how_many", "when", "where", "why", "whether", "happening", "what"]

Words = tuple[str, ...] | UnsetType


class Parsed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question, taken apart. A name, handle, number or phrase must be in what answers; of words
    the rare ones tell more. Times are ISO 8601, empty where the question has none."""

    question: str
    lang: str | UnsetType = UNSET
    asks: Asks | UnsetType = UNSET
    words: Words = UNSET
    phrases: Words = UNSET
    names: Words = UNSET
    handles: Words = UNSET
    numbers: Words = UNSET
    since: str | UnsetType = UNSET
    until: str | UnsetType = UNSET


class Round(msgspec.Struct, frozen=True):
    """One search for a question."""

    question: int
    """Place of the question among those of the message."""
    words: tuple[str, ...]
    """What was searched for: the words of the question, their other forms, and those of a sense."""
    searched: int
    """Posts that were visible in the window of time."""
    read: int
    """Posts that were read closely, the best of what was found."""
    spans: int
    """Sentences of these that are about the question."""


class Explained(msgspec.Struct, frozen=True):
    """What an answer went by. `questions`, changed, can be given back in place of the message."""

    as_of: str = ""
    questions: tuple[Parsed, ...] = ()
    rounds: tuple[Round, ...] = ()
