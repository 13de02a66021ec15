"""One replica: an engine in a process of its own, which Ray Serve keeps alive."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.engine import Engine
from fairwitness.engine.forms import Forms
from fairwitness.engine.replicas.asked import BEAT_S, Asked, Heard
from fairwitness.engine.request import EngineError, Token
from fairwitness.engine.tasks import TokenStream
from fairwitness.models import open_model, registry

AT_ONCE = 256
"""Requests that a replica takes; each has a thread that waits for its tokens."""


class Weights(TypedDict):
    """Which weights all replicas have to have: the name of a model, and a number of their own."""

    model: str
    edition: int


class Replica:
    """Serves one model; what each request gets is what any other replica would give."""

    _engine: Engine
    _forms: Forms

    def __init__(self, adapters: Mapping[str, Path]) -> None:
        """Nothing is loaded before `reconfigure` says what."""
        self._adapters = adapters
        self._editions: list[int] = []  # the first one's, and that of each swap
        self._waiting = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tokens")

    async def reconfigure(self, weights: Weights) -> None:
        """Load a model, fetched if it is not on this machine; Serve calls it before any request,
        and when other weights take over. Raises what `Engine` and `Engine.swap` raise."""
        await asyncio.to_thread(self._load, weights)

    def _load(self, weights: Weights) -> None:
        name, edition = weights["model"], weights["edition"]
        if edition in self._editions[-1:]:
            return  # Serve calls also when it counts its replicas anew
        opened = open_model(registry.find(name) or registry.pull(name))
        self._editions.append(edition)
        if len(self._editions) > 1:
            self._engine.swap(opened)
            return
        self._forms = Forms(opened.tokenizer())
        self._engine = Engine(opened, adapters=self._adapters)
        self._engine.warm_up()

    async def answer(self, asked: Asked) -> AsyncGenerator[Heard, None]:
        """Give the tokens as they come, those of several steps together when the reader is slow;
        nothing, each BEAT_S, while none come. The last thing is a token with a `finish`, or an
        error. Leaving early gives back what the request holds."""
        loop = asyncio.get_running_loop()
        try:
            tokens = await loop.run_in_executor(self._waiting, self._begin, asked)
        except EngineError as error:
            yield Heard([error], asked.edition)
            return
        try:
            is_over = False
            while not is_over:
                told = await loop.run_in_executor(self._waiting, tokens.heard, BEAT_S)
                edition = self._editions[self._engine.swaps]
                if told and asked.written and edition != asked.edition:
                    told = [EngineError("the weights have changed since the answer began")]
                yield Heard(told, edition)
                is_over = bool(told) and _is_last(told[-1])
        finally:
            tokens.close()

    async def embed(
        self, texts: Sequence[tuple[int, ...]], adapter: str
    ) -> NDArray[np.float32] | EngineError:
        """Return what `Engine.embed_all` does, or what it raises."""
        loop, work = asyncio.get_running_loop(), self._engine.embed_all
        try:
            return await loop.run_in_executor(self._waiting, work, texts, adapter)
        except EngineError as error:
            return error

    def _begin(self, asked: Asked) -> TokenStream:
        rule = self._forms.rule(asked.form) if asked.form else None
        request = replace(asked.request, rule=rule)
        return self._engine.generate(request, asked.timeout_s, asked.written)


def _is_last(told: Token | EngineError) -> bool:
    return isinstance(told, EngineError) or told.finish is not None
