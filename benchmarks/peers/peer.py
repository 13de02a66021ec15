"""What a peer is asked to do: take posts in as they come, and find them by words and meaning.

A writer makes each batch durable and searchable before `add` returns, with the settings that the
peer's own documentation recommends for many writes. Readers are other processes where the peer
allows that, else threads of the writer's process.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256


class Post(NamedTuple):
    """One post, cleaned and told its language by us; the vector is ours too."""

    id: int
    text: str
    author: str
    lang: str
    created_ms: int
    vector: NDArray[np.float32]


class Asked(NamedTuple):
    """One question."""

    words: str
    lang: str
    """Empty: any."""
    vector: NDArray[np.float32]


class Reader(Protocol):
    def search(self, asked: Asked, limit: int) -> int:
        """Return how many posts were found, best first, by words and meaning together."""
        ...

    def has(self, word: str) -> bool:
        """Return whether a post with this rare word is found by words alone."""
        ...

    def close(self) -> None: ...


class Writer(Protocol):
    version: str
    settings: dict[str, Any]
    separate: bool
    """Whether readers can be other processes."""

    def add(self, posts: Sequence[Post]) -> None:
        """Make `posts` durable and searchable."""
        ...

    def tend(self) -> None:
        """Do what the documentation wants done now and then; called after each batch."""
        ...

    def settle(self) -> None:
        """Do what the documentation wants done after a bulk load."""
        ...

    def address(self) -> str:
        """Return what a reader in another process opens."""
        ...

    def reader(self) -> Reader:
        """Open a reader in this process."""
        ...

    def close(self) -> None: ...

    def size_bytes(self) -> int:
        """Return what the posts take on disk."""
        ...


def size_bytes(folder: Path) -> int:
    """Return what a folder takes on disk, in blocks."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name), follow_symlinks=False).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
