"""A tiny random model in memory: one token a byte, three control tokens."""

from collections.abc import Callable

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.engine import Engine, LocalChat
from fairwitness.models import ChatTemplate, DecoderConfig, Model, ModelCard, Tokenizer

CONFIG = DecoderConfig(
    vocabulary=259,
    width=16,
    layers=2,
    query_heads=4,
    kv_heads=2,
    head_size=8,
    hidden=24,
    context=1024,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
)
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>{% endfor %}"
    "<|start|>assistant:"
)


def parameters(place: Callable[[np.ndarray], object]) -> dict[str, object]:
    rng = np.random.default_rng(11)

    def matrix(*shape: int) -> object:
        return place(rng.normal(0, 0.4, shape).astype(np.float32))

    def ones() -> object:
        return place(np.ones(CONFIG.width, np.float32))

    heads = (CONFIG.query_heads + 2 * CONFIG.kv_heads) * CONFIG.head_size
    return {
        "embedding": matrix(CONFIG.vocabulary, CONFIG.width),
        "norm": ones(),
        "rope_k": place((10_000.0 ** (-np.arange(0, 1, 0.25))).astype(np.float32)),
        "layers": [
            {
                "attention_norm": ones(),
                "qkv": matrix(heads, CONFIG.width),
                "out": matrix(CONFIG.width, CONFIG.query_heads * CONFIG.head_size),
                "mlp_norm": ones(),
                "gate_up": matrix(2 * CONFIG.hidden, CONFIG.width),
                "down": matrix(CONFIG.width, CONFIG.hidden),
            }
            for _ in range(CONFIG.layers)
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


def tiny_model(place_all: Callable[..., dict[str, object]] = parameters) -> Model:
    card = ModelCard("memory", "llama", CONFIG.parameters, "F32", CONFIG.context, 259, "", 0)
    return Model(CONFIG, card, place_all, byte_tokenizer, lambda: ChatTemplate(TEMPLATE, {}))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> None:
    """Compiled programs of these tests do not belong in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRWITNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def make_engine() -> Callable[..., Engine]:
    def make(cache_bytes: int = 100_000_000, damage: float | None = None) -> Engine:
        def damaged(place: Callable[[np.ndarray], object]) -> dict[str, object]:
            norm_d = np.ones(CONFIG.width, np.float32)
            norm_d[0] = damage
            return parameters(place) | {"norm": place(norm_d)}

        return Engine(tiny_model(parameters if damage is None else damaged), cache_bytes)

    return make


@pytest.fixture(scope="session")
def engine(make_engine) -> Engine:
    return make_engine()


@pytest.fixture(scope="session")
def chat(engine) -> LocalChat:
    return LocalChat("tiny", engine, byte_tokenizer(), ChatTemplate(TEMPLATE, {}))
