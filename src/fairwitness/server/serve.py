"""Run the server: take the port first, serve until told to stop, then put everything away.

SIGINT and SIGTERM end it in order: no new connections, streams without an end are ended, answers
under way get a while, intake stops with everything acknowledged on disk. A second SIGINT skips the
while, never the rest. The writer stays open: who opened it closes it.
"""

import errno
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from fairwitness.server.app import create_app
from fairwitness.server.errors import ServerError
from fairwitness.server.house import House

GRACE_S = 10
"""How long answers under way may go on when the server is told to stop."""


class PortTaken(ServerError):
    """Something else listens where we should; the message names the port and the option."""


def bind(host: str, port: int) -> socket.socket:
    """Take the port, 0 for any; nobody can connect before `serve`.

    A caller that has slow things to open does this first. Raises PortTaken when it is in use,
    ServerError when the address cannot be had.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise ServerError(f"cannot serve on {host}:{port}: {error}") from error
    door = socket.socket(family, kind, proto)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(address)
    except OSError as error:
        door.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is in use; choose another with --port"
            raise PortTaken(message) from error
        raise ServerError(f"cannot serve on {host}:{port}: {error.strerror}") from error
    return door


def serve(
    house: House,
    host: str,
    port: int,
    *,
    verb: str = "up",
    door: socket.socket | None = None,
) -> None:
    """Serve `house` until SIGINT or SIGTERM; when this returns nothing works on its home any more.

    Others learn from the lock of the home that we do `verb`, and where, once they can connect.
    `door` is what `bind` returned; without one it is called here, and raises what it raises.
    """
    taken = door or bind(host, port)
    Server(house, verb).run(sockets=[taken])


def url_of(door: socket.socket) -> str:
    """Return the address under which this machine reaches `door`."""
    host, port = door.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if door.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Uvicorn, with signals that mean "in order" and the house put away whatever happens."""

    def __init__(self, house: House, verb: str) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(house),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,  # a question may stand in the address of the page
                server_header=False,
                proxy_headers=False,  # who asks is who connects; see guard.require_local
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._house = house
        self._verb = verb

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and tell others where."""
        await super().startup(sockets)
        for door in sockets or ():
            self._house.writer.lock.announce(self._verb, url_of(door))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order; streams without an end are ended first."""
        self._house.closing.set()
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn skips the end of the lifespan then
            await self._house.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM, and return from `serve` instead of dying of them after."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self._stop) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def _stop(self, sig: int, _: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
