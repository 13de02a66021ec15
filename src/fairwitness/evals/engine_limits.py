"""What the machine would allow the engine: products over the processor's peak, bytes over a sweep.

Counted is only what a network of these sizes cannot do without: products of matrices, those of
queries with keys and of weights with values, and reading weights, keys and values for each token
that waits for the one before it. Norms, scales, RoPE and powers of two are left out, and nothing
waits for anything. So no program with the same arithmetic can be faster, however it composes steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from fairwitness.engine import Engine
from fairwitness.engine.native import NativeRunner
from fairwitness.kernels.pages import Kind
from fairwitness.kernels.peak import Peak, measured_peak
from fairwitness.models.config import DecoderConfig

_SWEEPS = 20


@dataclass(frozen=True)
class Asked:
    """Requests that come at once, each with a prompt of its own; counts of tokens."""

    requests: int
    prompt: int
    written: int


@dataclass(frozen=True)
class Work:
    """What cannot be done without, of all requests together."""

    weights: int
    """Products of a weight and a number of a vector."""
    attention: int
    """Products of a query and a key, and of a share and a value, number by number."""
    size_bytes: int
    """Of weights, keys and values that are read."""


@dataclass(frozen=True)
class Roof:
    """What the engine's threads can together."""

    products: Peak
    sweep_bytes_s: float


def work_of(config: DecoderConfig, asked: Asked, weights_bytes: int, position_bytes: int) -> Work:
    """Count, for a decoder without experts of whose weights a step reads `weights_bytes`, and whose
    keys and values take `position_bytes` a position, all layers together.

    The last token that is written is not run. A prompt is at best read in one step, whose keys and
    values are still near; each further token is a step, which reads its request's from far.
    """
    rows = asked.prompt + asked.written - 1
    numbers = config.query_heads * config.head_size
    read_bytes = _seen(config, asked.prompt, rows) * position_bytes // config.layers
    return Work(
        asked.requests * (rows * _layer_weights(config) + asked.written * _head_weights(config)),
        asked.requests * 2 * _seen(config, 0, rows) * numbers,
        asked.written * weights_bytes + asked.requests * read_bytes,
    )


def least_s(work: Work, roof: Roof, kind: Kind, products_a_weight: int) -> float:
    """Seconds that the work takes at least. Both kinds of products come from the same units, and
    reading may go on beside them."""
    products_s = work.weights * products_a_weight / roof.products.bytes_s
    products_s += work.attention / roof.products.attention_s(kind)
    return max(products_s, work.size_bytes / roof.sweep_bytes_s)


def measured(engine: Engine) -> list[Roof]:
    """What the machine can just now; nothing where the engine runs in JAX, or in a form that any
    machine has."""
    runner = engine.runner
    if not isinstance(runner, NativeRunner):
        return []
    products = measured_peak(runner.stack.threads)
    if products is None:
        return []
    return [Roof(products, max(sweeps_per_s(engine)) * runner.stack.swept_bytes)]


def sweeps_per_s(engine: Engine) -> list[float]:
    """How often a second the machine reads all weights: the bound of one stream."""
    runner = engine.runner
    if not isinstance(runner, NativeRunner):
        return []
    sweeps = []
    for _ in range(_SWEEPS):
        started = time.perf_counter()
        runner.stack.sweep()
        sweeps.append(1 / (time.perf_counter() - started))
    return sweeps


def best_of(roofs: Sequence[Roof]) -> Roof:
    """Of each thing the most that was measured."""
    peaks = [roof.products for roof in roofs]
    return Roof(
        Peak(
            max(peak.bytes_s for peak in peaks),
            max(peak.floats_s for peak in peaks),
            max((peak.pairs_s for peak in peaks if peak.pairs_s is not None), default=None),
        ),
        max(roof.sweep_bytes_s for roof in roofs),
    )


def limits(
    engine: Engine, roofs: Sequence[Roof], asked: Asked, tokens: int, tok_s: float
) -> dict[str, float | None]:
    """Beside `tok_s`, with `tokens` of which the same was asked: what the machine would allow, and
    what it would if vectors had 8 bits, so that no weight takes more than one product."""
    runner = engine.runner
    if not roofs or not isinstance(runner, NativeRunner):
        return {"share_of_limit": None, "limit_tok_s": None, "limit_8bit_tok_s": None}
    pages, roof = runner.pages, best_of(roofs)
    work = work_of(runner.config, asked, runner.stack.swept_bytes, pages.bytes_per_position)
    limit, limit_8bit = (
        tokens / least_s(work, roof, pages.kind, products_a_weight)
        for products_a_weight in (roof.products.products_a_weight, 1)
    )
    return {"share_of_limit": tok_s / limit, "limit_tok_s": limit, "limit_8bit_tok_s": limit_8bit}


def peaks_told(roofs: Sequence[Roof]) -> dict[str, float | None] | None:
    """The best of them as the report has it, in billions a second."""
    if not roofs:
        return None
    roof = best_of(roofs)
    products = roof.products
    return {
        "byte_products_g_per_s": products.bytes_s / 1e9,
        "float_products_g_per_s": products.floats_s / 1e9,
        "bfloat16_products_g_per_s": products.pairs_s and products.pairs_s / 1e9,
        "byte_products_a_weight": products.products_a_weight,
        "sweep_gb_per_s": roof.sweep_bytes_s / 1e9,
    }


def _layer_weights(config: DecoderConfig) -> int:
    """Weights of the matrices of all layers."""
    queries, keys = config.query_heads * config.head_size, config.kv_heads * config.head_size
    attention = 2 * config.width * (queries + keys)
    return config.layers * (attention + 3 * config.width * config.hidden)


def _head_weights(config: DecoderConfig) -> int:
    return config.vocabulary * config.width


def _seen(config: DecoderConfig, first: int, end: int) -> int:
    """Positions that rows from `first` to `end` see, themselves among them, summed over layers."""
    windows = [config.reach(layer).window or end for layer in range(config.layers)]
    return sum(min(place + 1, window) for window in windows for place in range(first, end))
