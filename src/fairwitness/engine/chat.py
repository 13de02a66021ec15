"""The text door: messages in, pieces of text out, whoever runs the model.

`LocalChat` (our engine) and `RemoteChat` (any OpenAI-compatible server) both are a `ChatModel`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from fairwitness.engine.request import EngineError
from fairwitness.models import Message

__all__ = [
    "ChatError",
    "ChatModel",
    "ChatOptions",
    "ChatStream",
    "Finish",
    "Message",
    "Tally",
    "Usage",
]

Finish = Literal["stop", "length"]


class ChatError(EngineError):
    """An answer that could not be had: refused, broken off, or not understood."""


class ChatOptions(msgspec.Struct, frozen=True):
    """How to answer. `stop` texts end the answer and are not part of it."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """Tokens read and written, as OpenAI counts them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass
class Tally:
    """What is known of an answer so far; its producer writes it, its stream shows it."""

    usage: Usage | None = None
    finish: Finish | None = None


class ChatStream:
    """An answer on its way: iterate for its pieces; `close`, or dropping it, cancels.

    `usage` grows while it runs (a remote server tells it at the end, or never). `finish` is set
    when the answer has ended by itself.
    """

    def __init__(self, pieces: Generator[str, None, None], tally: Tally) -> None:
        self._pieces = pieces
        self._tally = tally

    def __iter__(self) -> ChatStream:
        return self

    def __next__(self) -> str:
        return next(self._pieces)

    @property
    def usage(self) -> Usage | None:
        """Tokens read and written so far, if known."""
        return self._tally.usage

    @property
    def finish(self) -> Finish | None:
        """Why the answer ended, once it has."""
        return self._tally.finish

    def close(self) -> None:
        """Stop the model; what was given out stays valid."""
        self._pieces.close()


class ChatModel(Protocol):
    """Whatever answers."""

    @property
    def name(self) -> str:
        """The model's name, as users give it."""

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the conversation.

        Raises:
            ChatError: the conversation or the options cannot be served; also from the stream.
        """
