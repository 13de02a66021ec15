"""Answers from any OpenAI-compatible server (llama.cpp, vLLM, SGLang, Ollama, a paid one).

Wire format: "Create chat completion" with `stream: true` in the OpenAI API reference
(platform.openai.com/docs/api-reference/chat): server-sent events, each a JSON chunk, then `[DONE]`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import msgspec

from fairwitness.engine.chat import (
    ChatDeadlineError,
    ChatError,
    ChatOptions,
    ChatStream,
    Message,
    Tally,
    Usage,
)
from fairwitness.engine.forms import Form, JsonForm
from fairwitness.engine.logprobs import TokenLogprob

# A large model on a small machine may think for minutes before its first token.
_READ_S = 180.0
_SHOWN_CHARACTERS = 300
_SHOWN_BYTES = 4096


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Logprobs(msgspec.Struct, frozen=True):
    content: tuple[TokenLogprob, ...] | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta = _Delta()
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Chunk(msgspec.Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    usage: Usage | None = None
    error: object = None


class _ModelEntry(msgspec.Struct, frozen=True):
    id: str


class _ModelList(msgspec.Struct, frozen=True):
    data: tuple[_ModelEntry, ...]


class RemoteChat:
    """A model behind a URL such as `http://127.0.0.1:8080/v1`; without a name, its first model."""

    def __init__(self, url: str, model: str | None = None, api_key: str | None = None) -> None:
        """Connect; the server is asked for its models if none is named.

        Raises:
            ChatError: the URL is none, or the server cannot be asked.
        """
        base = url.rstrip("/")
        self._url = base if base.endswith("/v1") else f"{base}/v1"
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx2.Client(headers=headers, timeout=_timeout())
        self.name = model or self._first_model()

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the conversation; errors as in `ChatModel`, from the stream but for its form."""
        tally = Tally()
        timeout_s = math.inf if options.timeout_s is None else options.timeout_s
        return ChatStream(self._pieces(self._body(messages, options), tally, timeout_s), tally)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(self, messages: Sequence[Message], options: ChatOptions) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if options.stop:
            body["stop"] = list(options.stop)
        return body | _what_differs(options)

    def _pieces(
        self, body: dict[str, Any], tally: Tally, timeout_s: float
    ) -> Generator[str, None, None]:
        url, until_s = f"{self._url}/chat/completions", time.monotonic() + timeout_s
        sent = self._client.stream("POST", url, json=body, timeout=_timeout(timeout_s))
        with self._failures(until_s), sent as response:
            self._check_status(response)
            for event in httpx2.EventSource(response):
                if time.monotonic() > until_s:
                    raise ChatDeadlineError("the time for this request is over")
                if event.data == "[DONE]":
                    break
                chunk = self._chunk(event.data)
                tally.usage = chunk.usage or tally.usage
                for choice in chunk.choices[:1]:
                    if choice.logprobs:
                        tally.logprobs += choice.logprobs.content or ()
                    if choice.finish_reason is not None:
                        tally.finish = "length" if choice.finish_reason == "length" else "stop"
                    if choice.delta.content:
                        yield choice.delta.content
        if tally.finish is None:
            raise ChatError(f"{self._url} broke off its answer")

    def _chunk(self, data: str) -> _Chunk:
        try:
            chunk = msgspec.json.decode(data, type=_Chunk)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ChatError(
                f"{self._url} sent something that is no chat chunk: {data[:_SHOWN_CHARACTERS]!r}"
            ) from error
        if chunk.error is not None:
            raise ChatError(f"{self._url} failed: {str(chunk.error)[:_SHOWN_CHARACTERS]}")
        return chunk

    def _first_model(self) -> str:
        with self._failures(), self._client.stream("GET", f"{self._url}/models") as response:
            self._check_status(response)
            body = _beginning(response, 1_000_000)
        try:
            models = msgspec.json.decode(body, type=_ModelList).data
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ChatError(f"{self._url}/models is no list of models: {error}") from error
        if not models:
            raise ChatError(f"{self._url} has no models")
        return models[0].id

    def _check_status(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        text = _beginning(response, _SHOWN_BYTES).decode("utf-8", "replace")
        raise ChatError(
            f"{self._url} answered {response.status_code}: {text[:_SHOWN_CHARACTERS].strip()!r}"
        )

    @contextmanager
    def _failures(self, until_s: float = math.inf) -> Iterator[None]:
        """Tell what went wrong on the way as a `ChatError` that names the server."""
        try:
            yield
        except httpx2.ConnectError as error:
            raise ChatError(f"{self._url} cannot be reached: {error}") from error
        except httpx2.TimeoutException as error:
            if time.monotonic() > until_s:
                raise ChatDeadlineError("the time for this request is over") from error
            raise ChatError(
                f"{self._url} did not answer in time: {type(error).__name__}"
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise ChatError(f"{self._url} failed: {error or type(error).__name__}") from error


def _timeout(timeout_s: float = math.inf) -> httpx2.Timeout:
    return httpx2.Timeout(10.0, connect=5.0, read=min(timeout_s, _READ_S))


def _what_differs(options: ChatOptions) -> dict[str, Any]:
    """Settings that not every server knows: they are sent only when they say something."""
    names = ("top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
    plain = ChatOptions()
    body: dict[str, Any] = {
        name: getattr(options, name)
        for name in names
        if getattr(options, name) != getattr(plain, name)
    }
    if options.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in options.logit_bias.items()}
    if options.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": options.top_logprobs}
    if options.form:
        body["response_format"] = _response_format(options.form)
    return body


def _response_format(form: Form) -> dict[str, Any]:
    if not isinstance(form, JsonForm):
        kind = type(form).__name__.removesuffix("Form").lower()
        raise ChatError(f"a model server cannot be asked for a {kind}, only for JSON", "form")
    schema = msgspec.json.decode(form.schema)
    told = {"name": "answer", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": told}


def _beginning(response: httpx2.Response, size_bytes: int) -> bytes:
    """The first bytes of a body that may be endless."""
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) >= size_bytes:
            break
    return body[:size_bytes]
