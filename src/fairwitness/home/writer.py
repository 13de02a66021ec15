"""Keeps a process that takes in running, and is the home to whoever does not write.

The lock is ours and the process holds it with us: a home is free only when both are gone, and a
process that died is started again without anybody coming in between. Searches do not notice it.
"""

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from fairwitness.home.child import Child
from fairwitness.home.followed import Followed
from fairwitness.home.home import locked
from fairwitness.home.messages import (
    Broken,
    File,
    IntakeRefused,
    Opening,
    Progress,
    PutDown,
    Refused,
    Replay,
    Report,
    Said,
    Sources,
    Told,
)

LOOK_S = 0.1
"""How often the index is looked at for what was refreshed."""

PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Before a process that died is started again; doubled each time, until one lives so long."""

PATIENCE_S = 60.0
"""How long it may take to settle. What it has not written by then is in the log."""

HASTE_S = 2.0
"""How long it may take to end where there is nothing to settle: it has not yet opened the home."""

_log = logging.getLogger(__name__)


class WriterFailed(Exception):
    """The process that takes in cannot begin, or has not ended in order; the message says why."""


@dataclass
class _Stream:
    """What is told of one file, for the event loop that asked."""

    loop: asyncio.AbstractEventLoop
    told: asyncio.Queue[Progress | IntakeRefused] = field(default_factory=asyncio.Queue)

    def put(self, told: Progress | IntakeRefused) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self.loop.call_soon_threadsafe(self.told.put_nowait, told)


class Writer:
    """A home with a process that writes to it. `home` is what it looks like from here."""

    def __init__(
        self,
        folder: Path,
        verb: str,
        sources: Sources | None = None,
        *,
        keep_ms: int | None = None,
        caught_up: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take the lock, start the process and wait until the index has caught up with the log.

        Posts are kept for `keep_ms` at least, None for ever.
        `caught_up(done, total)` is told the bytes of log as they are read. Raises HomeBusy,
        HomeUnusable, IndexFault, or WriterFailed, with all let go again.
        """
        self._folder, self._sources, self._keep_ms = folder, sources, keep_ms
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._streams: dict[int, _Stream] = {}
        self._tickets = itertools.count(1)
        self._is_open = False
        self._last_word = Broken("", full=False)
        self._end = ""
        self.lock = locked(folder, verb)
        with ExitStack() as undoing:
            undoing.callback(self.lock.release)
            self._child = Child(folder, self.lock.descriptor, sources, keep_ms)
            undoing.callback(self._child.ended, HASTE_S)
            undoing.callback(self._child.hang_up)
            self.home = Followed(folder, self._opened(caught_up))
            undoing.pop_all()
        self._is_open = True
        self._thread = threading.Thread(target=self._keep, name="follow")
        self._thread.start()

    @property
    def pid(self) -> int:
        """Which process writes, or wrote last."""
        return self._child.process.pid

    async def replay(
        self, path: Path, speed: float | None, network: str = "", name: str | None = None
    ) -> AsyncIterator[Progress]:
        """Play a capture on a virtual clock, None for as fast as can be; raises IntakeRefused."""
        ticket = next(self._tickets)
        return await self._take_in(Replay(ticket, str(path), speed, network, name))

    async def file(self, path: Path, network: str, *, follow: bool) -> AsyncIterator[Progress]:
        """Take in the posts of a file as seen now; raises IntakeRefused."""
        return await self._take_in(File(next(self._tickets), str(path), network, follow))

    def stop(self) -> None:
        """Let the process settle and end; the home can still be read."""
        with self._starting:
            self._closing.set()
            self._child.hang_up()
        self._thread.join(PATIENCE_S if self._is_open else HASTE_S)
        if self._thread.is_alive():
            self._child.process.kill()
            self._thread.join()

    def close(self) -> None:
        """Stop, and let others in. Raises WriterFailed when not all was put away in order."""
        self.stop()
        self.home.close()
        self.lock.release()
        if end := self._end:
            self._end = ""
            raise WriterFailed(end)

    async def _take_in(self, order: Replay | File) -> AsyncIterator[Progress]:
        stream = self._streams[order.ticket] = _Stream(asyncio.get_running_loop())
        try:
            if not self._is_open or not self._child.send(order):
                raise IntakeRefused("nothing can be taken in at the moment", "down")
            first = await stream.told.get()
            if isinstance(first, IntakeRefused):
                raise first
        except BaseException:
            self._put_down(order.ticket)
            raise
        return self._rest(order.ticket, stream, first)

    async def _rest(self, ticket: int, stream: _Stream, first: Progress) -> AsyncIterator[Progress]:
        try:
            last: Progress = first
            told: Progress | IntakeRefused = first
            while isinstance(told, Progress):
                yield told
                if told.state != "running":
                    return
                last, told = told, await stream.told.get()
            yield msgspec.structs.replace(last, state="failed", problem=str(told))
        finally:
            self._put_down(ticket)

    def _put_down(self, ticket: int) -> None:
        self._streams.pop(ticket, None)
        self._child.send(PutDown(ticket))

    def _opened(self, caught_up: Callable[[int, int], None] | None) -> Report:
        while (heard := self._child.hear(LOOK_S)) is not None:
            for said in heard:
                match said:
                    case Report():
                        return said
                    case Opening() if caught_up:
                        caught_up(said.done, said.total)
                    case Broken():
                        raise WriterFailed(said.problem)
        raise WriterFailed("the process that takes in ended before it began")

    def _keep(self) -> None:
        """Hear the process and follow the index; start another whenever it dies."""
        pause_s = PAUSE_S
        while True:
            began_s = time.monotonic()
            problem = self._hear()
            if self._closing.is_set():
                self._end = problem
                return
            _log.error("%s; starting another", problem)
            if time.monotonic() - began_s > LONGEST_PAUSE_S:
                pause_s = PAUSE_S
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if not self._start_again():
                return

    def _start_again(self) -> bool:
        with self._starting:
            if self._closing.is_set():
                return False
            try:
                self._child = Child(
                    self._folder, self.lock.descriptor, self._sources, self._keep_ms
                )
            except OSError as error:  # then the one that is dead is heard once more, and so on
                _log.error("cannot start a process: %s", error)
            return True

    def _hear(self) -> str:
        """Hear one process to its end and return why it ended, "" when in order."""
        while (heard := self._child.hear(LOOK_S)) is not None:
            for said in heard:
                self._take(said)
            if self._is_open:
                self.home.refresh()
        end = self._child.ended(PATIENCE_S)
        broken, self._last_word = self._last_word, Broken("", full=False)
        problem = broken.problem or (end and f"the process that takes in ended ({end})")
        self._lost(problem or "the server is stopping", full=broken.full)
        return problem

    def _take(self, said: Said) -> None:
        match said:
            case Report():
                self._found_open()
                self.home.report = said
            case Opening():
                self._found_open()
            case Told(ticket, progress):
                if progress.state != "running":
                    self.home.refresh()  # whoever hears of the end finds it all
                self._tell(ticket, progress)
            case Refused():
                refused = IntakeRefused(said.problem, said.code, said.field)
                self._tell(said.ticket, refused)
            case Broken():
                self._last_word = said

    def _found_open(self) -> None:
        if not self._is_open:
            self.home.take_up()
            self._is_open = True

    def _tell(self, ticket: int, told: Progress | IntakeRefused) -> None:
        if stream := self._streams.get(ticket):
            stream.put(told)

    def _lost(self, problem: str, *, full: bool) -> None:
        was_open, self._is_open = self._is_open, False
        for stream in list(self._streams.values()):
            stream.put(IntakeRefused(problem, "down"))
        if self._closing.is_set():
            return
        self.home.lose(problem, full=full)
        if was_open:
            self.home.go_back()
