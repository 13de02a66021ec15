"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fairwitness.index.errors import room_on_disk


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Give a file that takes the place of `path` when all is in it; with `sync` it is on the disk.

    Raises IndexDiskFull, and leaves nothing behind, when there is no room.
    """
    beside = path.with_name(path.name + ".new")
    with room_on_disk(path):
        try:
            with beside.open("wb") as file:
                yield file
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def sync_folder(folder: Path) -> None:
    """Make names that were added to or renamed in `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
