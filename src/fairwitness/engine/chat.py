"""The text door: messages in, pieces of text out, whoever runs the model.

`LocalChat` (our engine) and `RemoteChat` (any OpenAI-compatible server) both are a `ChatModel`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from fairwitness.engine.forms import Form
from fairwitness.engine.logprobs import TokenLogprob
from fairwitness.engine.request import EngineError
from fairwitness.models import Message

__all__ = [
    "ChatBusyError",
    "ChatDeadlineError",
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
    """An answer that could not be had: refused, broken off, or not understood.

    `option` names the field of `ChatOptions` that was refused, if it was one.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class ChatBusyError(ChatError):
    """Too many are asking at once: the same may be asked again later."""


class ChatDeadlineError(ChatError):
    """The time that was given for the answer is over."""


class ChatOptions(msgspec.Struct, frozen=True):
    """How to answer; `engine.Request` says what the numbers mean.

    `stop` texts end the answer and are not part of it. `top_logprobs` asks for the logprob of each
    token and for so many of the likeliest beside it; None asks for none. `form` is kept whatever
    the model wants, until `max_tokens` cut it off. An answer that is not whole after `timeout_s`
    ends with `ChatDeadlineError`.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = msgspec.field(default_factory=dict)
    top_logprobs: int | None = None
    form: Form | None = None
    timeout_s: float | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens read and written, as OpenAI counts them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass
class Tally:
    """What is known of an answer so far; its producer writes it, its stream shows it."""

    usage: Usage | None = None
    finish: Finish | None = None
    logprobs: list[TokenLogprob] = field(default_factory=list)


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

    @property
    def logprobs(self) -> Sequence[TokenLogprob]:
        """Those of all tokens whose text has begun to come out, if they were asked for."""
        return self._tally.logprobs

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
