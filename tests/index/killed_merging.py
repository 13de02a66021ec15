"""A writer that is killed while it merges: `kill -9` by its own hand, at a given write."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fairwitness.index import LiveIndex, words
from fairwitness.index.whole import replacing
from fairwitness.posts.post import Post, Posted

POSTS = 40


def said(number: int) -> Posted:
    text = f"fire seen by n{number}"
    return Posted(
        Post(
            id=f"{number}", network="x", author="ann", author_id="a", text=text,
            created_ms=number, seen_ms=number,
        )
    )  # fmt: skip


class Dying:
    """A file of which half is written, and then nothing any more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        print("half", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def dying(path: Path, *, sync: bool = True) -> Iterator[BinaryIO | Dying]:
    """Stand for `replacing`: only merges sync what they write."""
    with replacing(path, sync=sync) as file:
        if sync and WHEN == "half":
            yield Dying(file)
        else:
            yield file
    if sync and WHEN == "whole":
        print("whole", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    folder, WHEN = Path(sys.argv[1]), sys.argv[2]
    index = LiveIndex.open(folder)
    words.replacing = dying  # type: ignore[assignment]
    for number in range(POSTS):
        index.apply([said(number)], number + 1)
        index.checkpoint()
        print(index.position, flush=True)
