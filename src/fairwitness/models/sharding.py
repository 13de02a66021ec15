"""A decoder on many devices: which axis of which array is cut along which axis of the mesh.

Arrays say what their axes mean (`_AXES`), one table says where a meaning goes (`RULES`), and XLA's
partitioner writes the exchanges. A mesh axis that does not divide an array's axis is left out, so
any mesh runs any model; what it costs then is memory.

Mesh axes: `data` holds different sequences, `sequence` different positions of the cache, `expert`
different experts, `tensor` different parts of a matrix. Where there are no experts to hold, the
devices of `expert` take parts of matrices too.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fairwitness.models import decoder
from fairwitness.models.config import DecoderConfig
from fairwitness.models.shapes import parameter_shapes

MESH_AXES = ("data", "sequence", "expert", "tensor")
RULES: dict[str, tuple[str, ...]] = {
    "sequences": ("data",),
    "positions": ("sequence",),
    "experts": ("expert",),
    "expert hidden": ("tensor",),
    "vocabulary": ("expert", "tensor"),
    "heads": ("expert", "tensor"),
    "hidden": ("expert", "tensor"),
}
_AXES: dict[str, tuple[str | None, ...]] = {
    "embedding": ("vocabulary", None),
    "head": ("vocabulary", None),
    "qkv": ("heads", None),
    "qkv_bias": ("heads",),
    "sinks": ("heads",),
    "out": (None, "heads"),
    "gate_up": ("hidden", None),
    "down": (None, "hidden"),
    "experts_gate_up": ("experts", "expert hidden", None),
    "experts_gate_up_bias": ("experts", "expert hidden"),
    "experts_down": ("experts", None, "expert hidden"),
    "experts_down_bias": ("experts", None),
}  # all others are small and whole everywhere
_CACHE = ("sequences", "heads", "positions", None)
_WIDE = ("router",)  # float32 whatever the type of the matrices, as in `decoder.cast`


def mesh_of(data: int = 1, sequence: int = 1, expert: int = 1, tensor: int = 1) -> Mesh:
    """A mesh over the first devices of all processes."""
    sizes = (data, sequence, expert, tensor)
    devices = np.array(jax.devices()[: prod(sizes)]).reshape(sizes)
    return Mesh(devices, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))


def spec(
    axes: tuple[str | None, ...], shape: tuple[int, ...], sizes: dict[str, int]
) -> PartitionSpec:
    """Where each axis goes on a mesh of these sizes; a mesh axis is used once, if it divides."""
    free, parts = dict(sizes), []
    for meaning, size in zip(axes, shape, strict=True):
        taken: list[str] = []
        for name in RULES[meaning] if meaning else ():
            ways = prod(sizes[each] for each in (*taken, name))
            if free.get(name, 1) > 1 and size % ways == 0:
                taken.append(name)
                del free[name]
        parts.append(tuple(taken) if len(taken) > 1 else taken[0] if taken else None)
    return PartitionSpec(*parts)  # type: ignore[no-untyped-call]


def parameter_specs(config: DecoderConfig, sizes: dict[str, int]) -> Any:
    """The tree of parameters, with a PartitionSpec in the place of each array."""

    def of(path: tuple[Any, ...], shape: tuple[int, ...]) -> PartitionSpec:
        axes = _AXES.get(path[-1].key, (None,) * len(shape))
        return spec(axes, shape, sizes)

    return jax.tree_util.tree_map_with_path(of, parameter_shapes(config), is_leaf=_is_shape)


def cache_spec(
    config: DecoderConfig, sequences: int, capacity: int, sizes: dict[str, int]
) -> PartitionSpec:
    """Of keys and values alike, [b, g, s, k]."""
    return spec(_CACHE, (sequences, config.kv_heads, capacity, config.head_size), sizes)


def place_parameters(config: DecoderConfig, mesh: Mesh, parameters: Any) -> Any:
    """Host arrays to the devices of the mesh, of this process and of others."""
    specs = parameter_specs(config, dict(mesh.shape))
    return jax.tree.map(partial(_place, mesh), parameters, specs)


def new_cache(
    config: DecoderConfig, mesh: Mesh, sequences: int, capacity: int, dtype: Any = jnp.float32
) -> decoder.Cache:
    """An empty cache for several sequences, already where it belongs."""
    where = NamedSharding(mesh, cache_spec(config, sequences, capacity, dict(mesh.shape)))
    shape = (sequences, config.kv_heads, capacity, config.head_size)
    empty = jax.jit(lambda: jnp.zeros(shape, dtype), out_shardings=where)
    return [(empty(), empty()) for _ in range(config.layers)]


def step_on(config: DecoderConfig, mesh: Mesh) -> Any:
    """A compiled `next_logits` whose logits every process sees whole; the cache is reused."""
    whole = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
    told = jax.jit(partial(next_logits, config), donate_argnums=1, out_shardings=(None, whole))

    def step(
        parameters: Any, cache: decoder.Cache, tokens_bt: Any, start_b: Any
    ) -> tuple[decoder.Cache, Array]:
        rows = spec(("sequences",), (len(start_b),), dict(mesh.shape))
        tokens_bt, start_b = (
            _place(mesh, np.asarray(each, np.int32), rows) for each in (tokens_bt, start_b)
        )
        filled: tuple[decoder.Cache, Array] = told(parameters, cache, tokens_bt, start_b)
        return filled

    return step


def next_logits(
    config: DecoderConfig,
    parameters: Any,
    cache: decoder.Cache,
    tokens_bt: Array,
    start_b: Array,
) -> tuple[decoder.Cache, Array]:
    """Prefill or a decode step of several sequences; logits_bv after the last token of each."""
    cache, x_btd = decoder.extend_many(config, parameters, cache, tokens_bt, start_b)
    return cache, decoder.predict(config, parameters, x_btd[:, -1])


def bytes_per_device(
    config: DecoderConfig, sizes: dict[str, int], sequences: int, capacity: int, dtype: Any
) -> dict[str, int]:
    """What each device of such a mesh holds; no device is asked, nothing is allocated."""
    specs = parameter_specs(config, sizes)

    def held(path: tuple[Any, ...], shape: tuple[int, ...], where: PartitionSpec) -> int:
        is_narrow = len(shape) > 1 and path[-1].key not in _WIDE
        return _part(shape, where, sizes) * (jnp.dtype(dtype).itemsize if is_narrow else 4)

    weights = jax.tree_util.tree_map_with_path(
        held, parameter_shapes(config), specs, is_leaf=_is_shape
    )
    shape = (sequences, config.kv_heads, capacity, config.head_size)
    cached = _part(shape, cache_spec(config, sequences, capacity, sizes), sizes)
    cache_bytes = 2 * config.layers * cached * jnp.dtype(dtype).itemsize
    return {"weights": sum(jax.tree.leaves(weights)), "cache": cache_bytes}


def _part(shape: tuple[int, ...], where: PartitionSpec, sizes: dict[str, int]) -> int:
    ways = 1
    for axes in where:
        names = (axes,) if isinstance(axes, str) else axes or ()
        ways *= prod(sizes[name] for name in names)
    return prod(shape) // ways


def _place(mesh: Mesh, array: Any, where: PartitionSpec) -> Array:
    host = np.asarray(array)
    return jax.make_array_from_callback(
        host.shape, NamedSharding(mesh, where), lambda index: host[index]
    )


def _is_shape(node: object) -> bool:
    return isinstance(node, tuple)
