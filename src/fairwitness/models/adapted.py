"""Adapters at work in the decoder: many in one batch, each row by its own.

All adapters of a model stand in one array for each product, filled up with zeros to the highest
rank. Every row goes down into all of them, which are few numbers, and up from its own alone.

Shape letters as in `decoder.py`; l is one of the adapters, z a number between down and up, i what
goes into a product and o what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from fairwitness.models.adapters import PRODUCTS, Adapter, joined
from fairwitness.models.config import DecoderConfig
from fairwitness.models.mixture import project

NONE = -1
"""The number of no adapter."""


def with_adapters(
    config: DecoderConfig, parameters: dict[str, Any], adapters: Sequence[Adapter]
) -> dict[str, Any]:
    """The tree with the adapters in it; a row that says l goes by the l-th of them."""
    if not adapters:
        return parameters
    layers = [
        {**layer, "adapters": _stacked(config, [each.layers[index] for each in adapters])}
        for index, layer in enumerate(parameters["layers"])
    ]
    return {**parameters, "layers": layers}


def adapted(layer: dict[str, Any], product: str, x_ni: Array, adapter_n: Array | None) -> Array:
    """The product of each row with the matrix, and with its adapter's change of it."""
    whole_no = project(x_ni, layer[product])
    if adapter_n is None or product not in layer.get("adapters", {}):
        return whole_no
    pairs = layer["adapters"][product]
    narrow_nlz = jnp.einsum("ni,lzi->nlz", x_ni, pairs["down"])
    is_own_nl = adapter_n[:, None] == jnp.arange(narrow_nlz.shape[1])
    narrow_nlz = jnp.where(is_own_nl[:, :, None], narrow_nlz, 0)
    return whole_no + jnp.einsum("nlz,loz->no", narrow_nlz, pairs["up"])


def _stacked(config: DecoderConfig, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One layer of all adapters: for each product that some adapter changes, both arrays."""
    stacked = {}
    for product in PRODUCTS:
        lows = [joined(config, layer, product) for layer in layers]
        ranks = [len(low.down_ri) for low in lows if low is not None]
        if not ranks:
            continue
        some = next(low for low in lows if low is not None)
        down_lzi = np.zeros((len(lows), max(ranks), some.down_ri.shape[1]), np.float32)
        up_loz = np.zeros((len(lows), len(some.up_or), max(ranks)), np.float32)
        for index, low in enumerate(lows):
            if low is not None:
                rank = len(low.down_ri)
                down_lzi[index, :rank], up_loz[index, :, :rank] = low.down_ri, low.up_or
        stacked[product] = {"down": jnp.asarray(down_lzi), "up": jnp.asarray(up_loz)}
    return stacked
