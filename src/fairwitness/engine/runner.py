"""The model on its device: parameters, compiled programs, and how a sequence is fed through them.

XLA compiles for fixed shapes, so there are two short lists of sizes: how many tokens go in at once
(`PIECES`), and how many positions the cache holds (`capacity_for`). Both follow from the position
alone, never from how long an answer may become or who else is served: the same prefix always runs
through the same programs, and its cache can be shared bit for bit.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from fairwitness.engine.sequence import CHUNK, MIN_CAPACITY, Sequence, capacity_for
from fairwitness.models import DecoderConfig, Model, decoder
from fairwitness.models.registry import cache_folder

PIECES = (1, CHUNK)


class Runner:
    """Feeds tokens to the model. Not for several threads at once: the engine takes turns."""

    def __init__(self, model: Model) -> None:
        _keep_compiled_programs()
        self.config = model.config
        self._parameters = model.parameters(jnp.asarray)
        self._extend = jax.jit(partial(_next_logits, model.config), donate_argnums=1)
        self._score = jax.jit(partial(_target_logprobs, model.config), donate_argnums=1)

    def new_sequence(self) -> Sequence:
        """An empty sequence."""
        return Sequence(decoder.new_cache(self.config, MIN_CAPACITY))

    def feed(self, sequence: Sequence, ids: tuple[int, ...]) -> NDArray[np.float32]:
        """Append at most one chunk of tokens; return the logits after the last, logits_v."""
        tokens_t, start = self._prepare(sequence, ids)
        last = jnp.int32(len(ids) - 1)
        sequence.cache, logits_v = self._extend(
            self._parameters, sequence.cache, tokens_t, start, last
        )
        is_whole_chunk = len(ids) == CHUNK and sequence.length == len(sequence.chunk_ids)
        if is_whole_chunk:
            sequence.chunk_ids += ids
        sequence.length += len(ids)
        return np.asarray(logits_v)

    def score(
        self, sequence: Sequence, ids: tuple[int, ...], targets: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Append at most one chunk; return log p(targets[i] | everything up to ids[i])."""
        tokens_t, start = self._prepare(sequence, ids)
        targets_t = jnp.asarray(_padded(targets, len(tokens_t)))
        sequence.cache, logprobs_t = self._score(
            self._parameters, sequence.cache, tokens_t, start, targets_t
        )
        # not kept as a shared chunk: this is another program, and may differ in the last bit
        sequence.length += len(ids)
        return np.asarray(logprobs_t)[: len(ids)]

    def programs(self, positions: int) -> list[tuple[int, int]]:
        """Capacity and piece of every program that sequences of up to `positions` run."""
        capacities = [MIN_CAPACITY]
        while capacities[-1] < positions:
            capacities.append(2 * capacities[-1])
        return [(capacity, piece) for capacity in capacities for piece in PIECES]

    def try_out(self, capacity: int, piece: int) -> None:
        """Compile or load one program, and run it once on nothing: its first run is slow too."""
        sequence = self.new_sequence()
        sequence.rewind(capacity - CHUNK)
        self.feed(sequence, (0,) * piece)

    def _prepare(self, sequence: Sequence, ids: tuple[int, ...]) -> tuple[Array, Array]:
        piece = piece_for(len(ids))
        capacity = capacity_for(sequence.length + piece)
        if capacity != sequence.capacity:
            sequence.cache = _resized(sequence.cache, capacity)
            sequence.capacity = capacity
        return jnp.asarray(_padded(ids, piece)), jnp.int32(sequence.length)


def piece_for(tokens: int) -> int:
    """The compiled size that takes this many tokens."""
    return next(size for size in PIECES if tokens <= size)


def _next_logits(
    config: DecoderConfig,
    parameters: decoder.Parameters,
    cache: decoder.Cache,
    tokens_t: Array,
    start: Array,
    last: Array,
) -> tuple[decoder.Cache, Array]:
    cache, x_td = decoder.extend(config, parameters, cache, tokens_t, start)
    x_1d = lax.dynamic_slice_in_dim(x_td, last, 1)
    return cache, decoder.predict(config, parameters, x_1d)[0]


def _target_logprobs(
    config: DecoderConfig,
    parameters: decoder.Parameters,
    cache: decoder.Cache,
    tokens_t: Array,
    start: Array,
    targets_t: Array,
) -> tuple[decoder.Cache, Array]:
    cache, x_td = decoder.extend(config, parameters, cache, tokens_t, start)
    logprobs_tv = jax.nn.log_softmax(decoder.predict(config, parameters, x_td))
    return cache, jnp.take_along_axis(logprobs_tv, targets_t[:, None], axis=1)[:, 0]


def _padded(ids: tuple[int, ...], size: int) -> NDArray[np.int32]:
    tokens_t = np.zeros(size, np.int32)
    tokens_t[: len(ids)] = ids
    return tokens_t


def _resized(cache: decoder.Cache, capacity: int) -> decoder.Cache:
    """The same positions in a larger cache, or the first ones in a smaller."""

    def resize(array_gsk: Array) -> Array:
        missing = capacity - array_gsk.shape[1]
        if missing <= 0:
            return array_gsk[:, :capacity]
        return jnp.pad(array_gsk, ((0, 0), (0, missing), (0, 0)))

    return [(resize(k_gsk), resize(v_gsk)) for k_gsk, v_gsk in cache]


def _keep_compiled_programs() -> None:
    """Compile each program once a machine, not once a start, where there is a place to keep it."""
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a read-only home is common in containers, and only costs time
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
