"""Which statuses of a server we have heard, and from where to ask for those that we missed.

Local ids grow with time but do not arrive in order: a status from another server carries its own,
earlier time, and comes late. So a cursor holds the newest `_KEPT` ids. A refill asks for all that
is newer than the oldest of them, and what it holds is known.

Ids: https://docs.joinmastodon.org/api/guidelines/#pagination; they are numbers in Mastodon and text
of one length elsewhere, so the longer is the newer, then the greater.
"""

import bisect

import msgspec

_KEPT = 64
_REMEMBERED = 2_048
"""Ids remembered while connected: more than a stream repeats of a refill that runs beside it."""


class Place(msgspec.Struct, frozen=True):
    """A cursor as it is written down, in JSON."""

    host: str
    heard_ms: int
    """When we last heard the stream, on our clock."""
    ids: tuple[str, ...]


class Heard:
    """The ids heard so far. Raises ValueError for a cursor that was not written here."""

    def __init__(self, host: str, cursor: str) -> None:
        self._host = host
        self._ids: list[tuple[int, str]] = []
        self.missing_since_ms = 0
        """When the stream was last heard before this connection; 0 when it never was."""
        self.elsewhere = ""
        """The server of the cursor, when it is another: its ids say nothing here."""
        if not cursor:
            return
        try:
            place = msgspec.json.decode(cursor, type=Place)
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a cursor of Mastodon: {cursor[:60]!r}") from error
        self.missing_since_ms = place.heard_ms
        if place.host != host:
            self.elsewhere = place.host
            return
        self._ids = sorted(map(sortable, place.ids))

    @property
    def floor(self) -> str:
        """The id above which to ask again, empty when nothing was heard."""
        return self._ids[-_KEPT:][0][1] if self._ids else ""

    def is_new(self, local_id: str) -> bool:
        """Remember `local_id` and return whether it was not heard before."""
        wanted = sortable(local_id)
        at = bisect.bisect_left(self._ids, wanted)
        if at < len(self._ids) and self._ids[at] == wanted:
            return False
        self._ids.insert(at, wanted)
        del self._ids[:-_REMEMBERED]
        return True

    def cursor(self, heard_ms: int) -> str:
        """Return what to resume from; nothing when nothing was heard here."""
        if not self._ids:
            return ""
        ids = tuple(each for _, each in self._ids[-_KEPT:])
        return msgspec.json.encode(Place(self._host, heard_ms, ids)).decode()


def sortable(local_id: str) -> tuple[int, str]:
    """Return what sorts ids from old to new."""
    return len(local_id), local_id
