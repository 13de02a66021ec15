"""Grok-1 as xAI published it: its shape, and how a checkpoint without a config tells one.

The sizes are in run.py of github.com/xai-org/grok-1. The constants on the way in and out follow
from the width by the rule of xAI's trainer (models/scaling.py in phoenix/xrex of x-algorithm):
sqrt(width) for the embedding, 2 * sqrt(512 / width) for the logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fairwitness.models.config import Attention, DecoderConfig, Experts, Multipliers, checked
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import named

END_ID = 2  # `eos_token` in run.py
GROK_1 = DecoderConfig(
    vocabulary=131_072,
    width=6_144,
    layers=64,
    query_heads=48,
    kv_heads=8,
    head_size=128,
    hidden=32_768,
    context=8_192,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
    attention=Attention(cap=30.0),
    activation="gelu_tanh",
    experts=Experts(count=8, used=2, hidden=32_768, renormalise=False),
    post_norms=True,
    multipliers=Multipliers(embedding=78.38367176906169, logits=0.5773502691896257),
)


def config_from_grok_1(
    path: Path, layers: int, shapes: Mapping[str, tuple[int, ...]], head_size: int = 128
) -> DecoderConfig:
    """The shape that a checkpoint's arrays tell, under the names of xAI's model.py.

    Raises:
        ModelFileError: an array is missing, or sizes do not fit together.
    """

    def shape(part: str, dimensions: int) -> tuple[int, ...]:
        name = named("grok-1").tensors[part].format(0)
        found = shapes.get(name)
        if found is None or len(found) != dimensions:
            raise ModelFileError(path, f"tensor {name!r} has shape {found}")
        return found

    vocabulary, width = shape("embedding", 2)
    count, _, hidden = shape("experts_gate", 3)
    assert GROK_1.experts is not None, "Grok-1 is a mixture of experts"
    config = replace(
        GROK_1,
        vocabulary=vocabulary,
        width=width,
        layers=layers,
        query_heads=shape("query", 2)[1] // head_size,
        kv_heads=shape("key", 2)[1] // head_size,
        head_size=head_size,
        hidden=hidden,
        experts=replace(GROK_1.experts, count=count, hidden=hidden),
        multipliers=Multipliers(width**0.5, 2 * (512 / max(width, 1)) ** 0.5),
    )
    return checked(path, config)
