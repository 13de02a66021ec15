"""The model on its device, in JAX, for what the native step cannot run: one sequence after another.

XLA compiles for fixed shapes, so there are two short lists of sizes: how many tokens go in at once
(`PIECES`), and how many positions a cache holds (`capacity_for`). Both follow from the position
alone, never from how long an answer may become or who else is served: the same prefix always runs
through the same programs. Each running sequence has one cache; whole pages of prompts are copied
out of it, and another sequence that begins alike starts from these copies, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from numpy.typing import NDArray

from fairwitness.engine import sequence as host
from fairwitness.engine.sample import rows_of
from fairwitness.engine.scheduler import Rules
from fairwitness.kernels.pages import Kind
from fairwitness.models import DecoderConfig, Model, decoder
from fairwitness.models.adapted import NONE, with_adapters
from fairwitness.models.adapters import Adapter
from fairwitness.models.registry import cache_folder

PAGE = 128  # tokens of a whole piece of a prompt, and of what sequences share
PIECES = (1, PAGE)
MIN_CAPACITY = 512
DTYPES: dict[Kind, Any] = {"f32": jnp.float32, "f16": jnp.float16, "int8": jnp.int8}


@dataclass
class _Held:
    """A running sequence's cache: positions below `length` are filled."""

    cache: decoder.Cache
    capacity: int
    length: int


class Runner:
    """Runs pieces of sequences. Not for several threads at once: one thread steps."""

    def __init__(
        self, model: Model, cache_bytes: int, kind: Kind, adapters: Mapping[str, Adapter]
    ) -> None:
        _keep_compiled_programs()
        self.config = model.config
        self._dtype = DTYPES[kind]
        page_bytes = PAGE * position_bytes(model.config, kind)
        budget = max(1, cache_bytes // page_bytes)
        pages = max(budget, -(-model.config.context // PAGE))
        self.rules = Rules(PAGE, pages, budget, is_exact=False)
        self.news = np.zeros(1, np.int32)  # nothing goes on by itself here
        tree = model.parameters(jnp.asarray)
        self._parameters = with_adapters(model.config, tree, list(adapters.values()))
        self._adapters = {name: jnp.int32(index) for index, name in enumerate(adapters)}
        if adapters:
            self._adapters[""] = jnp.int32(NONE)
        self._extend = jax.jit(partial(decoder.extend, model.config), donate_argnums=1)
        self._predict = jax.jit(partial(_last_logits, model.config))
        self._predict_all = jax.jit(partial(decoder.predict, model.config))
        self._last_norm = jax.jit(partial(decoder.last_norm, model.config))
        self._held: WeakKeyDictionary[host.Sequence, _Held] = WeakKeyDictionary()
        self._copies: dict[int, list[NDArray[Any]]] = {}  # by page

    def step(self, pieces: Sequence[host.Piece]) -> list[host.Shown]:
        """Run the pieces; return what each wants."""
        for sequence in [each for each in self._held if not each.table]:
            del self._held[sequence]  # it is over, or had to stand back
        return [self._run(piece) for piece in pieces]

    def warm_up(self, positions: int) -> list[Callable[[], None]]:
        """Compile or load each program of sequences of up to `positions`, and run it once on
        nothing: its first run is slow too."""
        capacities = [MIN_CAPACITY]
        while capacities[-1] < positions:
            capacities.append(2 * capacities[-1])
        return [partial(self._try_out, each, piece) for each in capacities for piece in PIECES]

    def _try_out(self, capacity: int, piece: int) -> None:
        held = _Held(decoder.new_cache(self.config, capacity, self._dtype), capacity, 0)
        x_td = self._fill(held, (0,) * piece, capacity - PAGE, "")
        self._predict(self._parameters, x_td, jnp.int32(0)).block_until_ready()

    def _run(self, piece: host.Piece) -> host.Shown:
        size = len(piece.ids)
        held = self._cache_of(piece)
        x_td = self._fill(held, piece.ids, piece.start, piece.sequence.adapter)
        if size == PAGE and piece.start % PAGE == 0:
            page = piece.sequence.table[piece.start // PAGE]
            self._copies[page] = _cut(held.cache, piece.start)
        if piece.wants == 0:
            return host.Shown()
        wanted = slice(size - piece.wants, size)
        if piece.sequence.shows_hidden:
            return host.Shown((), np.asarray(self._last_norm(self._parameters, x_td))[wanted])
        if piece.wants == 1:
            logits_wv = self._predict(self._parameters, x_td, jnp.int32(size - 1))
            return host.Shown(rows_of(np.asarray(logits_wv)))
        logits_tv = np.asarray(self._predict_all(self._parameters, x_td))
        return host.Shown(rows_of(logits_tv[wanted]))

    def _fill(self, held: _Held, ids: tuple[int, ...], start: int, adapter: str) -> Any:
        """Run tokens into a cache; return their hidden states, with what pads them."""
        tokens_t = np.zeros(_size_for(len(ids)), np.int32)
        tokens_t[: len(ids)] = ids
        place = jnp.int32(start), self._adapters.get(adapter)
        held.cache, x_td = self._extend(self._parameters, held.cache, jnp.asarray(tokens_t), *place)
        held.length = start + len(ids)
        return x_td

    def _cache_of(self, piece: host.Piece) -> _Held:
        """The sequence's cache with room for the piece, filled up to where it starts."""
        held = self._held.get(piece.sequence)
        capacity = capacity_for(piece.start + _size_for(len(piece.ids)))
        if held is None or held.length != piece.start:
            held = _Held(decoder.new_cache(self.config, capacity, self._dtype), capacity, 0)
            if piece.start:
                pages = piece.sequence.table[: piece.start // PAGE]
                held.cache = _joined(held.cache, [self._copies[page] for page in pages])
        if held.capacity != capacity:
            held.cache = jax.tree.map(partial(_resized, capacity), held.cache)
            held.capacity = capacity
        self._held[piece.sequence] = held
        return held


def _size_for(tokens: int) -> int:
    """The compiled size that takes this many tokens."""
    return next(size for size in PIECES if tokens <= size)


def capacity_for(positions: int) -> int:
    """The cache size for this many positions: a power of two, so that few programs are compiled."""
    return max(MIN_CAPACITY, 1 << (positions - 1).bit_length())


def position_bytes(config: DecoderConfig, kind: Kind) -> int:
    """What one position costs in a KV cache: keys and values of every layer, and for each head of
    them a scale where they are bytes."""
    scales = 2 * config.layers * config.kv_heads * 4 if kind == "int8" else 0
    return int(config.cached_numbers * jnp.dtype(DTYPES[kind]).itemsize) + scales


def _last_logits(
    config: DecoderConfig, parameters: decoder.Parameters, x_td: Array, last: Array
) -> Array:
    return decoder.predict(config, parameters, lax.dynamic_slice_in_dim(x_td, last, 1))


def _cut(cache: decoder.Cache, start: int) -> list[NDArray[Any]]:
    """Copy one page of positions out of a cache; each array is [g, s, k]."""
    return [np.asarray(array)[:, start : start + PAGE].copy() for array in jax.tree.leaves(cache)]


def _joined(empty: decoder.Cache, copies: list[list[NDArray[Any]]]) -> decoder.Cache:
    """A cache that begins with these pages, as large as `empty`."""
    arrays, shape = jax.tree.flatten(empty)
    filled = []
    for place, array in enumerate(arrays):
        whole = np.zeros(array.shape, array.dtype)
        whole[:, : len(copies) * PAGE] = np.concatenate([each[place] for each in copies], 1)
        filled.append(jnp.asarray(whole))
    joined: decoder.Cache = jax.tree.unflatten(shape, filled)
    return joined


def _resized(capacity: int, array_gsk: Array) -> Array:
    """The same positions in a larger cache, or the first ones in a smaller."""
    missing = capacity - array_gsk.shape[1]
    if missing <= 0:
        return array_gsk[:, :capacity]
    return jnp.pad(array_gsk, ((0, 0), (0, missing), (0, 0)))


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
