"""A chat model on rations: so many tokens in all, and no longer than until a moment.

What does not fit is not begun. How many tokens a conversation is cannot be known before it is read,
so it is taken for more than it will be.
"""

import time
from collections.abc import Sequence

import msgspec

from fairwitness.engine.chat import (
    ChatBusyError,
    ChatModel,
    ChatOptions,
    ChatStream,
    Message,
)

_BYTES_A_TOKEN = 2
"""Tokens are longer than this in every language that models here were taught."""
_TOKENS_A_MESSAGE = 8
"""What marks where a message begins and ends."""


class Ration:
    """Passes conversations on to `model` as long as they fit."""

    def __init__(self, model: ChatModel, tokens: int, until_s: float) -> None:
        """`until_s` is a moment of `time.monotonic`."""
        self._model = model
        self._tokens = tokens
        self._until_s = until_s
        self._streams: list[tuple[ChatStream, int]] = []
        self.refused = False
        """Whether something did not fit."""

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    @property
    def spent(self) -> int:
        """Tokens read and written; of a stream that does not tell, what it was taken for."""
        told = ((stream.usage, taken_for) for stream, taken_for in self._streams)
        return sum(
            usage.prompt_tokens + usage.completion_tokens if usage else taken_for
            for usage, taken_for in told
        )

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the conversation; see `ChatModel`. Raises ChatError when it does not fit."""
        read = sum(len(m.content.encode()) // _BYTES_A_TOKEN + _TOKENS_A_MESSAGE for m in messages)
        taken_for = read + options.max_tokens
        left_s = self._until_s - time.monotonic()
        if self.spent + taken_for > self._tokens or left_s <= 0:
            self.refused = True
            raise ChatBusyError("its tokens or its time are spent")
        stream = self._model.stream(messages, msgspec.structs.replace(options, timeout_s=left_s))
        self._streams.append((stream, taken_for))
        return stream
