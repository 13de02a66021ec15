"""The engine: token ids in, token ids out, for many at once.

Requests of all threads run together, joined in the steps of one thread (`loop.py`). What a request
gets depends on its own fields and the model only: a row's bits follow from what stands before it in
its sequence, and its random numbers come from its seed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.drafter import Drafter
from fairwitness.engine.loop import Load, Loop, Steps
from fairwitness.engine.native import CACHE_KIND, NativeRunner
from fairwitness.engine.request import (
    EngineError,
    Request,
    RequestError,
    check_ids,
    check_request,
    check_text,
)
from fairwitness.engine.scheduler import TOGETHER
from fairwitness.engine.tasks import (
    FOREVER_S,
    Asked,
    Embedding,
    Scoring,
    TokenStream,
    Writing,
)
from fairwitness.kernels.pages import Kind
from fairwitness.models import DecoderConfig, Model, open_model
from fairwitness.models.adapters import open_adapter

T = TypeVar("T")

NO_ADAPTERS: Mapping[str, Path] = MappingProxyType({})
CACHE_BYTES = 250_000_000  # 5,000 positions of the default model, which has 46 kB each


class Engine:
    """One model, loaded. Its methods may be called from several threads at once."""

    def __init__(
        self,
        model: Model | Path,
        cache_bytes: int = CACHE_BYTES,
        kind: Kind = CACHE_KIND,
        drafts: bool = True,
        adapters: Mapping[str, Path] = NO_ADAPTERS,
        draft: Model | Path | None = None,
    ) -> None:
        """Load the weights; `cache_bytes` is what all KV pages together may take (one request that
        needs more runs alone). `kind` is how they are kept, and with `drafts` the native step also
        runs tokens that are guessed: the answers are the same. `adapters` are folders of PEFT's by
        the names that requests give. `draft` is a smaller model of the same tokens that guesses
        ahead; its pages are part of `cache_bytes`.

        Raises:
            EngineError: the draft model does not fit.
            ModelFileError: a file is missing, damaged, or of a kind that we do not run.
        """
        self._cache_bytes, self._kind, self._drafts = cache_bytes, kind, drafts
        opened = open_model(model) if isinstance(model, Path) else model
        self._drafter = self._opened_drafter(draft, opened) if draft else None
        self._adapters = {
            name: open_adapter(folder, opened.card.architecture, opened.config)
            for name, folder in adapters.items()
        }
        self._loop = Loop(self._runner(opened))

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
        self._check_adapter(request.adapter)
        limit = min(request.max_tokens, self.config.context - len(request.prompt_ids))
        deadline_s = FOREVER_S if timeout_s is None else time.monotonic() + timeout_s
        return TokenStream(self._loop, Writing(request, limit, deadline_s, written, self._drafter))

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
        return self._told([Scoring(ids, len(prompt_ids) - 1)])[0]

    def embed(self, ids: tuple[int, ...], adapter: str = "") -> NDArray[np.float32]:
        """One text as a vector, float32 [width]; see `embed_all`."""
        vector_d: NDArray[np.float32] = self.embed_all([ids], adapter)[0]
        return vector_d

    def embed_all(self, texts: Sequence[tuple[int, ...]], adapter: str = "") -> NDArray[np.float32]:
        """Return what the model makes of texts as vectors of length 1, float32 [texts, width].

        It is the hidden state of the last token, which alone has seen all others, after the last
        norm: so for every family here, for all of them look back only.

        Raises:
            RequestError: an empty text, ids out of the vocabulary, more tokens than the context,
                or an adapter that is not there.
            QueueFullError: too many wait already.
            NonFiniteLogitsError: the model computes no numbers.
        """
        self._check_adapter(adapter)
        for ids in texts:
            check_text(ids, self.config.context, self.config.vocabulary)
        told: list[NDArray[np.float32]] = []
        for first in range(0, len(texts), TOGETHER):
            told += self._told([Embedding(ids, adapter) for ids in texts[first : first + TOGETHER]])
        x_nd = np.array(told, np.float64).reshape(len(texts), self.config.width)
        length_n1 = np.linalg.norm(x_nd, axis=1, keepdims=True)
        vector_nd: NDArray[np.float32] = (x_nd / np.maximum(length_n1, 1e-12)).astype(np.float32)
        return vector_nd

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names that requests may give."""
        return tuple(self._adapters)

    def _told(self, tasks: Sequence[Asked[T]]) -> list[T]:
        """Run tasks that tell one thing each, together, and wait for all."""
        try:
            for task in tasks:
                self._loop.submit(task)
            told = [task.told.get() for task in tasks]
        finally:
            for task in tasks:
                self._loop.cancel(task)  # whoever is interrupted leaves nothing behind
        failed = next((each for each in told if isinstance(each, EngineError)), None)
        if failed is not None:
            raise failed
        return [each for each in told if not isinstance(each, EngineError)]

    def _check_adapter(self, name: str) -> None:
        if name and name not in self._adapters:
            raise RequestError(f"no adapter {name[:80]!r}", "adapter")

    def swap(self, model: Model | Path) -> None:
        """Load other weights of the same shape and go on with them: requests that run finish on the
        old ones, those that wait begin on the new ones, and none is dropped. Adapters stay.

        Raises:
            ModelFileError: the file is missing, damaged, or of a kind that we do not run.
            EngineError: the model has another shape.
        """
        runner = self._runner(open_model(model) if isinstance(model, Path) else model)
        if runner.config != self.config:
            raise EngineError("the new weights have another shape than those that run")
        self._loop.swap(runner)

    @property
    def swaps(self) -> int:
        """How often other weights took over. It does not change while an answer is under way."""
        return self._loop.swaps

    def load(self) -> Load:
        """How busy the engine is, and what it did so far."""
        return self._loop.load()

    def _opened_drafter(self, draft: Model | Path, beside: Model) -> Drafter:
        """A drafter, with its part of what pages may take: as much as a position is to it."""
        opened = open_model(draft) if isinstance(draft, Path) else draft
        own, other = (position_size(each.config) for each in (opened, beside))
        cache_bytes = self._cache_bytes * own // (own + other)
        drafter = Drafter(opened, beside, cache_bytes, self._kind)
        self._cache_bytes -= cache_bytes
        return drafter

    def _runner(self, model: Model) -> Steps:
        """The native step where it can run the model, else JAX."""
        weights = model.packed()
        if weights is not None:
            options = self._cache_bytes, self._kind, self._drafts
            return NativeRunner(model, weights, *options, self._adapters)
        # JAX takes a second to import, and most commands need no engine
        from fairwitness.engine.runner import Runner

        return Runner(model, self._cache_bytes, self._kind, self._adapters)


def position_size(config: DecoderConfig) -> int:
    """Numbers that a model keeps of one position."""
    return 2 * config.layers * config.kv_heads * config.head_size
