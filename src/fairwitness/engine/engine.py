"""The engine: token ids in, token ids out, for many at once.

Requests of all threads run together, joined in the steps of one thread (`loop.py`). What a request
gets depends on its own fields and the model only: a row's bits follow from what stands before it in
its sequence, and its random numbers come from its seed.
"""

from __future__ import annotations

import time
from pathlib import Path

from fairwitness.engine.loop import Load, Loop, Steps
from fairwitness.engine.native import CACHE_KIND, NativeRunner
from fairwitness.engine.request import (
    EngineError,
    Request,
    RequestError,
    check_ids,
    check_request,
)
from fairwitness.engine.tasks import FOREVER_S, Scoring, TokenStream, Writing
from fairwitness.kernels.pages import Kind
from fairwitness.models import DecoderConfig, Model, open_model

CACHE_BYTES = 250_000_000  # 5,000 positions of the default model, which has 46 kB each


class Engine:
    """One model, loaded. Its methods may be called from several threads at once."""

    def __init__(
        self,
        model: Model | Path,
        cache_bytes: int = CACHE_BYTES,
        kind: Kind = CACHE_KIND,
        drafts: bool = True,
    ) -> None:
        """Load the weights; `cache_bytes` is what all KV pages together may take (one request that
        needs more runs alone). `kind` is how the native step keeps them, and with `drafts` it also
        runs tokens that are guessed: the answers are the same.

        Raises:
            ModelFileError: the file is missing, damaged, or of a kind that we do not run.
        """
        self._cache_bytes, self._kind, self._drafts = cache_bytes, kind, drafts
        self._loop = Loop(self._opened(model))

    @property
    def runner(self) -> Steps:
        """What runs the model's steps."""
        return self._loop.model

    @property
    def config(self) -> DecoderConfig:
        """The model's shape: its `context` and `vocabulary` bound what can be asked."""
        return self.runner.config

    def warm_up(self, positions: int = 1024) -> None:
        """Do now what the first requests of up to `positions` tokens would wait for: compiling, or
        loading what an earlier process compiled. A server calls it in a thread of its own."""
        for work in self.runner.warm_up(min(positions, self.config.context)):
            self._loop.call(work)

    def generate(
        self, request: Request, timeout_s: float | None = None, written: tuple[int, ...] = ()
    ) -> TokenStream:
        """Continue the prompt, token by token; closing or dropping the iterator cancels.

        With `written`, tokens that another engine has given for the same request, it goes on after
        them, with the tokens that would have followed there.

        Raises:
            RequestError: at once, if the request cannot be served.
            QueueFullError: at once, if too many wait already.
            NonFiniteLogitsError: from the iterator, if the model computes no numbers.
            DeadlineError: from the iterator, if it takes longer than `timeout_s`.
        """
        check_request(request, self.config.context, self.config.vocabulary)
        limit = min(request.max_tokens, self.config.context - len(request.prompt_ids))
        deadline_s = FOREVER_S if timeout_s is None else time.monotonic() + timeout_s
        return TokenStream(self._loop, Writing(request, limit, deadline_s, written))

    def score(
        self, prompt_ids: tuple[int, ...], continuation_ids: tuple[int, ...]
    ) -> tuple[float, ...]:
        """Natural log-probability of each continuation token, given all before it.

        Raises:
            RequestError: no prompt, ids out of the vocabulary, or more tokens than the context.
            QueueFullError: too many wait already.
            NonFiniteLogitsError: the model computes no numbers.
        """
        check_request(Request(prompt_ids, 1), self.config.context, self.config.vocabulary)
        check_ids(continuation_ids, self.config.vocabulary)
        ids = prompt_ids + continuation_ids
        if len(ids) > self.config.context:
            raise RequestError(f"{len(ids)} tokens to score, the context has {self.config.context}")
        if not continuation_ids:
            return ()
        scoring = Scoring(ids, len(prompt_ids) - 1)
        self._loop.submit(scoring)
        try:
            told = scoring.told.get()
        finally:
            self._loop.cancel(scoring)  # whoever is interrupted leaves nothing behind
        if isinstance(told, EngineError):
            raise told
        return told

    def swap(self, model: Model | Path) -> None:
        """Load other weights of the same shape and go on with them: requests that run finish on the
        old ones, those that wait begin on the new ones, and none is dropped.

        Raises:
            ModelFileError: the file is missing, damaged, or of a kind that we do not run.
            EngineError: the model has another shape.
        """
        opened = self._opened(model)
        if opened.config != self.config:
            raise EngineError("the new weights have another shape than those that run")
        self._loop.swap(opened)

    def load(self) -> Load:
        """How busy the engine is, and what it did so far."""
        return self._loop.load()

    def _opened(self, model: Model | Path) -> Steps:
        """The native step where it can run the model, else JAX."""
        opened = open_model(model) if isinstance(model, Path) else model
        weights = opened.packed()
        if weights is not None:
            return NativeRunner(opened, weights, self._cache_bytes, self._kind, self._drafts)
        # JAX takes a second to import, and most commands need no engine
        from fairwitness.engine.runner import Runner

        return Runner(opened, self._cache_bytes)
