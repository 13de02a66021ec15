"""Files of mixed formats for the native step: what is packed is what the reader widens."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import unpack
from fairwitness.kernels.stack import Ways, Weights
from fairwitness.models.config import Attention, DecoderConfig, Experts, Multipliers, Reach
from fairwitness.models.dequantise import FORMATS
from fairwitness.models.families import named
from fairwitness.models.gguf import open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.packed import packed_weights
from fairwitness.models.rope import Dynamic, Linear, Yarn
from fairwitness.models.weights import halves_from_pairs
from fairwitness.models.writing import NewTensor

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

LLAMA = named("llama")
CONFIG = DecoderConfig(
    vocabulary=40,
    width=256,
    layers=1,
    query_heads=4,
    kv_heads=2,
    head_size=64,
    hidden=512,
    context=256,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
)
Q4_K, Q5_K, Q6_K = 12, 13, 14
MATRICES = {
    "token_embd": (40, 256, Q6_K),
    "blk.0.attn_q": (256, 256, Q4_K),
    "blk.0.attn_k": (128, 256, Q4_K),
    "blk.0.attn_v": (128, 256, Q6_K),
    "blk.0.attn_output": (256, 256, Q5_K),
    "blk.0.ffn_gate": (512, 256, Q4_K),
    "blk.0.ffn_up": (512, 256, Q4_K),
    "blk.0.ffn_down": (256, 512, Q6_K),
}


def written(path: Path, kinds: dict[str, int] | None = None) -> Path:
    """A file as llama.cpp mixes them, its blocks random with small scales."""
    tensors = []
    for name, (rows, columns, kind) in MATRICES.items():
        form = FORMATS[(kinds or {}).get(name, kind)]
        told = np.random.default_rng(len(name)).integers(
            0, 256, (rows * columns // form.weights, form.size_bytes), np.uint8
        )
        for start in form.halves:
            told[:, start : start + 2] = np.array([0.01], np.float16).view(np.uint8)
        shape, packed = (rows, columns), told.reshape(-1)
        tensors.append(NewTensor(f"{name}.weight", shape, form, lambda packed=packed: packed))
    ones = np.ones(256, np.float32).view(np.uint8)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        tensors.append(NewTensor(f"{name}.weight", (256,), FORMATS[0], lambda: ones))
    write_gguf(path, {"general.architecture": "llama"}, tensors)
    return path


def test_a_mixture_of_large_blocks_is_packed_as_it_is_read(tmp_path):
    file = open_gguf(written(tmp_path / "mixed.gguf"))
    weights = packed_weights(file, LLAMA, CONFIG)
    assert weights is not None

    def read(name: str) -> np.ndarray:
        return file.read(f"{name}.weight")

    layer, query = weights.layers[0], halves_from_pairs(read("blk.0.attn_q"), 4)
    assert weights.head is weights.embedding
    assert np.array_equal(unpack(weights.embedding), read("token_embd"))
    assert np.array_equal(unpack(layer.query_key)[:256], query)
    assert np.array_equal(unpack(layer.query_key)[256:], halves_from_pairs(read("blk.0.attn_k"), 2))
    assert np.array_equal(unpack(layer.value), read("blk.0.attn_v"))
    assert np.array_equal(unpack(layer.out), read("blk.0.attn_output"))
    assert np.array_equal(unpack(layer.gate_up)[:16], read("blk.0.ffn_gate")[:16])
    assert np.array_equal(unpack(layer.gate_up)[16:32], read("blk.0.ffn_up")[:16])
    assert np.array_equal(unpack(layer.down), read("blk.0.ffn_down"))


@pytest.mark.parametrize("name", ["blk.0.attn_k", "blk.0.ffn_up"])
def test_what_is_joined_has_one_format(tmp_path, name):
    file = open_gguf(written(tmp_path / "a.gguf", {name: Q6_K}))
    assert packed_weights(file, LLAMA, CONFIG) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"attention": Attention(sinks=True)},
        {"attention": Attention(temperature_from=1024)},
        {"reaches": (Reach(chunk=16),)},
        {"activation": "gelu"},
        {"activation": "clamped_swiglu"},
        {"experts": Experts(count=4, used=2, hidden=64, renormalise=True, bias=True)},
        {"experts": Experts(count=4, used=2, hidden=64, renormalise=True, beside_mlp=True)},
        {"rope_scaling": Dynamic(4.0, 64)},
    ],
)
def test_what_the_native_step_does_not_compute_is_left_to_jax(tmp_path, asked):
    file = open_gguf(written(tmp_path / "mixed.gguf"))
    assert packed_weights(file, LLAMA, replace(CONFIG, **asked)) is None


def test_what_it_computes_otherwise_than_for_a_llama_is_told(tmp_path):
    file = open_gguf(written(tmp_path / "mixed.gguf"))

    def packed(**asked: object) -> Weights:
        weights = packed_weights(file, LLAMA, replace(CONFIG, **asked))
        assert weights is not None
        return weights

    assert packed(rope_scaling=Linear(2.0)).amplitude == 1
    assert packed(rope_scaling=Yarn(4.0, 64, 1.1)).amplitude == 1.1
    near = packed(reaches=(Reach(window=16, rope="none"),)).layers[0]
    assert (near.window, near.rope) == (16, "none")
    told = packed(
        attention=Attention(scale=0.25, cap=50.0),
        activation="gelu_tanh",
        multipliers=Multipliers(16.0, 0.5, 30.0),
    )
    assert told.ways == Ways(0.25, 50.0, 30.0, 0.5, 16.0, "gelu_tanh")
