"""A chat model whose tokens are counted, for one answer that may call it several times."""

from collections.abc import Sequence

from fairwitness.engine.chat import ChatModel, ChatOptions, ChatStream, Message, Usage


class Metered:
    """Passes everything on to a chat model and adds up what its streams tell."""

    NOTHING = Usage(0, 0)

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._streams: list[ChatStream] = []

    @classmethod
    def of(cls, model: ChatModel | None) -> "Metered | None":
        """Return `model` metered, if there is one."""
        return cls(model) if model else None

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    @property
    def usage(self) -> Usage | None:
        """All tokens read and written so far; None when a stream does not tell."""
        told = [stream.usage for stream in self._streams]
        known = [usage for usage in told if usage is not None]
        if len(known) < len(told):
            return None
        return Usage(
            sum(usage.prompt_tokens for usage in known),
            sum(usage.completion_tokens for usage in known),
        )

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the conversation; see `ChatModel`."""
        stream = self._model.stream(messages, options)
        self._streams.append(stream)
        return stream
