"""How a message was understood and what was searched for it, as it is shown and given back."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

Asks = Literal["who", "how_many", "when", "where", "why", "whether", "happening", "what", "summary"]

Words = tuple[str, ...] | UnsetType


class Parsed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question, taken apart. A name, handle, number or phrase must be in what answers; of words
    the rare ones tell more. Where there are `speakers`, only posts of these accounts answer. Times
    are ISO 8601, empty where the question has none."""

    question: str
    lang: str | UnsetType = UNSET
    asks: Asks | UnsetType = UNSET
    words: Words = UNSET
    phrases: Words = UNSET
    names: Words = UNSET
    handles: Words = UNSET
    speakers: Words = UNSET
    numbers: Words = UNSET
    among: Words = UNSET
    """What the question offers as its answers."""
    since: str | UnsetType = UNSET
    until: str | UnsetType = UNSET


How = Literal["words", "others", "names", "meaning", "conversations"]


class Round(msgspec.Struct, frozen=True):
    """One search for an answer, and what it brought."""

    how: How
    """By all words; by these, without what half of the first say alike; by names that must all
    stand there; by what the question means; or what was found is read with what it answers."""
    found: int
    """Posts that no round before had found."""
    witnesses: int
    """Independent witnesses of what leads the answer after it."""


class Search(msgspec.Struct, frozen=True):
    """All that was searched for one question."""

    question: int
    """Place of the question among those of the message."""
    words: tuple[str, ...]
    """What was searched for: the words of the question, their other forms, and those of a sense."""
    posts: int
    """How many were visible in the window of time."""
    read: int
    """How many of them were read closely, the best of what was found."""
    spans: int
    """Sentences of these that are about the question."""
    rounds: tuple[Round, ...]


class Explained(msgspec.Struct, frozen=True):
    """What an answer went by. `questions`, changed, can be given back in place of the message."""

    as_of: str = ""
    questions: tuple[Parsed, ...] = ()
    searches: tuple[Search, ...] = ()
