"""Values of foreign JSON, read for what they are likely to mean; what means nothing is empty."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Any

from fairwitness.posts.clock import from_iso

_MAX_COUNT = 2**53
_TIME_CHARS = 40


def word(value: object) -> str:
    """Return a string or whole number as text; anything else is nothing."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def first_word(row: Mapping[str, Any], *names: str) -> str:
    """Return the first of the named fields that has a word."""
    return next(filter(None, (word(row.get(name)) for name in names)), "")


def link_of(value: object) -> str:
    """Return an http(s) link, written out or as X's `entities.urls` hold it."""
    if isinstance(value, Mapping):
        value = value.get("unwound_url") or value.get("expanded_url") or value.get("url")
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else ""


def count(value: object) -> int:
    """Return a number of reactions, -1 when it is none."""
    if type(value) is int:
        return value if 0 <= value < _MAX_COUNT else -1
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -1
    return int(value) if 0 <= value < _MAX_COUNT else -1


def moment_of(value: object) -> int | None:
    """Return Unix milliseconds of a time in any of the forms people write, None when it is none.

    ISO 8601 (without an offset: UTC), RFC 2822, X's old form, and Unix seconds, milli-, micro- or
    nanoseconds, told apart by their size.
    """
    if isinstance(value, str):
        # Posts of one moment come together. Only short ones are remembered: a time is no longer.
        return _remembered_moment(value) if len(value) <= _TIME_CHARS else _written_moment(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    size = abs(value)
    if not size < 1e20:
        return None
    # Seconds until the year 5138, then milliseconds, microseconds, nanoseconds.
    unit = 1000.0 if size < 1e11 else 1.0 if size < 1e14 else 1e-3 if size < 1e17 else 1e-6
    return round(value * unit)


@functools.lru_cache(maxsize=4_096)
def _remembered_moment(text: str) -> int | None:
    return _written_moment(text)


def _written_moment(text: str) -> int | None:
    # Before ISO 8601, whose basic form would read some numbers of milliseconds as a year 1409.
    if text[4:8].isdecimal() and text.lstrip("-").replace(".", "", 1).isdecimal() and len(text) > 8:
        return moment_of(float(text[:32]))
    try:
        return from_iso(text)
    except ValueError:
        pass
    try:
        parts = parsedate_tz(text[:64])
        if parts is None:
            return None
        moment = datetime(*parts[:6], tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return round((moment.timestamp() - (parts[9] or 0)) * 1000)
