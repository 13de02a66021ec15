"""What can be wrong with an index, and what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unicodedata import combining, east_asian_width

_SHOWN_CHARS = 60
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


class SyntaxProblem(Exception):
    """What someone asks for cannot be read. `at` is the offset of the character that is wrong."""

    def __init__(self, message: str, text: str, at: int) -> None:
        super().__init__(message)
        self.text = text
        self.at = at

    def pointed(self) -> str:
        """Return the text around the place, and under it a caret and the message: two lines."""
        start = max(self.at - _SHOWN_CHARS, 0)
        shown = "".join(map(_visible, self.text[start : self.at + _SHOWN_CHARS]))
        before = shown[: self.at - start]
        # East Asian letters take two columns, marks on a letter none.
        width = sum(2 if east_asian_width(c) in "WF" else not combining(c) for c in before)
        return f"{shown}\n{' ' * width}^ {self}"


def _visible(char: str) -> str:
    """Return what stands for a character where it must not move the caret or turn the line."""
    return char if char.isprintable() else "·"


@contextmanager
def room_on_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" while `path` is written into IndexDiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise IndexDiskFull(f"no room on the disk for {path}") from error
        raise
