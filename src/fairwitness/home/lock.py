"""One writer on one home: a lock file that says who holds it and where it listens.

The lock is the kernel's (`flock`), so it is gone the instant its holder is, however it ended.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path


class HomeBusy(Exception):
    """Another process writes to this home; the message names it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    pid: int
    verb: str
    url: str
    """Where it serves; empty when it does not."""


class HomeLock:
    """The lock on a home, held until `release` or the end of the process."""

    def __init__(self, folder: Path, verb: str) -> None:
        """Take the lock; raises HomeBusy when another process has it."""
        self._path = folder / "lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise HomeBusy(_busy(folder, _read(self._path))) from None
        self.announce(verb)

    def announce(self, verb: str, url: str = "") -> None:
        """Write down what we do and where we serve, for others to find."""
        told = json.dumps({"pid": os.getpid(), "verb": verb, "url": url}).encode()
        os.pwrite(self._descriptor, told, 0)
        os.ftruncate(self._descriptor, len(told))

    def release(self) -> None:
        """Let go."""
        os.close(self._descriptor)


def holder(folder: Path) -> Holder | None:
    """Return who holds the lock on the home in `folder`, or None when nobody does."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _read(path: Path) -> Holder:
    try:
        told = json.loads(path.read_text())
        return Holder(int(told["pid"]), str(told["verb"]), str(told["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder(0, "", "")  # taken, and not yet written


def _busy(folder: Path, other: Holder) -> str:
    where = f" at {other.url}" if other.url else ""
    return f"home {folder} is in use by `fairwitness {other.verb}` (process {other.pid}){where}"
