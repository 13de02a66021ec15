"""Write a tiny checkpoint as xAI published Grok-1's: one pickle a tensor, int8 matrices.

    python benchmarks/make_tiny_grok1.py FOLDER

The files are pickled like the published ones, by Python's own writer, from an object of a class
`QuantizedWeight8bit` in `__main__` (checkpoint.py and model.py of github.com/xai-org/grok-1). The
weights are random; the tests also write those of xAI's own outputs with `write_checkpoint`.
"""

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

Tensors = Mapping[str, "np.ndarray | tuple[np.ndarray, np.ndarray]"]
WIDTH, HIDDEN, HEADS, KV_HEADS, HEAD, EXPERTS, VOCABULARY = 32, 64, 2, 1, 128, 8, 400


@dataclass
class QuantizedWeight8bit:
    weight: np.ndarray
    scales: np.ndarray


QuantizedWeight8bit.__module__ = "__main__"


def write_checkpoint(folder: Path, tensors: Tensors) -> None:
    """One file a tensor, by the order of their names; a pair is an int8 weight and its scales."""
    checkpoint = folder / "ckpt-0"
    checkpoint.mkdir(parents=True)
    main = sys.modules["__main__"]
    main.QuantizedWeight8bit = QuantizedWeight8bit  # where the published code puts it, too
    try:
        for index, name in enumerate(sorted(tensors)):
            value = tensors[name]
            if isinstance(value, tuple):
                weight, scales = value
                value = QuantizedWeight8bit(weight, scales.astype(ml_dtypes.bfloat16))
            raw = pickle.dumps(value, protocol=4)
            (checkpoint / f"tensor{index:05}_000").write_bytes(raw)
    finally:
        del main.QuantizedWeight8bit


def random_tensors(layers: int, seed: int = 5) -> dict[str, object]:
    """Random weights of a tiny model; matrices that are split by their inputs have two groups."""
    rng = np.random.default_rng(seed)

    def quantised(*shape: int, groups: int = 1) -> tuple[np.ndarray, np.ndarray]:
        scales = rng.uniform(0.01, 0.1, (*shape[:-2], groups, shape[-1]))
        return rng.integers(-127, 128, shape, np.int8), scales

    tensors: dict[str, object] = {
        "language_model/in_out_embed/embeddings": rng.normal(0, 1, (VOCABULARY, WIDTH)),
        "language_model/rms_norm/scale": 1 + rng.normal(0, 0.1, WIDTH),
    }
    for layer in range(layers):
        tensors |= {
            f"transformer/decoder_layer_{layer}/{name}": value
            for name, value in {
                "moe/linear/w": quantised(EXPERTS, WIDTH, HIDDEN),
                "moe/linear_1/w": quantised(EXPERTS, HIDDEN, WIDTH, groups=2),
                "moe/linear_v/w": quantised(EXPERTS, WIDTH, HIDDEN),
                "multi_head_attention/key/w": quantised(WIDTH, KV_HEADS * HEAD),
                "multi_head_attention/linear/w": quantised(HEADS * HEAD, WIDTH, groups=2),
                "multi_head_attention/query/w": quantised(WIDTH, HEADS * HEAD),
                "multi_head_attention/value/w": quantised(WIDTH, KV_HEADS * HEAD),
                "rms_norm/scale": 1 + rng.normal(0, 0.1, WIDTH),
                "rms_norm_1/scale": 1 + rng.normal(0, 0.1, WIDTH),
                "rms_norm_2/scale": 1 + rng.normal(0, 0.1, WIDTH),
                "rms_norm_3/scale": 1 + rng.normal(0, 0.1, WIDTH),
                "router/w": rng.normal(0, 1, (WIDTH, EXPERTS)),
            }.items()
        }
    return {
        name: value if isinstance(value, tuple) else value.astype(np.float32)
        for name, value in tensors.items()
    }


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]), random_tensors(layers=2))
