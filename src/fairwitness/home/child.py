"""One process that takes in, as its parent holds it: started, told, heard, ended."""

import logging
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

from fairwitness.home.messages import Open, Order, Said, Sources, packed, sayings

_READ_BYTES = 1 << 16


class Child:
    """A process that runs `home/writing.py`; one thread hears it, any thread sends."""

    def __init__(
        self, folder: Path, lock: int, sources: Sources | None, keep_ms: int | None
    ) -> None:
        """Start it on the home in `folder`; `lock` is the descriptor of the lock on it."""
        self._pipe, theirs = socket.socketpair()
        self._sending = threading.Lock()
        self._inbox = sayings()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fairwitness.home.writing", str(theirs.fileno())],
                pass_fds=(theirs.fileno(), lock),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.send(Open(os.fsencode(folder.absolute()), lock, sources, keep_ms, _log_levels()))

    def send(self, order: Order) -> bool:
        """Tell it; False when it is gone."""
        try:
            with self._sending:
                self._pipe.sendall(packed(order))
        except OSError:
            return False
        return True

    def hear(self, timeout_s: float) -> list[Said] | None:
        """Return what it said, nothing after `timeout_s`; None when it will say no more."""
        try:
            arriving = select.poll()  # and not `select`, which knows no descriptor above 1023
            arriving.register(self._pipe, select.POLLIN)
            if not arriving.poll(timeout_s * 1000):
                return []
            data = self._pipe.recv(_READ_BYTES)
        except (OSError, ValueError):  # it died with orders of ours unread, or was put away
            return None
        return list(self._inbox.feed(data)) if data else None

    def hang_up(self) -> None:
        """Tell it to settle and end; what it says until then can be heard."""
        try:
            self._pipe.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it is gone already

    def ended(self, patience_s: float) -> str:
        """Return how it ended, "" when in order; kills it when that takes longer."""
        try:
            code = self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._pipe.close()
        if code == 0:
            return ""
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _log_levels() -> dict[str, int]:
    loggers = logging.root.manager.loggerDict.items()
    levels = {name: each.level for name, each in loggers if isinstance(each, logging.Logger)}
    return {"": logging.root.level, **{name: level for name, level in levels.items() if level}}
