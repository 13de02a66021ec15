"""The shapes of OpenAI's chat completions, as far as we speak them.

Source: openai/openai-openapi, `openapi.json` 2.3.0 (CreateChatCompletionRequest, -Response,
-StreamResponse). What a client sends and we have no use for is ignored, as other servers do.
"""

import time
import uuid
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fairwitness.answers import Mode
from fairwitness.engine.chat import Finish, Usage
from fairwitness.models import Message
from fairwitness.server.errors import ApiError

GROUNDED = "fairwitness"
"""The model that answers from posts; every other name is a chat model used as it is."""

DEFAULT_MAX_TOKENS = 512


class Part(msgspec.Struct, frozen=True):
    """A part of a message's content."""

    type: str
    text: str = ""


class SentMessage(msgspec.Struct, frozen=True):
    """One message as a client sends it."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | tuple[Part, ...] | None = None

    def text(self, place: int) -> str:
        """Return the content as text; raises ApiError when it holds anything else."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        for at, part in enumerate(self.content):
            if part.type != "text":
                param = f"messages[{place}].content[{at}].type"
                raise ApiError(400, f"only text can be read here, not {part.type!r}", param=param)
        return "\n".join(part.text for part in self.content)


class StreamOptions(msgspec.Struct, frozen=True):
    """What else a stream should tell."""

    include_usage: bool | None = False


class ChatBody(msgspec.Struct, frozen=True):
    """`POST /v1/chat/completions`. The last three fields are ours and mean what `/v1/ask` says."""

    messages: Annotated[tuple[SentMessage, ...], Meta(min_length=1)]
    model: str = GROUNDED
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = 1
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    mode: Mode = "regular"
    lang: str = ""
    as_of: str = ""

    def conversation(self) -> list[Message]:
        """Return the messages as a chat model takes them."""
        return [
            Message("system" if sent.role == "developer" else sent.role, sent.text(place))
            for place, sent in enumerate(self.messages)
        ]

    def question(self) -> str:
        """Return what the user said last; raises ApiError when the user said nothing."""
        for place in range(len(self.messages) - 1, -1, -1):
            if self.messages[place].role == "user":
                return self.messages[place].text(place)
        raise ApiError(400, "no message has the role user", param="messages")

    @property
    def wants_usage(self) -> bool:
        """Whether the stream shall end with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


class UrlCitation(msgspec.Struct, frozen=True):
    """Characters `start_index` to `end_index` of the content are the mark of a citation."""

    start_index: int
    end_index: int
    url: str
    title: str


class Annotation(msgspec.Struct, frozen=True):
    """A citation, nested as chat completions have it (the Responses API has it flat)."""

    url_citation: UrlCitation
    type: Literal["url_citation"] = "url_citation"


class Head(msgspec.Struct, frozen=True):
    """What all chunks of one completion share."""

    model: str
    id: str = msgspec.field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = msgspec.field(default_factory=lambda: int(time.time()))

    def completion(
        self,
        content: str,
        finish: Finish,
        usage: Usage | None,
        annotations: tuple[Annotation, ...] = (),
        **more: object,
    ) -> dict[str, object]:
        """Return the body of a whole completion, with `more` beside the known fields."""
        message: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
        if annotations:
            message["annotations"] = annotations
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return self._body("chat.completion", [choice]) | {"usage": usage_body(usage)} | more

    def chunk(
        self, delta: dict[str, object], finish: Finish | None = None, **more: object
    ) -> dict[str, object]:
        """Return one chunk of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._body("chat.completion.chunk", [choice]) | more

    def usage_chunk(self, usage: Usage | None) -> dict[str, object]:
        """Return the chunk after the last, for those who asked for the usage."""
        return self._body("chat.completion.chunk", []) | {"usage": usage_body(usage)}

    def _body(self, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def usage_body(usage: Usage | None) -> dict[str, int] | None:
    """Return the tokens that the chat model read and wrote; None when nobody told."""
    if usage is None:
        return None
    total = usage.prompt_tokens + usage.completion_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": total,
    }
