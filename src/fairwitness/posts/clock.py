"""The one clock that the program reads: the machine's, or a replay's.

A replay moves a virtual clock through the hours of its capture, so that "the last hour", recency
and freshness mean what they meant then, and the same replay gives the same answers.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Tells the time to everything that asks."""

    virtual: bool
    """Whether this time is a replay's."""

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    virtual = False

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        return time.time_ns() // 1_000_000


class VirtualClock:
    """A clock that stands where it was last put, and never runs backwards."""

    virtual = True

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Unix milliseconds, UTC, of the replay."""
        return self._now_ms

    def advance_to(self, moment_ms: int) -> None:
        """Move forward to `moment_ms`; an earlier moment changes nothing."""
        with self._lock:
            self._now_ms = max(self._now_ms, moment_ms)


def to_iso(moment_ms: int) -> str:
    """Write Unix milliseconds as RFC 3339 in UTC, with milliseconds only where there are any.

    Raises ValueError naming a moment outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=moment_ms)
    except OverflowError as error:
        raise ValueError(f"no year has this moment: {moment_ms} ms") from error
    text = moment.isoformat(timespec="milliseconds" if moment_ms % 1000 else "seconds")
    return text.removesuffix("+00:00") + "Z"


def from_iso(text: str) -> int:
    """Read an RFC 3339 or ISO 8601 time as Unix milliseconds; without an offset it is UTC.

    A fraction of a millisecond is dropped, so that no moment is read as one that comes after it.
    Raises ValueError naming the text when it is not a time.
    """
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a time: {text[:60]!r}") from error
