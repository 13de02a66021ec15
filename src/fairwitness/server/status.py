"""How everything stands: for people at `/v1/status`, for machines at `/healthz` and `/readyz`."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from importlib.metadata import version

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from fairwitness import __version__
from fairwitness.home import IntakeReport
from fairwitness.index import IndexStats
from fairwitness.posts.clock import to_iso
from fairwitness.posts.health import HealthReport
from fairwitness.server import sse
from fairwitness.server.bodies import json
from fairwitness.server.chat_slot import ChatReport
from fairwitness.server.house import House

TICK_S = 1.0

_VERSIONS = {
    "fairwitness": __version__,
    "python": sys.version.split()[0],
    "jax": version("jax"),
}


class Position(msgspec.Struct, frozen=True):
    """Bytes of log: written, and of those durably in the index."""

    log: int
    index: int


class Status(msgspec.Struct, frozen=True):
    """How a house stands."""

    now: str
    """The clock of the home."""
    virtual: bool
    """Whether that clock is a replay's."""
    posts: int
    networks: dict[str, int]
    copies: int
    """Of the posts, and so are the next three; see `IndexStats`."""
    author_floods: int
    copy_floods: int
    low_quality: int
    newest_seen_at: str
    newest_age_s: float
    sources: tuple[HealthReport, ...]
    intake: IntakeReport
    model: ChatReport
    position: Position
    size_bytes: int
    answering: int
    """Questions that are being answered or wait for it."""
    versions: dict[str, str]


class StatusBoard:
    """Takes the status at most once a tick, however many watch."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stats: IndexStats | None = None
        self._taken_s = 0.0
        self._taking = asyncio.Lock()

    async def read(self) -> Status:
        """Return the status; what the index counts may be a tick old."""
        async with self._taking:
            if self._stats is None or time.monotonic() - self._taken_s >= TICK_S * 0.9:
                self._stats = await asyncio.to_thread(self._house.home.index.stats)
                self._taken_s = time.monotonic()
        return self._status(self._stats)

    def _status(self, stats: IndexStats) -> Status:
        house, home = self._house, self._house.home
        now_ms = home.now_ms()
        newest_ms = stats.newest_seen_ms
        return Status(
            now=to_iso(now_ms),
            virtual=home.virtual,
            posts=stats.posts,
            networks=stats.networks,
            copies=stats.copies,
            author_floods=stats.author_floods,
            copy_floods=stats.copy_floods,
            low_quality=stats.low_quality,
            newest_seen_at=to_iso(newest_ms) if newest_ms else "",
            newest_age_s=max(0, now_ms - newest_ms) / 1000 if newest_ms else 0.0,
            sources=tuple(home.health(now_ms)),
            intake=home.report.intake,
            model=house.chat.report(),
            position=Position(home.report.log_position, home.report.index_position),
            size_bytes=stats.size_bytes,
            answering=house.answering.in_flight,
            versions=_VERSIONS,
        )


async def status(request: Request) -> Response:
    """Return the status."""
    return json(await request.app.state.board.read())


async def status_stream(request: Request) -> Response:
    """Send the status once a second, as `status` events, until the client or the server goes."""
    return sse.stream(_ticks(request.app.state.board, request.app.state.house))


async def _ticks(board: StatusBoard, house: House) -> AsyncIterator[bytes]:
    while not house.closing.is_set():
        yield sse.event("status", await board.read())
        try:
            await asyncio.wait_for(house.closing.wait(), TICK_S)
        except TimeoutError:
            continue


async def healthz(_: Request) -> Response:
    """Say that we serve."""
    return json({"status": "serving", "version": __version__})


async def readyz(request: Request) -> Response:
    """Say whether the index follows the log: 503 while it cannot, because the disk is full."""
    house: House = request.app.state.house
    report = house.home.report.intake
    ready = report.state not in ("blocked", "failed")
    body = {"ready": ready, "intake": report, "model": house.chat.report().state}
    return json(body, 200 if ready else 503)
