"""The engine: token ids in, token ids out.

Requests of several threads advance side by side, one step at a time in fair turns. What a request
gets depends on its own fields and the model only: caches are its own, programs are chosen by
position, and its random numbers come from its seed.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine.choosing import Choosing
from fairwitness.engine.native import NativeRunner
from fairwitness.engine.pool import SequencePool
from fairwitness.engine.request import (
    NonFiniteLogitsError,
    Request,
    RequestError,
    Token,
    check_ids,
    check_request,
)
from fairwitness.engine.sequence import CHUNK, Sequence
from fairwitness.engine.turns import Turns
from fairwitness.models import DecoderConfig, Model, open_model

if TYPE_CHECKING:
    from fairwitness.engine.runner import Runner

CACHE_BYTES = 250_000_000  # 5,000 positions of the default model, which has 46 kB each


class Engine:
    """One model, loaded. Its methods may be called from several threads at once."""

    def __init__(self, model: Model | Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Load the weights; `cache_bytes` is what all KV caches together may take.

        Raises:
            ModelFileError: the file is missing, damaged, or of a kind that we do not run.
        """
        opened = open_model(model) if isinstance(model, Path) else model
        self.runner = _runner_for(opened)
        self._pool = SequencePool(
            self.runner.new_sequence, cache_bytes // position_bytes(opened.config)
        )
        self._turns = Turns()

    @property
    def config(self) -> DecoderConfig:
        """The model's shape: its `context` and `vocabulary` bound what can be asked."""
        return self.runner.config

    def warm_up(self, positions: int = 1024) -> None:
        """Do now what the first requests of up to `positions` tokens would wait for: compiling, or
        loading what an earlier process compiled. A server calls it in a thread of its own."""
        for capacity, piece in self.runner.programs(min(positions, self.config.context)):
            with self._turns:
                self.runner.try_out(capacity, piece)

    def generate(self, request: Request) -> Generator[Token, None, None]:
        """Continue the prompt, token by token; closing the iterator cancels.

        Raises:
            RequestError: at once, if the request cannot be served.
            NonFiniteLogitsError: from the iterator, if the model computes no numbers.
        """
        check_request(request, self.config.context, self.config.vocabulary)
        return self._generate(request)

    def score(
        self, prompt_ids: tuple[int, ...], continuation_ids: tuple[int, ...]
    ) -> tuple[float, ...]:
        """Natural log-probability of each continuation token, given all before it.

        Raises:
            RequestError: no prompt, ids out of the vocabulary, or more tokens than the context.
            NonFiniteLogitsError: the model computes no numbers.
        """
        check_request(Request(prompt_ids, 1), self.config.context, self.config.vocabulary)
        check_ids(continuation_ids, self.config.vocabulary)
        ids = prompt_ids + continuation_ids
        if len(ids) > self.config.context:
            raise RequestError(f"{len(ids)} tokens to score, the context has {self.config.context}")
        known = len(prompt_ids) - 1  # tokens whose successor needs no score
        logprobs: list[float] = []
        with self._pool.lease(prompt_ids, len(ids)) as sequence:
            self._feed(sequence, prompt_ids[sequence.length : known // CHUNK * CHUNK])
            skipped = known - sequence.length
            for start in range(sequence.length, len(ids) - 1, CHUNK):
                targets = ids[start + 1 : start + 1 + CHUNK]
                piece = ids[start : start + len(targets)]
                with self._turns:
                    logprobs += self.runner.score(sequence, piece, targets).tolist()
        if not all(map(math.isfinite, logprobs)):
            raise NonFiniteLogitsError("the model computed logits that are not finite")
        return tuple(logprobs[skipped:])

    def _generate(self, request: Request) -> Generator[Token, None, None]:
        prompt_ids = request.prompt_ids
        limit = min(request.max_tokens, self.config.context - len(prompt_ids))
        choosing = Choosing(request, limit)
        with self._pool.lease(prompt_ids, len(prompt_ids) + limit) as sequence:
            logits_v = self._feed(sequence, prompt_ids[sequence.length :])
            while True:
                token = choosing.next(logits_v)
                yield token
                if token.finish:
                    return
                logits_v = self._feed(sequence, (token.id,))

    def _feed(self, sequence: Sequence, ids: tuple[int, ...]) -> NDArray[np.float32]:
        """Append tokens, each chunk in a turn of its own; return the logits after the last (and
        nothing of meaning for no tokens)."""
        logits_v = np.empty(0, np.float32)
        for start in range(0, len(ids), CHUNK):
            with self._turns:
                logits_v = self.runner.feed(sequence, ids[start : start + CHUNK])
        return logits_v


def _runner_for(model: Model) -> Runner | NativeRunner:
    """The native step where it can run the model, else JAX."""
    weights = model.packed()
    if weights is not None:
        return NativeRunner(model, weights)
    # JAX takes a second to import, and most commands need no engine
    from fairwitness.engine.runner import Runner

    return Runner(model)


def position_bytes(config: DecoderConfig) -> int:
    """What one position costs in a KV cache: keys and values of every layer, in float32."""
    return 2 * config.layers * config.kv_heads * config.head_size * 4
