"""Whether the engine's short numbers change what it says: against the same weights in float32.

A greedy text is the same as float32's exactly if float32, shown each beginning of it, would go on
with the same token; so one pass over the finished text tells, and float32 need not write it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.engine import Engine, Request
from fairwitness.models import Model, open_model

WRITTEN = 64  # tokens of each greedy text
_WINDOW, _PROMPT = 512, 32
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Faith:
    """Perplexities of both, and the share of greedy texts that are the same."""

    ours: float
    f32: float
    agreement: float


def faith(path: Path, engine: Engine, text: Path, prompts: int, scored: int) -> Faith:
    """Compare on a text: perplexity over `scored` tokens in windows, and greedy continuations."""
    model = open_model(path)
    ids = model.tokenizer().encode(text.read_text("utf-8")[: 12 * scored])
    reference = _reference(model)
    ours, f32 = _perplexities(engine, reference, ids, scored)
    starts = np.linspace(0, len(ids) - _PROMPT, prompts, dtype=int)
    same = [_is_same(engine, reference, tuple(ids[start : start + _PROMPT])) for start in starts]
    return Faith(ours, f32, sum(same) / len(same))


def _perplexities(
    engine: Engine, reference: Callable[[list[int]], Logits], ids: list[int], scored: int
) -> tuple[float, float]:
    ours: list[float] = []
    f32: list[float] = []
    for start in range(0, min(scored, len(ids) - _WINDOW), _WINDOW):
        window = ids[start : start + _WINDOW]
        ours += engine.score(tuple(window[:1]), tuple(window[1:]))
        logits_tv = reference(window)[:-1].astype(np.float64)
        peak_t = logits_tv.max(axis=1)
        total_t = peak_t + np.log(np.exp(logits_tv - peak_t[:, None]).sum(axis=1))
        f32 += (logits_tv[np.arange(_WINDOW - 1), window[1:]] - total_t).tolist()
    return math.exp(-float(np.mean(ours))), math.exp(-float(np.mean(f32)))


def _is_same(
    engine: Engine, reference: Callable[[list[int]], Logits], prompt: tuple[int, ...]
) -> bool:
    written = [token.id for token in engine.generate(Request(prompt, WRITTEN))]
    logits_tv = reference([*prompt, *written])
    likeliest: list[int] = logits_tv[len(prompt) - 1 : -1].argmax(axis=1).tolist()
    return likeliest == written


def _reference(model: Model) -> Callable[[list[int]], Logits]:
    """Logits of all places of up to a window of tokens, through the decoder in JAX."""
    import jax
    import jax.numpy as jnp

    from fairwitness.models import decoder

    parameters = model.parameters(jnp.asarray)

    @jax.jit
    def run(parameters: decoder.Parameters, tokens_t: jax.Array) -> jax.Array:
        cache = decoder.new_cache(model.config, tokens_t.shape[0])
        _, x_td = decoder.extend(model.config, parameters, cache, tokens_t, jnp.int32(0))
        return decoder.predict(model.config, parameters, x_td)

    def logits_of(ids: list[int]) -> Logits:
        size = 128 if len(ids) <= 128 else _WINDOW
        padded = np.zeros(size, np.int32)
        padded[: len(ids)] = ids
        return np.asarray(run(parameters, padded))[: len(ids)]

    return logits_of
