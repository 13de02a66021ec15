"""How far into a Jetstream we are, and which of its messages are new to us.

A server numbers its events, and its cursor is inclusive: resuming repeats the last event, which is
dropped. But the numbers are one server's own, the first version of Jetstream has none, and a server
that is too far ahead starts later without a word. So a cursor also holds a time and the short names
of the last `_TRAIL` events that mattered: resuming by time rewinds to the middle of that trail, and
what it names is known to be a repeat.

Cursors: https://github.com/bluesky-social/jetstream, docs/README.md section 5.1 and
internal/subscribe/cursor.go (values of 10^15 and more are Unix microseconds; v1 clamps in silence;
v2 refuses a number that is too old and announces a clamped time by `#info OutdatedCursor`).
"""

import base64
from collections import deque

import msgspec
import xxhash

from fairwitness.posts.source import Gap
from fairwitness.posts.sources.bluesky_frames import Message

_TRAIL = 128
"""Names kept: about four seconds of all posts at 30 a second, and 0.9 kB of cursor."""

_NAME_BYTES = 5  # two of a few hundred names are alike once in 10^7 resumptions

_REWIND_US = 2_000_000
"""How far another server's clock may differ, when the trail does not already reach back."""

_REPEATS_US = 10_000_000
"""How far past the cursor a resumed stream may still repeat what another server told."""

_JUMP_US = 60_000_000
"""A resumed stream that starts so much later, and not with our last event, left something out."""


class SeqUnusable(Exception):
    """The server's numbers are not those of our cursor: resume by time."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cursor as it is written down, in JSON."""

    host: str
    newest_us: int
    since_us: int
    """Where a stream that goes by time has to start for the trail to name all it repeats."""
    seq: int = 0
    last: str = ""
    """Name of the event `seq`, to tell another server behind the same host."""
    trail: str = ""


class Progress:
    """Follows one connection. Raises ValueError for a cursor that was not written here."""

    def __init__(self, host: str, cursor: str, by_time: bool = False) -> None:
        self._host = host
        self._place: Place | None = None
        if cursor:
            try:
                self._place = msgspec.json.decode(cursor, type=Place)
                names = base64.b85decode(self._place.trail)
            except (msgspec.MsgspecError, ValueError) as error:
                raise ValueError(f"not a cursor of Jetstream: {cursor[:60]!r}") from error
        place = self._place
        self._by_seq = bool(place and place.seq and place.host == host and not by_time)
        self._newest_us = place.newest_us if place else 0
        self._repeats_until_us = place.newest_us + _REPEATS_US if place else 0
        self._trail: deque[tuple[int, bytes]] = deque(maxlen=_TRAIL)
        if place:
            for at in range(0, len(names), _NAME_BYTES):
                self._trail.append((place.since_us, names[at : at + _NAME_BYTES]))
        self._known = {name for _, name in self._trail}
        self._last: Message | None = None
        self._outdated = ""
        self.gaps: list[Gap] = []
        """Gaps found since somebody took them from here."""

    @property
    def start(self) -> str:
        """What to ask the server for: a number, a time in microseconds, or nothing at all."""
        if self._place is None:
            return ""
        return str(self._place.seq if self._by_seq else self._place.since_us)

    def is_new(self, message: Message) -> bool:
        """Move to `message` and return whether it was not told before.

        Raises SeqUnusable on the first message when it cannot be what we asked for.
        """
        if message.kind == "info":
            if message.name == "OutdatedCursor":
                self._outdated = message.text or message.name
            return False
        repeated = self._is_repeat(message)
        if self._last is None and self._place is not None:
            self._check_first(message, self._place, repeated)
        self._last = message
        self._newest_us = max(self._newest_us, message.time_us)
        if not repeated and message.matters:
            self._remember(message)
        return not repeated

    def cursor(self) -> str:
        """Return what to resume from after the last message; what came in when there was none."""
        if self._last is None:
            return msgspec.json.encode(self._place).decode() if self._place else ""
        names = b"".join(name for _, name in self._trail)
        place = Place(
            host=self._host,
            newest_us=self._newest_us,
            since_us=self._since_us(),
            seq=self._last.seq,
            last=_written(_name(self._last)) if self._last.seq else "",
            trail=_written(names),
        )
        return msgspec.json.encode(place).decode()

    def _is_repeat(self, message: Message) -> bool:
        if self._by_seq and self._place and message.seq <= self._place.seq:
            return True
        return message.time_us <= self._repeats_until_us and _name(message) in self._known

    def _check_first(self, message: Message, place: Place, repeated: bool) -> None:
        if self._by_seq:
            ours = message.seq == place.seq and _written(_name(message)) == place.last
            if message.seq <= place.seq and not ours:
                raise SeqUnusable(f"event {place.seq} is not the one that was told before")
        jumped = not repeated and message.time_us - place.newest_us > _JUMP_US
        if jumped or self._outdated:
            reason = self._outdated or "the server no longer has what followed the cursor"
            until_ms = max(message.time_us, place.newest_us) // 1000
            self.gaps.append(Gap(place.newest_us // 1000, until_ms, reason))

    def _remember(self, message: Message) -> None:
        if message.kind == "sync":
            # What follows replaces a whole repository: nothing of it is a repeat.
            self._repeats_until_us = 0
        self._trail.append((message.time_us, _name(message)))

    def _since_us(self) -> int:
        if not self._trail:
            return self._newest_us - _REWIND_US
        if len(self._trail) < _TRAIL:
            return min(time_us for time_us, _ in self._trail) - _REWIND_US
        return self._trail[_TRAIL // 2][0]


def _name(message: Message) -> bytes:
    return xxhash.xxh3_64_digest(message.key.encode())[:_NAME_BYTES]


def _written(names: bytes) -> str:
    return base64.b85encode(names).decode()
