"""Model shapes: from a `config.json` to weights, work and bytes."""

from fairwitness.planner.shapes.counts import (
    Weights,
    active_weights,
    attention_weights,
    multiplied_weights,
    weights,
)
from fairwitness.planner.shapes.errors import ShapeError
from fairwitness.planner.shapes.known import find_shape, known_shapes
from fairwitness.planner.shapes.memory import (
    BYTES_OF,
    kv_elements,
    kv_sequence_bytes,
    kv_token_bytes,
    weight_bytes,
)
from fairwitness.planner.shapes.reading import read_shape
from fairwitness.planner.shapes.shape import Experts, Latent, ModelShape, Window
from fairwitness.planner.shapes.work import (
    decode_flops,
    forward_flops,
    prefill_flops,
    simple_training_flops,
    training_flops,
)

__all__ = [
    "BYTES_OF",
    "Experts",
    "Latent",
    "ModelShape",
    "ShapeError",
    "Weights",
    "Window",
    "active_weights",
    "attention_weights",
    "decode_flops",
    "find_shape",
    "forward_flops",
    "known_shapes",
    "kv_elements",
    "kv_sequence_bytes",
    "kv_token_bytes",
    "multiplied_weights",
    "prefill_flops",
    "read_shape",
    "simple_training_flops",
    "training_flops",
    "weight_bytes",
    "weights",
]
