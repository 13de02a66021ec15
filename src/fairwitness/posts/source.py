"""Where posts come from: the seam that every network implements.

A source yields batches. Each carries the cursor to resume from *after* it, so whoever stores the
batch and its cursor together can be killed at any byte and neither lose nor repeat an event.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec

from fairwitness.posts.post import Event


class Gap(msgspec.Struct, frozen=True):
    """A stretch in which a source may have said things that we did not hear."""

    from_ms: int
    until_ms: int
    reason: str
    """One clause for people: `cursor too old, 36 h lookback`, `connection lost`."""


class SourceBatch(msgspec.Struct, frozen=True):
    """Events in the order of the source, and the cursor to resume after the last of them."""

    events: Sequence[Event]
    """`Encoded` where they were made as bytes: the log can hold those, and nobody need look."""
    cursor: str
    """Opaque to all but the source that made it. Empty when the source cannot resume."""
    gaps: tuple[Gap, ...] = ()
    dropped: int = 0
    """Frames that could not be read and were left out, each logged with its reason."""


class Source(Protocol):
    """A network, a feed or a file that yields events."""

    name: str
    """Unique in one home; the key under which cursor, lag, gaps and drops are kept."""

    def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield batches after `cursor` (empty: from where a newcomer starts).

        Ends when the source is exhausted (a file); a stream only ends by an error:
        `SourceLost` when it is worth connecting again, `SourceRefused` when it is not.
        """
        ...


class SourceError(Exception):
    """Something went wrong between us and a source; the message names the source."""


class SourceLost(SourceError):
    """The connection broke or the peer failed: connect again after a pause.

    `retry_after_s` is the pause that the peer asked for, 0 when it asked for none.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceRefused(SourceError):
    """The peer says no (bad token, bad rule, cost cap): trying again would not help."""
