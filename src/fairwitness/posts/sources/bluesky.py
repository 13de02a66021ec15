"""Bluesky, live, from a Jetstream server.

One WebSocket, filtered by the server to posts and to what befalls accounts. Whatever arrives within
a twentieth of a second becomes one batch. Here it all comes together: `bluesky_socket` connects,
`bluesky_wire` unpacks, `bluesky_frames` reads, `bluesky_cursor` knows what is a repeat and what is
missing, `bluesky_events` says what it means.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection

from fairwitness.posts.clock import Clock
from fairwitness.posts.compose import Parts, events_of
from fairwitness.posts.post import Event
from fairwitness.posts.source import SourceBatch, SourceLost, SourceRefused
from fairwitness.posts.sources.bluesky_cursor import Progress, SeqUnusable
from fairwitness.posts.sources.bluesky_events import adapt
from fairwitness.posts.sources.bluesky_frames import Unreadable, read_v1, read_v2
from fairwitness.posts.sources.bluesky_socket import (
    DictionaryRetired,
    connected,
    current_dictionary,
    gather,
)
from fairwitness.posts.sources.bluesky_wire import Endpoint, Unpacker, shipped_dictionary

_QUIET_S = 5.0
"""How often a stream on which nothing happens to posts still tells how far it is."""

_log = logging.getLogger(__name__)


@dataclass
class _Taken:
    """What became of some frames."""

    said: list[Parts | Event] = field(default_factory=list)
    dropped: int = 0
    error: str = ""
    """How the server ended the stream, when it did so by a frame."""


class Bluesky:
    """A Source over Jetstream, v1 or v2 by the path of `url`. Raises ValueError for other URLs.

    A stream that says nothing at all for `stall_s` is given up (SourceLost) even while its pings
    are answered: servers have been seen to hang that way. Coming back loses nothing, because the
    cursor resumes, so small servers where little happens are safe; with 0 it waits for ever.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        name: str = "bluesky",
        *,
        zstd: bool = True,
        stall_s: float = 120.0,
    ) -> None:
        self.name = name
        self._endpoint = Endpoint.of(url)
        self._clock = clock
        self._zstd = zstd
        self._stall_s = stall_s or float("inf")
        self._read = read_v1 if self._endpoint.version == 1 else read_v2
        self._unpacker = Unpacker(shipped_dictionary(self._endpoint.version))

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        """Yield what is said after `cursor`; without one, from now on."""
        for by_time in (False, True):
            try:
                async with aclosing(self._follow(self._progress(cursor, by_time))) as batches:
                    async for batch in batches:
                        yield batch
            except SeqUnusable as reason:
                _log.warning("%s: %s; resuming by time", self.name, reason)
        raise SourceLost(
            f"{self.name}: the server takes neither number nor time of {cursor[:60]!r}"
        )

    def _progress(self, cursor: str, by_time: bool) -> Progress:
        try:
            return Progress(self._endpoint.host, cursor, by_time)
        except ValueError as error:
            raise SourceRefused(f"{self.name}: {error}") from error

    async def _follow(self, progress: Progress) -> AsyncGenerator[SourceBatch, None]:
        now_s = asyncio.get_running_loop().time
        async with await self._connected(progress.start) as socket:
            began_s = told_s = heard_s = now_s()
            told_cursor = progress.cursor()
            while True:
                frames, broken = await gather(socket, min(_QUIET_S, self._stall_s))
                taken = self._take(frames, progress)
                heard_s = now_s() if frames else heard_s
                ending = taken.error or broken
                cursor, due = progress.cursor(), now_s() - told_s >= _QUIET_S
                moved = cursor != told_cursor and (due or ending)
                alive = due and told_s == began_s
                if taken.said or taken.dropped or progress.gaps or moved or alive:
                    gaps, progress.gaps = tuple(progress.gaps), []
                    yield SourceBatch(tuple(events_of(taken.said)), cursor, gaps, taken.dropped)
                    told_cursor, told_s = cursor, now_s()
                if ending:
                    raise SourceLost(f"{self.name}: {ending}")
                if now_s() - heard_s >= self._stall_s:
                    raise SourceLost(f"{self.name}: nothing heard for {self._stall_s:g} s")

    async def _connected(self, start: str) -> ClientConnection:
        for _ in range(2):
            dictionary_id = self._unpacker.dictionary_id if self._zstd else 0
            try:
                return await connected(self._endpoint, start, dictionary_id)
            except DictionaryRetired:
                self._unpacker = await current_dictionary(self._endpoint)
        raise SourceLost(f"{self.name}: the server does not know its own dictionary")

    def _take(self, frames: Sequence[bytes], progress: Progress) -> _Taken:
        taken = _Taken()
        seen_ms = self._clock.now_ms()
        for frame in frames:
            try:
                message = self._read(self._unpacker.unpack(frame))
                if message.kind == "error":
                    taken.error = f"server ended the stream: {message.name} {message.text}".strip()
                    break
                said = adapt(message, seen_ms) if progress.is_new(message) else None
                if said is not None:
                    taken.said.append(said)
            except Unreadable as reason:
                taken.dropped += 1
                _log.info("%s: dropped a frame: %s", self.name, reason)
        return taken
