"""What the house asks of an index, wherever its posts are.

The index of one folder (`LiveIndex`) and the index of many processes (`shards.Cluster`) are both
this, and one suite of tests holds both to it (`tests/index/test_conformance.py`).
"""

from collections.abc import Sequence
from typing import Protocol

from fairwitness.index.query import IndexStats, Query, Results
from fairwitness.posts.post import Event, Post


class Searchable(Protocol):
    """An index to write to and to read from.

    Methods raise members of the IndexFault family and no other. `search` states in its results how
    much of the index they stand for; it raises nothing for what is asked or for what is down.
    """

    position: int
    """Log position up to which events are durably in the index: recovery replays from here."""

    def novel(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events that change something, in order; a Posted that is an edit as Edited.

        What cannot be known right now counts as new: applying it again changes nothing.
        """
        ...

    def apply(self, events: Sequence[Event], position: int) -> object:
        """Take in `events`, which end at log `position`; what is in already changes nothing.

        After a fault the same events may be applied again, and must be before later ones.
        """
        ...

    def refresh(self) -> None:
        """Make what was applied searchable."""
        ...

    def checkpoint(self) -> None:
        """Make what was applied durable, and move `position`."""
        ...

    def search(self, query: Query, *, as_of_ms: int | None = None, limit: int = 50) -> Results:
        """Find posts, best first, as they were at a moment, None for now."""
        ...

    def get(self, post_id: str, *, as_of_ms: int | None = None) -> Post | None:
        """Return a post as it was at a moment, None when it is gone, not yet seen or unknown."""
        ...

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return in how many posts each of `words` occurs, at most; 0 for what is no word."""
        ...

    def newest_seen_ms(self, *, as_of_ms: int | None = None) -> int:
        """Return when the newest post that shows at a moment was seen; 0 when there is none."""
        ...

    def stats(self) -> IndexStats:
        """Count what is applied."""
        ...

    def close(self) -> None:
        """Let go of the index; what was not checkpointed comes again from the log."""
        ...
