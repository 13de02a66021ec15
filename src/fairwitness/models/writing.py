"""What goes into a model file, and how a file or a folder appears: whole, or not at all.

Everything is written under a hidden name beside the target, and the last act is a rename. Weights
are asked for one tensor at a time, so that no second copy of a model is ever in memory.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import BlockFormat
from fairwitness.models.errors import ModelFileError

Progress = Callable[[int, int], None]
"""Called now and then with the bytes so far and the total; a download does it in another thread."""


@dataclass(frozen=True)
class NewTensor:
    """A tensor to be written; `read` gives its packed bytes, row-major, when its turn comes."""

    name: str
    shape: tuple[int, ...]
    format: BlockFormat
    read: Callable[[], NDArray[np.uint8]]

    @property
    def size_bytes(self) -> int:
        """How many bytes `read` gives."""
        return prod(self.shape) // self.format.weights * self.format.size_bytes

    def packed(self) -> NDArray[np.uint8]:
        """What `read` gives, held to what was promised."""
        packed = self.read()
        assert packed.size == self.size_bytes, f"{self.name}: {packed.size}, not {self.size_bytes}"
        return packed


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a new file; it gets its name when the block ends well.

    Raises:
        ModelFileError: the name is taken, or the disk refuses.
    """
    with _told(path):
        hidden = _hidden(path)
        try:
            with hidden.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(hidden, path)
        finally:
            hidden.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a new folder, file by file (each of them synced); errors as in `whole_file`."""
    with _told(path):
        hidden = _hidden(path)
        try:
            hidden.mkdir()
            yield hidden
            publish(hidden, path)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def publish(hidden: Path, target: Path) -> None:
    """Give a file or folder its final name, and make the name survive a power cut."""
    os.replace(hidden, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _hidden(path: Path) -> Path:
    if path.exists():
        raise ModelFileError(path, "is there already")
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelFileError(path, f"cannot be written: {error.strerror}") from error
