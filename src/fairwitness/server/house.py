"""What the server works on: an open home, the chat model, those who take in, those who answer."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from fairwitness import answers
from fairwitness.answers import Mode, Told
from fairwitness.engine.chat import ChatModel
from fairwitness.home import Home
from fairwitness.posts.source import Source
from fairwitness.server.chat_slot import ChatSlot, Loader
from fairwitness.server.counts import Counts
from fairwitness.server.intake import Intake
from fairwitness.server.workers import Running, Workers

ANSWER_THREADS, ANSWERS_WAITING = 4, 16
SEARCH_THREADS, SEARCHES_WAITING = 2, 64
"""Searches take milliseconds and have threads of their own, so they never wait for answers."""


class House:
    """Everything that a request may need. The home stays open: who opened it closes it."""

    def __init__(
        self, home: Home, *, load_chat: Loader | None = None, sources: Sequence[Source] = ()
    ) -> None:
        """Nothing runs before `begin`. `load_chat` is called in a thread of its own."""
        self.home = home
        self.chat = ChatSlot(load_chat)
        self.intake = Intake(home, sources)
        self.answering = Workers("answer", ANSWER_THREADS, ANSWERS_WAITING)
        self.searching = Workers("search", SEARCH_THREADS, SEARCHES_WAITING)
        self.counts = Counts()
        self.closing = asyncio.Event()
        """Set when the server stops: streams without an end end then."""

    def begin(self) -> None:
        """Start listening to the sources and loading the model; needs a running loop."""
        self.chat.begin()
        self.intake.begin()

    async def close(self) -> None:
        """Stop taking in and answering; after this nothing works on the home any more."""
        self.closing.set()
        await self.intake.stop()
        await asyncio.gather(self.answering.close(), self.searching.close())

    def ask(
        self,
        question: str,
        mode: Mode,
        lang: str,
        as_of_ms: int | None,
        chat: ChatModel | None,
    ) -> Running[Told]:
        """Begin to answer with `chat` as the writer; raises Busy, the iteration QuestionError."""
        desk = self.home.desk(lambda: chat)

        def make() -> Iterator[Told]:
            told = answers.ask(desk, question, mode=mode, lang=lang, as_of_ms=as_of_ms)
            return self.counts.watched(told, asked_s)

        asked_s = time.perf_counter()
        return self.answering.start(make)
