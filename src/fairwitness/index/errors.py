"""What can be wrong with an index, and what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class IndexFault(Exception):
    """The index cannot do what it was asked; the message names the file."""


class IndexMissing(IndexFault):
    """There is no index in this folder, and a reader may not make one."""


class IndexBusy(IndexFault):
    """Another process is writing this index."""


class IndexDiskFull(IndexFault):
    """No room left. Searching goes on; asking again once there is room carries on from here."""


class IndexCorrupt(IndexFault):
    """A file of the index is not what we wrote. The log is the truth, the index only follows it."""

    def __init__(self, path: Path, what: str) -> None:
        home = next((p for p in path.parents if p.name == "slices"), path).parent
        super().__init__(
            f"{path}: {what}; delete the folder {home} and the index is rebuilt from the log"
        )


@contextmanager
def room_on_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" while `path` is written into IndexDiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise IndexDiskFull(f"no room on the disk for {path}") from error
        raise
