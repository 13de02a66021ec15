"""The process that takes in for a server: `python -m fairwitness.home.writing DESCRIPTOR`.

It owns the writing end of a home, so that neither a burst of posts makes a question wait nor the
other way round: they do not share an interpreter. It lives as long as its parent holds the other
end of the socket, and never reads signals from the terminal: an end in order is the parent's to
order, and a parent that was killed has hung up as well.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fairwitness.home.home import Home
from fairwitness.home.intake import Intake
from fairwitness.home.lock import HomeLock
from fairwitness.home.messages import (
    Broken,
    File,
    Inbox,
    IntakeRefused,
    Open,
    Opening,
    Order,
    Progress,
    PutDown,
    Refused,
    Replay,
    Report,
    Said,
    Told,
    orders,
    packed,
)
from fairwitness.index import IndexCorrupt, IndexDiskFull
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.log import LogFull
from fairwitness.posts.source import Source
from fairwitness.posts.sources.named import open_sources

REPORT_S = 0.25
NICE = 5
"""Taking in gives way to questions: a post may be found a little later, a person waits."""
_READ_BYTES = 1 << 16

_log = logging.getLogger(__name__)


def main() -> None:
    """Do as the parent says until it hangs up."""
    os.nice(NICE)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    pipe, inbox = socket.socket(fileno=int(sys.argv[1])), orders()
    with pipe, contextlib.suppress(ConnectionError):
        try:
            _work(pipe, inbox)
        except ConnectionError:
            raise  # nobody is there to be told
        except Exception as error:
            pipe.setblocking(True)  # asyncio had it otherwise
            full = isinstance(error, (IndexDiskFull, LogFull))
            pipe.sendall(packed(Broken(str(error) or type(error).__name__, full)))
            _log.info("the taking in ends", exc_info=error)
            sys.exit(1)


def _work(pipe: socket.socket, inbox: Inbox[Order]) -> None:
    order = _first(pipe, inbox)
    if order is None:
        return
    _log_as(order.log_levels)
    folder = Path(os.fsdecode(order.folder))
    clock = SystemClock()
    sources = _sources(order, clock)

    def caught_up(done: int, total: int) -> None:
        pipe.sendall(packed(Opening(done, total)))

    lock = HomeLock.shared(folder, order.lock)
    home = Home(folder, "up", lock=lock, keep_ms=order.keep_ms, caught_up=caught_up)
    try:
        if sources:
            home.use_clock(clock)
        asyncio.run(_Taking(home, sources).serve(pipe, inbox))
    finally:
        home.close()


class _Taking:
    """An open home that takes in what its sources say and what it is told to."""

    def __init__(self, home: Home, sources: list[Source]) -> None:
        self._home = home
        self._intake = Intake(home, sources)
        self._files: dict[int, asyncio.Task[None]] = {}
        self._damage: IndexCorrupt | None = None

    async def serve(self, pipe: socket.socket, inbox: Inbox[Order]) -> None:
        """Follow orders until the parent hangs up, then settle.

        Raises IndexCorrupt when a reader has come upon damage: the next process makes the index
        anew from the log.
        """
        reader, self._writer = await asyncio.open_connection(sock=pipe.dup())
        self._intake.begin()
        reporting = asyncio.create_task(self._report_on(reader))
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(_READ_BYTES):
                    for order in inbox.feed(data):
                        self._follow(order)
        finally:
            await self._intake.stop()
            reporting.cancel()
            await asyncio.gather(*self._files.values(), reporting, return_exceptions=True)
            self._say(self._report())
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
                self._writer.close()
                await self._writer.wait_closed()
        if self._damage is not None:
            raise self._damage

    def _follow(self, order: Order) -> None:
        match order:
            case Replay():
                path, name = Path(order.path), order.name
                self._begin(
                    order.ticket,
                    lambda: self._intake.replay(path, order.speed, order.network, name),
                )
            case File():
                path = Path(order.path)
                self._begin(
                    order.ticket,
                    lambda: self._intake.file(path, order.network, follow=order.follow),
                )
            case PutDown() if order.ticket in self._files:
                self._files[order.ticket].cancel()

    def _begin(self, ticket: int, begin: Callable[[], AsyncIterator[Progress]]) -> None:
        try:
            progress = begin()
        except IntakeRefused as refused:
            self._say(Refused(ticket, str(refused), refused.code, refused.field))
            return
        task = asyncio.create_task(self._take_in(ticket, progress))
        self._files[ticket] = task
        task.add_done_callback(lambda _: self._files.pop(ticket))

    async def _take_in(self, ticket: int, progress: AsyncIterator[Progress]) -> None:
        async for each in progress:
            if each.state != "running":
                self._say(self._report())  # so that whoever hears of the end has its clock
            self._say(Told(ticket, each))

    async def _report_on(self, orders: asyncio.StreamReader) -> None:
        while True:
            self._say(self._report())
            await self._writer.drain()
            await asyncio.sleep(REPORT_S)
            try:
                self._home.index.raise_damage()
            except IndexCorrupt as damage:
                self._damage = damage
                orders.feed_eof()
                return

    def _report(self) -> Report:
        home = self._home
        return Report(
            now_ms=home.now_ms(),
            virtual=home.clock.virtual,
            log_position=home.log.position,
            index_position=home.index.position,
            sources=tuple(home.ingest.health.values()),
            intake=self._intake.report(),
        )

    def _say(self, said: Said) -> None:
        self._writer.write(packed(said))


def _first(pipe: socket.socket, inbox: Inbox[Order]) -> Open | None:
    while data := pipe.recv(_READ_BYTES):
        for order in inbox.feed(data):
            assert isinstance(order, Open)
            return order
    return None


def _sources(order: Open, clock: SystemClock) -> list[Source]:
    asked = order.sources
    if asked is None:
        return []
    return open_sources(
        list(asked.names),
        clock,
        x_rules=asked.x_rules,
        x_daily_usd=asked.x_daily_usd,
        follow=asked.follow,
        network=asked.network,
    )


def _log_as(levels: dict[str, int]) -> None:
    """Log what the parent would, to the same standard error."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


if __name__ == "__main__":
    main()
