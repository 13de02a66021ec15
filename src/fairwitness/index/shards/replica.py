"""One process of a shard: a LiveIndex that follows its stream.

The position that the index keeps with its checkpoint is the sequence in the stream, so a process
that was killed opens its last checkpoint and reads the stream from there. Until it has read all
that the stream held when it began, it answers nothing: it would show what has been deleted since.
Later it always answers, and says how fresh it is.
"""

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nats.errors

from fairwitness.index.errors import IndexBusy, IndexCorrupt, IndexDiskFull
from fairwitness.index.live import LiveIndex
from fairwitness.index.query import Query
from fairwitness.index.shards.follow import Follower, Heard, Missing
from fairwitness.index.shards.gather import Found, asked_words
from fairwitness.index.shards.message import Unreadable, unpack
from fairwitness.index.shards.plan import Plan
from fairwitness.index.shards.stream import connected
from fairwitness.posts.post import Event

REFRESH_S = 0.25
CHECKPOINT_S = 5.0
LOOK_S = 0.5
"""How often the stream is asked how far it is."""

_AGAIN_S = 0.5
_POLL_S = 0.05

_log = logging.getLogger(__name__)

Asked = Literal["search", "get", "frequencies", "newest_seen_ms", "stats", "novel"]


class Answer(NamedTuple):
    """What a replica says: nothing while it is catching up."""

    value: Any
    serving: bool
    fresh_ms: int
    """It holds what was acknowledged before this moment, Unix milliseconds; 0 when unknown."""


class Standing(NamedTuple):
    """How a replica stands."""

    pid: int
    node: str
    serving: bool
    shown: int
    """Sequence up to which searches find what the stream holds."""
    durable: int
    """Sequence up to which a kill takes nothing away; from there the stream is read again."""
    last: int
    """Last sequence of the stream, as far as we know."""
    fresh_ms: int
    unreadable: int
    """Messages that were not ours, left out."""
    fault: str
    """What keeps it from following, empty when nothing does."""


class Replica:
    """Follows a stream in a thread of its own and answers in any other."""

    def __init__(self, plan: Plan, shard: int, replica: int, node: str = "") -> None:
        self._plan = plan
        self._shard = shard
        self._name = f"shard {shard} replica {replica}"
        self._folder = plan.folder_of(shard, replica)
        self._node = node
        self._index: LiveIndex | None = None
        self._serving = False
        self._target: int | None = None
        """What the stream held when we began."""
        self._last = 0
        self._shown = 0
        self._heard_ms = 0
        """When the server took the last message that was applied."""
        self._fresh_ms = 0
        self._unreadable = 0
        self._fault = ""
        self._refreshed_s = self._looked_s = 0.0
        self._checkpointed_s = time.monotonic()
        self._applied = 0
        self._looked_at = -1
        """What was applied when we looked last."""
        self._moved = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def answer(self, asked: Asked, *args: Any, **kwargs: Any) -> Answer:
        """Call a method of the index. Raises nothing but what that raises."""
        index, fresh_ms = self._index, self._fresh_ms
        if index is None or not self._serving:
            return Answer(None, False, fresh_ms)
        match asked:
            case "novel":
                value: Any = _novel_places(index, *args)
            case "search":
                value = _found(index, *args, **kwargs)
            case _:
                value = getattr(index, asked)(*args, **kwargs)
        return Answer(value, True, fresh_ms)

    def shows(self, sequence: int, timeout_s: float) -> bool:
        """Wait until searches find what the stream holds up to `sequence`; say whether they do."""
        with self._moved:
            return self._moved.wait_for(lambda: self._shown >= sequence, timeout_s)

    def standing(self) -> Standing:
        """Return how this replica stands."""
        return Standing(
            pid=os.getpid(),
            node=self._node,
            serving=self._serving,
            shown=self._shown,
            durable=self._index.position if self._index is not None else 0,
            last=self._last,
            fresh_ms=self._fresh_ms,
            unreadable=self._unreadable,
            fault=self._fault,
        )

    def close(self) -> None:
        """Make durable what was applied and let go of the folder."""
        self._closing = True
        self._thread.join()
        if self._index is not None:
            with suppress(IndexDiskFull):
                self._index.checkpoint()
            self._index.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except IndexCorrupt:
            # The next process of this replica sets the folder aside and reads the stream again.
            _log.exception("%s ends", self._name)
            os._exit(1)

    async def _live(self) -> None:
        while not self._closing:
            try:
                if self._index is None:
                    self._index = self._opened()
                await self._follow(self._index)
            except (nats.errors.Error, TimeoutError, OSError, Missing, IndexBusy) as error:
                self._say(str(error) or type(error).__name__)
            except IndexCorrupt:
                raise
            except Exception as error:  # it goes on answering, and says that it no longer follows
                _log.exception("%s cannot go on", self._name)
                self._say(f"{type(error).__name__}: {error}")
            await asyncio.sleep(_AGAIN_S)

    def _opened(self) -> LiveIndex:
        try:
            index = LiveIndex.open(self._folder, slice_rows=self._plan.slice_rows)
        except IndexCorrupt as error:
            _log.error("%s begins anew: %s", self._name, error)
            _set_aside(self._folder)
            index = LiveIndex.open(self._folder, slice_rows=self._plan.slice_rows)
        self._applied = self._shown = index.position
        return index

    async def _follow(self, index: LiveIndex) -> None:
        client = await connected(self._plan.servers, self._name)
        try:
            follower = Follower(client, self._plan, self._shard, self._applied)
            while not self._closing:
                await self._look(follower)
                wait_s = _POLL_S if self._shown < self._applied else LOOK_S / 2
                await self._take(index, await follower.next(wait_s))
                self._tick(index)
        finally:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                await client.close()

    async def _look(self, follower: Follower) -> None:
        """Ask now and then how far the stream is: silence alone does not say that we have all."""
        if time.monotonic() - self._looked_s < LOOK_S:
            return
        asked_ms = _now_ms()
        first, last = await follower.extent()
        if first > self._applied + 1 or last < self._applied:
            raise Missing(
                f"its stream holds {first} to {last}, this index has it up to {self._applied}"
            )
        if self._last > self._applied == self._looked_at:
            # Nothing came since the last look although there was more: ask from here again.
            await follower.restart()
        self._looked_s, self._looked_at, self._last = time.monotonic(), self._applied, last
        if self._target is None:
            self._target = last
        if self._shown >= last:
            self._fresh_ms = max(self._fresh_ms, asked_ms)
        self._fault = ""
        self._serve()

    async def _take(self, index: LiveIndex, heard: Sequence[Heard]) -> None:
        if not heard:
            return
        events: list[Event] = []
        for message in heard:
            try:
                events.extend(unpack(message.payload))
            except Unreadable as error:
                self._unreadable += 1
                _log.error("%s leaves out message %d: %s", self._name, message.sequence, error)
        while not self._closing:
            try:
                index.apply(events, heard[-1].sequence)
                break
            except IndexDiskFull as error:
                self._say(str(error))
                await asyncio.sleep(_AGAIN_S)
        else:
            return
        self._applied, self._heard_ms = heard[-1].sequence, heard[-1].stored_ms

    def _tick(self, index: LiveIndex) -> None:
        """Refresh and checkpoint when it is time."""
        now_s = time.monotonic()
        try:
            if self._shown < self._applied and now_s - self._refreshed_s >= REFRESH_S:
                index.refresh()
                self._refreshed_s = now_s
                self._show()
            if index.position < self._shown and now_s - self._checkpointed_s >= CHECKPOINT_S:
                index.checkpoint()
                self._checkpointed_s = now_s
        except IndexDiskFull as error:
            self._say(str(error))
            self._refreshed_s = self._checkpointed_s = now_s

    def _show(self) -> None:
        with self._moved:
            self._shown = self._applied
            self._fresh_ms = max(self._fresh_ms, self._heard_ms)
            self._moved.notify_all()
        self._serve()

    def _serve(self) -> None:
        if self._target is not None and self._shown >= self._target:
            self._serving = True

    def _say(self, fault: str) -> None:
        if fault != self._fault:
            _log.warning("%s: %s", self._name, fault)
        self._fault = fault


def _found(index: LiveIndex, query: Query, *, as_of_ms: int | None, limit: int) -> Found:
    words = asked_words(query)
    counts = dict(zip(words, index.frequencies(words), strict=True))
    results = index.search(query, as_of_ms=as_of_ms, limit=limit)
    return Found(results, counts, index.versions)


def _novel_places(index: LiveIndex, events: Sequence[Event]) -> list[tuple[int, Event]]:
    """Return what is new with its place in `events`.

    `novel` keeps the objects that it was given, or wraps the same post as an edit.
    """
    fresh: list[tuple[int, Event]] = []
    place = -1
    for kept in index.novel(events):
        place += 1
        while not _same(kept, events[place]):
            place += 1
        fresh.append((place, kept))
    return fresh


def _same(kept: Event, told: Event) -> bool:
    if kept is told:
        return True
    post = getattr(kept, "post", None)
    return post is not None and post is getattr(told, "post", None)


def _set_aside(folder: Path) -> None:
    """Keep a corrupt index for whoever wants to know why; only the last one."""
    aside = folder.with_suffix(".corrupt")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
