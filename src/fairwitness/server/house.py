"""What the server works on: a home that another process writes, the chat model, who answers."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from fairwitness import answers
from fairwitness.answers import Length, Mode, Parsed, Told
from fairwitness.engine.chat import ChatModel
from fairwitness.home import Followed, Writer
from fairwitness.server.chat_slot import ChatSlot, Loader
from fairwitness.server.counts import Counts
from fairwitness.server.workers import Running, Workers

ANSWER_THREADS, ANSWERS_WAITING = 4, 16
CHAT_THREADS, CHATS_WAITING = 64, 960
"""As many threads as the engine runs requests together, and with the line as many as it lets wait.
A thread of these only waits for tokens."""
SEARCH_THREADS, SEARCHES_WAITING = 2, 64
"""Searches take milliseconds and have threads of their own, so they never wait for answers."""


class House:
    """Everything that a request may need. The writer stays open: who opened it closes it."""

    def __init__(self, writer: Writer, *, load_chat: Loader | None = None) -> None:
        """Nothing runs before `begin`. `load_chat` is called in a thread of its own."""
        self.writer = writer
        self.chat = ChatSlot(load_chat)
        self.answering = Workers("answer", ANSWER_THREADS, ANSWERS_WAITING)
        self.chatting = Workers("chat", CHAT_THREADS, CHATS_WAITING)
        self.searching = Workers("search", SEARCH_THREADS, SEARCHES_WAITING)
        self.counts = Counts()
        self.watching = 0
        """Answers that are open."""
        self.closing = asyncio.Event()
        """Set when the server stops: streams without an end end then."""

    @property
    def home(self) -> Followed:
        """What is known of the home now."""
        return self.writer.home

    def begin(self) -> None:
        """Start loading the model; needs a running loop."""
        self.chat.begin()

    async def close(self) -> None:
        """Stop taking in and answering; after this nothing works on the home any more."""
        self.closing.set()
        await asyncio.to_thread(self.writer.stop)
        every = (self.answering, self.chatting, self.searching)
        await asyncio.gather(*(workers.close() for workers in every))

    def ask(
        self,
        question: str,
        mode: Mode,
        lang: str,
        as_of_ms: int | None,
        chat: ChatModel | None,
        *,
        earlier: Sequence[str] = (),
        edited: Sequence[Parsed] = (),
        explain: bool = False,
        length: Length = "normal",
    ) -> Running[Told]:
        """Begin to answer with `chat` as the writer; raises Busy, the iteration QuestionError."""
        desk = self.home.desk(lambda: chat)

        def make() -> Iterator[Told]:
            told = answers.ask(
                desk, question, mode=mode, lang=lang, as_of_ms=as_of_ms,
                earlier=earlier, edited=edited, explain=explain, length=length,
            )  # fmt: skip
            return self.counts.watched(told, asked_s)

        asked_s = time.perf_counter()
        return self.answering.start(make)
