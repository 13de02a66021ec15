"""Families in the native step, by the road of a user: a folder becomes a quantised GGUF file, and
its tiles say what the decoder in JAX says of the same file."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from fairwitness.engine import Engine, Request
from fairwitness.kernels.native import library
from fairwitness.kernels.pages import Pages
from fairwitness.kernels.stack import Row, Stack
from fairwitness.models import DecoderConfig, Model, open_model
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.convert import convert
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.packed import shape_of
from fairwitness.models.quantise import WRITABLE
from fairwitness.models.to_gguf import gguf_of_folder

sys.path.append(str(Path(__file__).parent))
import measured

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

CASES = ["llama-biases", "qwen2-late", "qwen3", "mistral", "smollm3", "gemma2", "gemma3"]
CASES += ["mixtral", "qwen3moe"]
# Four norms of 64 random numbers magnify what vectors of 16 bits leave: 0.0041 with AVX-512.
FURTHER = {"gemma3": 6e-3}
SIZES = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 32, "query_pre_attn_scalar": 32}
SIZES |= {"moe_intermediate_size": 32}


def quantised_model(case: str, folder: Path) -> Model:
    """The golden's family in sizes that fit the tiles, its matrices as Q8_0."""
    told = json.loads(str(np.load(measured.HERE / "families" / f"{case}.npz")["config"])) | SIZES
    if case == "qwen2-late":
        told["layer_types"] = None  # which GGUF has no key for
        told["use_sliding_window"] = False
    measured.tiny_model(folder, json.dumps(told), shapes(told))
    metadata, tensors = gguf_of_folder(
        folder, lambda name, shape, present: WRITABLE["Q8_0" if len(shape) > 1 else "F32"]
    )
    write_gguf(folder / "model.gguf", metadata, tensors)
    return open_model(folder / "model.gguf")


def shapes(told: dict[str, object]) -> dict[str, list[int]]:
    """The tensors of a folder with this config, by their names there."""
    family, config = config_from_hugging_face(measured.HERE, told)
    width, hidden, size = config.width, config.hidden, config.head_size
    rows = {"query": config.query_heads * size, "key": config.kv_heads * size}
    rows |= {"value": rows["key"], "out": width, "gate": hidden, "up": hidden, "down": width}
    rows |= {"embedding": config.vocabulary, "head": config.vocabulary}
    columns = {"out": rows["query"], "down": hidden}
    parts = {part: [count, columns.get(part, width)] for part, count in rows.items()}
    parts |= {"norm": [width], "attention_norm": [width], "mlp_norm": [width]}
    if config.tied_head:
        parts.pop("head")
    if config.attention.bias:
        parts |= {f"{part}_bias": [rows[part]] for part in ("query", "key", "value")}
    if config.attention.out_bias:
        parts["out_bias"] = [width]
    if config.attention.head_norms:
        parts |= {"query_norm": [size], "key_norm": [size]}
    if config.experts is not None:
        parts |= experts_of(parts, config)
    if config.post_norms:
        parts |= {"attention_post_norm": [width], "mlp_post_norm": [width]}
    each = range(config.experts.count if config.experts else 1)
    return {
        family.tensors[part].format(layer, expert): shape
        for layer in range(config.layers)
        for part, shape in parts.items()
        for expert in each
    }


def experts_of(parts: dict[str, list[int]], config: DecoderConfig) -> dict[str, list[int]]:
    """The parts of each expert in place of those of the MLP, and the router."""
    count, hidden = config.experts.count, config.experts.hidden
    for part in ("gate", "up", "down"):
        parts.pop(part)
    down = [config.width, hidden]
    shapes = {"router": [count, config.width], "expert_down": down}
    return shapes | {f"expert_{part}": down[::-1] for part in ("gate", "up")}


def native_logits(model: Model, tokens: list[int]) -> np.ndarray:
    weights = model.packed()
    assert weights is not None
    stack = Stack(shape_of(model.config), model.config.norm_epsilon, weights, 2)
    rows = [Row(token, i, (0,)) for i, token in enumerate(tokens)]
    return stack.step(rows, range(len(rows)), Pages(stack.shape, 1, "f32"))


@pytest.mark.parametrize("case", CASES)
def test_tiles_say_what_the_decoder_in_jax_says(tmp_path, case):
    model = quantised_model(case, tmp_path / case)
    tokens = np.random.default_rng(3).integers(0, model.config.vocabulary, 24)
    expected = measured.logits_of(model, tokens)
    assert np.abs(expected).max() > 1
    apart = FURTHER.get(case, 4e-3)
    np.testing.assert_allclose(native_logits(model, tokens.tolist()), expected, rtol=0, atol=apart)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Grok-1 as published, tiny, with a tokenizer."""
    folder = tmp_path_factory.mktemp("grok-1")
    maker = runpy.run_path(str(measured.ROOT / "benchmarks" / "make_tiny_grok1.py"))
    maker["write_checkpoint"](folder, maker["random_tensors"](2))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the witnesses saw it", "and the others heard of it"] * 20),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return folder


@pytest.mark.parametrize("quantisation", ["q4_1", "q8_0"])
def test_a_checkpoint_of_grok_1_becomes_tiles(checkpoint, tmp_path, quantisation):
    convert(checkpoint, tmp_path / "grok.gguf", quantisation)
    model = open_model(tmp_path / "grok.gguf")
    tokens = np.random.default_rng(3).integers(0, model.config.vocabulary, 24)
    expected = measured.logits_of(model, tokens)
    apart = 4e-3 * expected.std()  # of a width of 32 Grok-1's constants make logits of 50
    np.testing.assert_allclose(native_logits(model, tokens.tolist()), expected, rtol=0, atol=apart)


@pytest.mark.parametrize("case", ["gemma2", "qwen3moe"])
def test_the_engine_says_what_the_decoder_in_jax_says(tmp_path, case):
    model = quantised_model(case, tmp_path / case)
    assert model.packed() is not None
    prompt = tuple(range(5, 35))
    tokens = [token.id for token in Engine(model).generate(Request(prompt, max_tokens=6))]
    expected = measured.logits_of(model, np.array([*prompt, *tokens])).argmax(1)[29:35]
    assert tokens == expected.tolist()
