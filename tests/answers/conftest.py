"""A desk over posts that a test says, in a real index on disk."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fairwitness.answers import Answer, Desk, Finished, ask
from fairwitness.engine.chat import ChatModel
from fairwitness.index import LiveIndex
from fairwitness.models.verifier import Verifier
from fairwitness.posts import clean
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import Parts, compose
from fairwitness.posts.health import HealthReport
from fairwitness.posts.post import Event, Post, Posted

NOON_MS = from_iso("2024-05-04T12:00:00Z")


class Scene:
    """What was said, and questions about it."""

    def __init__(self, index: LiveIndex) -> None:
        self.index = index
        self.now_ms = NOON_MS
        self.reports: Sequence[HealthReport] = ()
        self._ids = itertools.count(1)

    def say(
        self,
        *texts: str,
        author: str = "",
        network: str = "test",
        minutes: float = 1.0,
        **more: object,
    ) -> list[Post]:
        """Post texts a minute apart, each by an author of its own unless one is named."""
        posts = []
        for text in texts:
            number = next(self._ids)
            self.now_ms += int(minutes * 60_000)
            who = author or f"author{number}"
            posts.append(
                compose(
                    Parts(
                        cleaned=clean.from_plain(text),
                        id=f"test:{number}",
                        network=network,
                        author=who,
                        author_id=who,
                        created_ms=self.now_ms,
                        seen_ms=self.now_ms,
                        **more,  # type: ignore[arg-type]
                    )
                )
            )
        self.happen(*map(Posted, posts))
        return posts

    def happen(self, *events: Event) -> None:
        self.index.apply(self.index.novel(events), self.index.position + 1)
        self.index.refresh()

    def desk(self, chat: ChatModel | None = None, verifier: Verifier | None = None) -> Desk:
        return Desk(
            self.index, lambda: self.now_ms, lambda _: self.reports, lambda: chat, lambda: verifier
        )

    def ask(
        self,
        question: str,
        chat: ChatModel | None = None,
        verifier: Verifier | None = None,
        **how: object,
    ) -> Answer:
        *_, last = ask(self.desk(chat, verifier), question, **how)  # type: ignore[arg-type]
        assert isinstance(last, Finished)
        check(last.answer)
        return last.answer


def check(answer: Answer) -> None:
    """Hold what must be true of every answer, whatever was asked."""
    by_number = {source.n: source for source in answer.sources}
    assert sorted(by_number) == list(range(1, len(by_number) + 1))
    for sentence in (*answer.sentences, *answer.beside):
        assert sentence.citations, sentence
        for citation in sentence.citations:
            cited = by_number[citation.source].text[citation.start : citation.end]
            assert cited
            if sentence.kind == "quote":
                assert cited == sentence.text
    assert answer.abstained == (not answer.sentences)
    if answer.abstained:
        assert not answer.sources
        assert not answer.disputes


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    index = LiveIndex.open(tmp_path / "index")
    yield Scene(index)
    index.close()


@pytest.fixture(scope="session")
def checked() -> Callable[[Answer], None]:
    return check
