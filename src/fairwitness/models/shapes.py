"""The shape of every array of a decoder, from its config alone: nothing is read or allocated."""

from __future__ import annotations

from typing import Any

from fairwitness.models.config import DecoderConfig, Experts

Shapes = dict[str, Any]
"""The tree of `weights`, with a tuple of sizes in the place of each array."""


def parameter_shapes(config: DecoderConfig) -> Shapes:
    """Shapes of the parameters, in the tree that `weights` describes."""
    matrix = (config.vocabulary, config.width)
    shapes: Shapes = {
        "embedding": matrix,
        "norm": (config.width,),
        "rope_k": (config.head_size // 2,),
        "layers": [_layer(config) for _ in range(config.layers)],
    }
    if config.local_rope_base is not None:
        shapes["rope_local_k"] = (config.head_size // 2,)
    if not config.tied_head:
        shapes["head"] = matrix
    return shapes


def _layer(config: DecoderConfig) -> Shapes:
    width, query_rows = config.width, config.query_heads * config.head_size
    rows = query_rows + 2 * config.kv_heads * config.head_size
    attention = config.attention
    asked: dict[str, tuple[bool, tuple[int, ...]]] = {
        "attention_norm": (True, (width,)),
        "attention_post_norm": (config.post_norms, (width,)),
        "mlp_norm": (True, (width,)),
        "mlp_post_norm": (config.post_norms, (width,)),
        "qkv": (True, (rows, width)),
        "qkv_bias": (attention.bias, (rows,)),
        "query_norm": (attention.head_norms, (config.head_size,)),
        "key_norm": (attention.head_norms, (config.head_size,)),
        "sinks": (attention.sinks, (config.query_heads,)),
        "out": (True, (width, query_rows)),
        "out_bias": (attention.out_bias, (width,)),
        "gate_up": (config.has_mlp, (2 * config.hidden, width)),
        "down": (config.has_mlp, (width, config.hidden)),
    }
    layer: Shapes = {name: shape for name, (is_there, shape) in asked.items() if is_there}
    return layer | (_experts(config.experts, width) if config.experts else {})


def _experts(experts: Experts, width: int) -> Shapes:
    count, hidden = experts.count, experts.hidden
    shapes: Shapes = {
        "router": (count, width),
        "experts_gate_up": (count, 2 * hidden, width),
        "experts_down": (count, width, hidden),
    }
    if experts.bias:
        shapes |= {
            "router_bias": (count,),
            "experts_gate_up_bias": (count, 2 * hidden),
            "experts_down_bias": (count, width),
        }
    return shapes
