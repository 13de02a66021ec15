"""Answers from our own engine: messages to tokens, tokens to text."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.chat import (
    ChatBusyError,
    ChatDeadlineError,
    ChatError,
    ChatOptions,
    ChatStream,
    Finish,
    Message,
    Tally,
    Usage,
)
from fairwitness.engine.engine import NO_ADAPTERS, Engine
from fairwitness.engine.forms import Forms
from fairwitness.engine.logprobs import HeldLogprobs
from fairwitness.engine.loop import DeadlineError, Load
from fairwitness.engine.request import EngineError, Request, RequestError, Token
from fairwitness.engine.scheduler import QueueFullError
from fairwitness.engine.stops import StopScanner
from fairwitness.models import (
    ChatTemplate,
    ChatTemplateError,
    DecoderConfig,
    TextStream,
    Tokenizer,
    open_model,
)


class TokenDoor(Protocol):
    """What continues prompts: an `Engine`, or many of them."""

    @property
    def config(self) -> DecoderConfig:
        """The model's shape."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names that requests may give."""

    def generate(
        self, request: Request, timeout_s: float | None = None
    ) -> Generator[Token, None, None]:
        """Continue the prompt, token by token; closing or dropping the iterator cancels."""

    def embed_all(self, texts: Sequence[tuple[int, ...]], adapter: str = "") -> NDArray[np.float32]:
        """Return what the model makes of texts, float32 [texts, width]."""

    def warm_up(self) -> None:
        """Do now what the first requests would wait for."""

    def swap(self, model: Path) -> None:
        """Go on with other weights of the same shape; nobody is dropped."""

    def load(self) -> Load:
        """How busy it is, and what it did so far."""


class LocalChat:
    """A model of ours, with its tokenizer and its chat template.

    `adapted` is the same with each of the engine's adapters, named `model:adapter`.
    """

    def __init__(
        self, name: str, engine: TokenDoor, tokenizer: Tokenizer, template: ChatTemplate
    ) -> None:
        self.name = name
        self.adapter = ""
        self.engine = engine
        self.tokenizer = tokenizer
        self._template = template
        self._forms = Forms(tokenizer)
        self.adapted = tuple(self._with(adapter) for adapter in engine.adapters)

    @classmethod
    def open(
        cls,
        name: str,
        path: Path,
        adapters: Mapping[str, Path] = NO_ADAPTERS,
        draft: Path | None = None,
    ) -> LocalChat:
        """Load a model file or folder, adapters for it from folders by their names, and a smaller
        model that guesses ahead.

        Raises:
            ModelFileError: missing, damaged, or of a kind that we do not run.
            EngineError: the draft model does not fit.
        """
        model = open_model(path)
        tokenizer, template = model.tokenizer(), model.chat_template()
        return cls(name, Engine(model, adapters=adapters, draft=draft), tokenizer, template)

    def _with(self, adapter: str) -> LocalChat:
        other = copy(self)
        other.name, other.adapter = f"{self.name}:{adapter}", adapter
        return other

    def stream(self, messages: Sequence[Message], options: ChatOptions) -> ChatStream:
        """Answer the conversation; errors as in `ChatModel`."""
        try:
            prompt_ids = self._template.encode(messages, self.tokenizer)
            request = self._request(prompt_ids, options)
            tokens = self.engine.generate(request, options.timeout_s)
        except (ChatTemplateError, EngineError) as error:
            raise _refusal(error) from error
        tally = Tally(Usage(len(prompt_ids), 0))
        stops = StopScanner(options.stop)
        is_told = options.top_logprobs is not None
        held = HeldLogprobs(self.tokenizer, tally.logprobs) if is_told else None
        pieces = _pieces(tokens, self.tokenizer.stream(), stops, held, tally)
        return ChatStream(pieces, tally)

    def _request(self, prompt_ids: list[int], options: ChatOptions) -> Request:
        return Request(
            prompt_ids=tuple(prompt_ids),
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            top_p=options.top_p,
            seed=options.seed,
            stop_ids=tuple(sorted(self.tokenizer.end_ids)),
            top_k=options.top_k,
            min_p=options.min_p,
            presence_penalty=options.presence_penalty,
            frequency_penalty=options.frequency_penalty,
            repetition_penalty=options.repetition_penalty,
            logit_bias=tuple(options.logit_bias.items()),
            top_logprobs=options.top_logprobs or 0,
            rule=self._forms.rule(options.form) if options.form else None,
            adapter=self.adapter,
        )


def _pieces(
    tokens: Generator[Token, None, None],
    text: TextStream,
    stops: StopScanner,
    held: HeldLogprobs | None,
    tally: Tally,
) -> Generator[str, None, None]:
    """The text of `tokens` until one of the stop texts; `tally` keeps count."""
    finish: Finish | None = None
    assert tally.usage is not None
    prompt_tokens = tally.usage.prompt_tokens
    with closing(tokens):
        try:
            for count, token in enumerate(tokens, start=1):
                tally.usage = Usage(prompt_tokens, count)
                finish = token.finish
                completed = text.push(token.id)
                piece = stops.push(completed)
                if held:
                    held.hear(token, completed)
                    held.tell(piece)
                if piece:
                    yield piece
                if stops.is_stopped:
                    break
        except EngineError as error:
            raise _refusal(error) from error
    rest = stops.push(text.finish()) + stops.finish()
    if held and not stops.is_stopped:
        held.finish()
    if rest:
        yield rest
    tally.finish = "stop" if stops.is_stopped else finish


def _refusal(error: Exception) -> ChatError:
    if isinstance(error, QueueFullError):
        return ChatBusyError(str(error))
    if isinstance(error, DeadlineError):
        return ChatDeadlineError(str(error))
    return ChatError(str(error), error.option if isinstance(error, RequestError) else "")
