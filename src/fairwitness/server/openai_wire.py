"""What a chat completion looks like on its way back, as OpenAI shapes it.

Source: openai/openai-openapi, `openapi.json` 2.3.0 (CreateChatCompletionResponse,
CreateChatCompletionStreamResponse).
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from fairwitness.engine.chat import Finish, Usage
from fairwitness.engine.logprobs import TokenLogprob


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
        self, choices: list[dict[str, object]], usage: Usage | None, **more: object
    ) -> dict[str, object]:
        """Return the body of a whole completion, with `more` beside the known fields."""
        return self._body("chat.completion", choices) | {"usage": usage_body(usage)} | more

    def chunk(
        self,
        delta: Mapping[str, object],
        finish: Finish | None = None,
        *,
        index: int = 0,
        logprobs: Sequence[TokenLogprob] | None = None,
    ) -> dict[str, object]:
        """Return one chunk of a stream: what the choice `index` goes on with."""
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs_body(logprobs),
            "finish_reason": finish,
        }
        return self._body("chat.completion.chunk", [choice])

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


def choice_body(
    content: str,
    finish: Finish,
    *,
    index: int = 0,
    annotations: Sequence[Annotation] = (),
    logprobs: Sequence[TokenLogprob] | None = None,
) -> dict[str, object]:
    """Return one whole choice."""
    message: dict[str, object] = {"role": "assistant", "content": content, "refusal": None}
    if annotations:
        message["annotations"] = annotations
    told = logprobs_body(logprobs)
    return {"index": index, "message": message, "logprobs": told, "finish_reason": finish}


def logprobs_body(logprobs: Sequence[TokenLogprob] | None) -> dict[str, object] | None:
    """Return the logprobs of the content; None when they were not asked for."""
    return None if logprobs is None else {"content": logprobs, "refusal": None}


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
