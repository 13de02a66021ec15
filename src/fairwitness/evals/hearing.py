"""A home to measure answers in: posts go in, questions go the whole road.

The index is the real one, on disk; only the log is left out, which no answer reads. The clock
stands where it is put, so that a question of last spring is asked last spring.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fairwitness.answers import Answer, Desk, Finished, ask
from fairwitness.engine import ChatModel
from fairwitness.index import LiveIndex
from fairwitness.posts import clean
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.compose import Parts, compose_all
from fairwitness.posts.post import FOREVER_MS, Event, Post, Posted
from fairwitness.posts.sources import captures
from fairwitness.posts.sources.captures import Capture

Chat = Callable[[], ChatModel | None]

_TOGETHER = 4_000


class Hearing:
    """An index of posts, and questions to it; what was answered is kept to be judged."""

    def __init__(self, folder: Path, chat: Chat) -> None:
        self.index = LiveIndex.open(folder)
        self.clock = VirtualClock()
        self.answers: list[Answer] = []
        self._desk = Desk(self.index, self.clock.now_ms, lambda _: (), chat)

    def take(self, events: Sequence[Event]) -> None:
        """Take `events` in and make them findable."""
        for at in range(0, len(events), _TOGETHER):
            some = events[at : at + _TOGETHER]
            self.index.apply(self.index.novel(some), self.index.position + 1)
        self.index.refresh()
        self.clock.advance_to(self.index.newest_seen_ms(as_of_ms=FOREVER_MS))

    def take_posts(self, posts: Iterable[Post]) -> None:
        """Take new posts in."""
        self.take([Posted(post) for post in posts])

    def ask(self, question: str, *, as_of_ms: int | None = None, lang: str = "") -> Answer:
        """Return the whole answer; raises QuestionError."""
        *_, last = ask(self._desk, question, as_of_ms=as_of_ms, lang=lang)
        assert isinstance(last, Finished)
        self.answers.append(last.answer)
        return last.answer

    def close(self) -> None:
        """Let go of the files."""
        self.index.close()


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, packed with gzip or not."""
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        for line in file:
            if line.strip():
                yield json.loads(line)


def posts_in(path: Path) -> list[Post]:
    """Return the posts of a capture, each seen when it was made, each id once."""
    capture = Capture(path.name.split(".")[0])
    said = [captures.read(row, capture, captures.time_of(row) or 0) for row in rows_of(path)]
    found = {e.post.id: e.post for e in captures.events_in(said) if isinstance(e, Posted)}
    return list(found.values())


def made(texts: Sequence[tuple[str, str, int]], prefix: str) -> list[Post]:
    """Return posts of our own: (author, text, Unix ms), with ids that begin with `prefix`."""
    parts = [
        Parts(
            cleaned=clean.from_plain(text),
            id=f"{prefix}:{number}",
            network="file",
            author=author,
            author_id=author,
            created_ms=moment_ms,
            seen_ms=moment_ms,
        )
        for number, (author, text, moment_ms) in enumerate(texts)
    ]
    return compose_all(parts)
