"""The folder of an index: who writes to it, which slices are in it, what it takes on the disk."""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from fairwitness.index.errors import IndexBusy
from fairwitness.index.manifest import Manifest
from fairwitness.index.slice import EMPTY


def slice_folder(folder: Path, first: int) -> Path:
    """Return where the slice is that begins with the ordinal `first`."""
    return folder / "slices" / f"{first:012d}"


def lock(folder: Path) -> int:
    """Return a descriptor that keeps others from writing; raise IndexBusy when somebody does."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise IndexBusy(f"another process writes the index {folder}") from error
    return fd


def discard_slices_after(folder: Path, state: Manifest) -> None:
    """Remove slices that the manifest does not know; without one, that is all of them."""
    numbers = range(state.first_slice, state.first_slice + len(state.slices))
    known = {slice_folder(folder, number * state.slice_rows) for number in numbers}
    begun = state.slices == (EMPTY,) and not (folder / "manifest.json").exists()
    for path in (folder / "slices").glob("*"):
        if begun or path not in known:
            shutil.rmtree(path)


def size_bytes(folder: Path) -> int:
    """Return what all files take on the disk."""
    total = 0
    for inside, _, names in os.walk(folder):  # goes on where a folder has gone meanwhile
        for name in names:
            with suppress(FileNotFoundError):  # a merge in the background removes what it merged
                total += os.stat(os.path.join(inside, name)).st_blocks * 512
    return total
