"""A tiny random model in memory, for both runners: one token a byte, three control tokens."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.engine import Engine, LocalChat
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import Q8_0, Tiles, pack, unpack
from fairwitness.kernels.stack import LayerWeights, Weights, interleaved
from fairwitness.models import ChatTemplate, DecoderConfig, Model, ModelCard, Tokenizer

CONFIG = DecoderConfig(
    vocabulary=259,
    width=32,
    layers=2,
    query_heads=2,
    kv_heads=1,
    head_size=32,
    hidden=32,
    context=1024,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
)
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>{% endfor %}"
    "<|start|>assistant:"
)


def packed(norm: float = 1.0, seed: int = 11) -> Weights:
    """Random weights of eight bits; `norm` is the last norm's first number."""
    rng = np.random.default_rng(seed)

    def blocks(rows: int, columns: int) -> np.ndarray:
        told = rng.integers(0, 256, (rows, columns // 32, 34), np.uint8)
        scales = rng.uniform(0.003, 0.01, (rows, columns // 32, 1)).astype(np.float16)
        told[:, :, :2] = scales.view(np.uint8)
        return told.reshape(rows, -1)

    def matrix(rows: int, columns: int) -> Tiles:
        return pack(Q8_0, blocks(rows, columns))

    width, queries = CONFIG.width, CONFIG.query_heads * CONFIG.head_size
    keys = CONFIG.kv_heads * CONFIG.head_size
    ones = np.ones(width, np.float32)
    last = ones.copy()
    last[0] = norm
    layers = [
        LayerWeights(
            ones,
            ones,
            matrix(queries + keys, width),
            matrix(keys, width),
            matrix(width, queries),
            pack(Q8_0, interleaved(blocks(CONFIG.hidden, width), blocks(CONFIG.hidden, width))),
            matrix(width, CONFIG.hidden),
        )
        for _ in range(CONFIG.layers)
    ]
    half = CONFIG.head_size // 2
    turns = (10_000.0 ** (-np.arange(half) / half)).astype(np.float32)
    table = matrix(CONFIG.vocabulary, width)
    return Weights(table, table, last, turns, layers)


def parameters(weights: Weights, place: Callable[[np.ndarray], object]) -> dict[str, object]:
    """The same weights for the decoder in JAX."""

    def split(gate_up: np.ndarray) -> np.ndarray:
        pairs = gate_up.reshape(-1, 2, 16, gate_up.shape[1])
        return np.concatenate([pairs[:, 0], pairs[:, 1]]).reshape(gate_up.shape)

    return {
        "embedding": place(unpack(weights.embedding)),
        "norm": place(weights.norm),
        "rope_k": place(weights.frequencies),
        "layers": [
            {
                "attention_norm": place(layer.attention_norm),
                "qkv": place(np.concatenate([unpack(layer.query_key), unpack(layer.value)])),
                "out": place(unpack(layer.out)),
                "mlp_norm": place(layer.mlp_norm),
                "gate_up": place(split(unpack(layer.gate_up))),
                "down": place(unpack(layer.down)),
            }
            for layer in weights.layers
        ],
    }


def letter_of(byte: int) -> str:
    """GPT-2's letter for a byte."""
    hidden = [b for b in range(256) if not (33 <= b <= 126 or 161 <= b <= 172 or b >= 174)]
    return chr(256 + hidden.index(byte)) if byte in hidden else chr(byte)


def byte_tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    encoder = tokenizers.Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    table = [b""] * CONFIG.vocabulary
    for byte in range(256):
        # what cannot stand alone in UTF-8 is shown as some letter, so that every token is text
        shown = byte if byte < 0x80 else 0x41 + byte % 26
        table[letters.index(letter_of(byte))] = bytes([shown])
    return Tokenizer(
        encoder, tuple(table), {"<|start|>": 256, "<|end|>": 257}, frozenset({257}), None
    )


def tiny_model(is_native: bool, norm: float = 1.0, seed: int = 11) -> Model:
    card = ModelCard("memory", "llama", CONFIG.parameters, "Q8_0", CONFIG.context, 259, "", 0)
    weights = packed(norm, seed)
    return Model(
        CONFIG,
        card,
        partial(parameters, weights),
        byte_tokenizer,
        lambda: ChatTemplate(TEMPLATE, {}),
        lambda: weights if is_native else None,
    )


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> None:
    """Compiled programs of these tests do not belong in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRWITNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", params=["jax", "native"])
def make_model(request) -> Callable[..., Model]:
    is_native = request.param == "native"
    if is_native and library() is None:
        pytest.skip("NO NATIVE KERNELS: no compiler")
    return partial(tiny_model, is_native)


@pytest.fixture(scope="session")
def both_models() -> list[Model]:
    """The same model for the native step and for JAX."""
    if library() is None:
        pytest.skip("NO NATIVE KERNELS: no compiler")
    return [tiny_model(is_native) for is_native in (True, False)]


@pytest.fixture(scope="session")
def make_native() -> Callable[..., Model]:
    """A model for the native step, whatever else is tested."""
    if library() is None:
        pytest.skip("NO NATIVE KERNELS: no compiler")
    return partial(tiny_model, True)


@pytest.fixture(scope="session")
def make_engine(make_model) -> Callable[..., Engine]:
    def make(cache_bytes: int = 100_000_000, damage: float = 1.0, **options: Any) -> Engine:
        return Engine(make_model(damage), cache_bytes, **options)

    return make


@pytest.fixture(scope="session")
def engine(make_engine) -> Engine:
    return make_engine()


@pytest.fixture(scope="session")
def chat(engine) -> LocalChat:
    return LocalChat("tiny", engine, byte_tokenizer(), ChatTemplate(TEMPLATE, {}))
