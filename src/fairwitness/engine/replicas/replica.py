"""One replica: an engine in a process of its own, which Ray Serve keeps alive."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.engine import Engine
from fairwitness.engine.forms import Forms
from fairwitness.engine.replicas.asked import BEAT_S, Asked
from fairwitness.engine.request import EngineError, Token
from fairwitness.engine.tasks import TokenStream
from fairwitness.models import open_model, registry

AT_ONCE = 256
"""Requests that a replica takes; each has a thread that waits for its tokens."""


class Replica:
    """Serves one model; what each request gets is what any other replica would give."""

    def __init__(self, model: str, adapters: Mapping[str, Path]) -> None:
        """Load `model`, fetched if it is not on this machine; raises what `Engine` raises."""
        opened = open_model(registry.find(model) or registry.pull(model))
        self._forms = Forms(opened.tokenizer())
        self._engine = Engine(opened, adapters=adapters)
        self._engine.warm_up()
        self._waiting = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tokens")

    async def answer(self, asked: Asked) -> AsyncGenerator[list[Token | EngineError], None]:
        """Give the tokens as they come, those of several steps together when the reader is slow;
        nothing, each BEAT_S, while none come. The last thing is a token with a `finish`, or an
        error. Leaving early gives back what the request holds."""
        loop = asyncio.get_running_loop()
        try:
            tokens = await loop.run_in_executor(self._waiting, self._begin, asked)
        except EngineError as error:
            yield [error]
            return
        try:
            is_over = False
            while not is_over:
                heard = await loop.run_in_executor(self._waiting, tokens.heard, BEAT_S)
                yield heard
                is_over = bool(heard) and _is_last(heard[-1])
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
