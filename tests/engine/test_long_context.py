"""Long contexts in the native engine: YaRN, prompts in chunks, keys and values in bytes.

With one layer, what the last token sees follows from the embeddings alone, so float64 can judge it
at any length. Needles are hidden from the default model at lengths that it can read.
"""

from functools import cache

import numpy as np
import pytest

from fairwitness.engine import ChatOptions, Engine, LocalChat, Message
from fairwitness.engine.scheduler import PROMPT_ROWS
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import Q8_0, Tiles, pack, unpack
from fairwitness.kernels.stack import LayerWeights, Weights, interleaved
from fairwitness.models import Model, ModelCard, open_model
from fairwitness.models.registry import DEFAULT_MODEL, pull
from fairwitness.models.rope import frequencies
from stretched import LONG, YARN, stretched

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

CONFIG = stretched(64, 32)


@cache
def weights() -> Weights:
    rng = np.random.default_rng(8)

    def blocks(rows: int, columns: int, scale: float = 0.004) -> np.ndarray:
        told = rng.integers(0, 256, (rows, columns // 32, 34), np.uint8)
        told[:, :, :2] = np.full((rows, columns // 32, 1), scale, np.float16).view(np.uint8)
        return told.reshape(rows, -1)

    def matrix(rows: int, columns: int, scale: float = 0.004) -> Tiles:
        return pack(Q8_0, blocks(rows, columns, scale))

    ones = np.ones(64, np.float32)
    gate_up = pack(Q8_0, interleaved(blocks(64, 64), blocks(64, 64)))
    layer = LayerWeights(
        ones, ones, matrix(64, 64, 0.003), matrix(32, 64), matrix(64, 32), gate_up, matrix(64, 64)
    )
    turns = frequencies(32, CONFIG.rope_base, YARN).astype(np.float32)
    table = matrix(64, 64)
    return Weights(table, table, ones, turns, [layer], YARN.amplitude)


def engine(kind: str) -> Engine:
    card = ModelCard("memory", "llama", CONFIG.parameters, "Q8_0", LONG, 64, "", 0)
    absent = lambda *_: pytest.fail("only the native step is asked")  # noqa: E731
    return Engine(Model(CONFIG, card, absent, absent, absent, weights), 100_000_000, kind)


def normed(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + CONFIG.norm_epsilon)


def judged(ids: np.ndarray) -> np.ndarray:
    """The vector of a text, in float64 but for the angles, which everybody rounds."""
    told, layer = weights(), weights().layers[0]
    x = unpack(told.embedding).astype(np.float64)[ids]
    q, k = np.split(normed(x) @ unpack(layer.query_key).T, 2, axis=1)
    v = normed(x) @ unpack(layer.value).T
    angles = np.arange(len(ids), dtype=np.float32)[:, None] * told.frequencies
    turns = np.exp(1j * angles.astype(np.float64)) * told.amplitude
    q, k = ((each[:, :16] + 1j * each[:, 16:]) * turns for each in (q, k))
    scores = (k * q[-1].conj()).sum(1).real / np.sqrt(32)
    share = np.exp(scores - scores.max())
    x = x[-1] + unpack(layer.out) @ (share @ v / share.sum())
    pairs = unpack(layer.gate_up).reshape(-1, 2, 16, 64)
    gate, up = (pairs[:, which].reshape(64, 64) @ normed(x) for which in range(2))
    x = normed(x + unpack(layer.down) @ (gate / (1 + np.exp(-gate)) * up))
    return x / np.linalg.norm(x)


@pytest.mark.parametrize(
    ("length", "kind", "bound"),
    [
        (8_192, "f32", 1e-4),
        (8_192, "f16", 5e-4),
        (8_192, "int8", 1e-2),
        (LONG, "int8", 1e-2),
        pytest.param(LONG, "f32", 1e-4, marks=pytest.mark.soak),
    ],
)
def test_a_long_prompt_in_chunks(length, kind, bound):
    """The memory of a position is what docs/engine.md states, at the last position too."""
    ids = np.random.default_rng(9).integers(0, 64, length)
    running = engine(kind)
    vector, expected = running.embed(tuple(ids.tolist())), judged(ids)
    np.testing.assert_allclose(vector, expected, rtol=0, atol=bound)
    turned = judged(np.append(ids[-2::-1], ids[-1]))
    assert np.abs(turned - expected).max() > 10 * bound, "what stands far off matters"
    load, pages = running.load(), running.runner.pages
    assert load.counts.rows == length
    assert load.counts.steps == length // PROMPT_ROWS, "in chunks"
    assert load.pages_cached == length // 64
    position_bytes = {"f32": 2 * 32 * 4, "f16": 2 * 32 * 2, "int8": 2 * (32 + 4)}[kind]
    assert load.pages_cached * pages.page_bytes == length * position_bytes
    touched = np.flatnonzero(pages.data.reshape(pages.count, -1).any(axis=1))
    assert len(touched) == length // 64, "and no more is used"


HAY = (
    "The river was calm and the boats stayed in the harbour all day.",
    "A baker sold bread on the corner until the rain began.",
    "Children played football behind the old school.",
    "The train to the coast left on time and was almost empty.",
    "Two neighbours talked about the weather for an hour.",
    "In the evening the lights of the market went out one by one.",
)
NEEDLES = {
    "4821": ("The secret number of Ada is 4821.", "What is the secret number of Ada?"),
    "marigold": (
        "The password of the lighthouse is 'marigold'.",
        "What is the password of the lighthouse?",
    ),
}


@pytest.fixture(scope="module", params=["int8", pytest.param("f32", marks=pytest.mark.soak)])
def reader(request) -> LocalChat:
    model = open_model(pull(DEFAULT_MODEL))
    running = Engine(model, kind=request.param)
    return LocalChat(DEFAULT_MODEL, running, model.tokenizer(), model.chat_template())


def haystack(reader: LocalChat, tokens: int, depth: float, needle: str) -> str:
    sentences, left = [], tokens
    while left > 0:
        sentences.append(HAY[len(sentences) % len(HAY)])
        left -= len(reader.tokenizer.encode(" " + sentences[-1]))
    sentences.insert(int(len(sentences) * depth), needle)
    return " ".join(sentences)


@pytest.mark.parametrize(
    ("tokens", "depth", "secret"),
    [
        (1_000, 0.5, "4821"),
        (1_000, 0.9, "marigold"),
        (2_000, 0.1, "4821"),
        *(
            pytest.param(2_000, depth, secret, marks=pytest.mark.soak)
            for depth in (0.1, 0.5, 0.9)
            for secret in NEEDLES
        ),
    ],
)
def test_a_needle_is_found(reader, tokens, depth, secret):
    needle, question = NEEDLES[secret]
    asked = f"{haystack(reader, tokens, depth, needle)}\n\n{question}"
    stream = reader.stream([Message("user", asked)], ChatOptions(max_tokens=24))
    said = "".join(stream)
    assert stream.usage.prompt_tokens > tokens
    assert secret in said
    nothing = reader.stream([Message("user", question)], ChatOptions(max_tokens=24))
    assert secret not in "".join(nothing)
