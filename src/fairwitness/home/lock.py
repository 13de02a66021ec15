"""One writer on one home: a lock file that says who holds it and where it listens.

The lock is the kernel's (`flock`), so it is gone the instant its holder is, however it ended.
"""

import fcntl
import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path


class HomeBusy(Exception):
    """Another process writes to this home; the message names it."""


class HomeUnusable(OSError):
    """The folder cannot hold a home; the message names it and what the system said."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock."""

    pid: int
    verb: str
    url: str
    """Where it serves; empty when it does not."""


_UNKNOWN = Holder(0, "", "")


class HomeLock:
    """The lock on a home, held until `release` or the end of the process."""

    def __init__(self, folder: Path, verb: str) -> None:
        """Take the lock; raises HomeBusy when another process has it."""
        self._path = folder / "lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _taken(self._descriptor):
                raise HomeBusy(_busy(folder, _read(self._path)))
            self.announce(verb)
        except BaseException:
            self.release()
            raise

    @classmethod
    def shared(cls, folder: Path, descriptor: int) -> "HomeLock":
        """Hold the lock that another process took and gave us `descriptor` of.

        It is free once all have let go who hold it.
        """
        lock = cls.__new__(cls)
        lock._path, lock._descriptor = folder / "lock", descriptor
        return lock

    @property
    def descriptor(self) -> int:
        """What to give to a process that shall hold it too."""
        return self._descriptor

    def announce(self, verb: str, url: str = "") -> None:
        """Write down what we do and where we serve, for others to find."""
        told = json.dumps({"pid": os.getpid(), "verb": verb, "url": url}).encode()
        os.pwrite(self._descriptor, told, 0)
        os.ftruncate(self._descriptor, len(told))

    def release(self) -> None:
        """Let go; once more changes nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """Return who holds the lock on the home in `folder`, or None when nobody does."""
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(path)
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Take the lock as a writer; False when another writer has it.

    Who only looks (`holder`) has it shared for an instant. That is no reason to give up.
    """
    while not _try(descriptor, fcntl.LOCK_EX):
        if not _try(descriptor, fcntl.LOCK_SH):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(random.uniform(0.0005, 0.005))
    return True


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> Holder:
    """Return who says so in the lock file, no process when that one is gone.

    Then the lock is taken, and its new holder has not yet written down who it is.
    """
    try:
        told = json.loads(path.read_text())
        found = Holder(int(told["pid"]), str(told["verb"]), str(told["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _UNKNOWN
    return found if _lives(found.pid) else _UNKNOWN


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # it is someone else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0


def _busy(folder: Path, other: Holder) -> str:
    if not other.pid:
        return f"home {folder} is in use by another process"
    where = f" at {other.url}" if other.url else ""
    return f"home {folder} is in use by `fairwitness {other.verb}` (process {other.pid}){where}"
