"""Grok-1 against what xAI's published model.py computes with tiny random weights.

The goldens, and how they were made: goldens/grok1/README.md in the folder of shared data. GGUF
files of the same network are held to them too, quantised ones in the native step.
"""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.kernels.native import library
from fairwitness.kernels.pages import Pages
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN
from fairwitness.kernels.stack import Row, Stack
from fairwitness.models import Model, decoder, open_model
from fairwitness.models.config import DecoderConfig, Multipliers
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.grok import config_from_grok_1
from fairwitness.models.grok1_checkpoint import Grok1Checkpoint, Grok1Tensor
from fairwitness.models.packed import shape_of
from fairwitness.models.parity import statuses
from fairwitness.models.quantise import WRITABLE
from fairwitness.models.to_gguf_grok import gguf_of_grok_1
from fairwitness.models.weights import parameters_from_grok_1

(BOUND,) = (each.error_below for each in statuses() if each.name == "grok-1")

NATIVE_BOUND = 0.1  # of the median row; Q8_0 moves one row of 36 by 0.72, in JAX as well


@pytest.fixture(scope="module")
def goldens(shared):
    folder = shared / "goldens" / "grok1"
    if not folder.is_dir():
        pytest.skip(f"GOLDENS MISSING: no folder {folder}")
    return {each: np.load(folder / f"tiny_{each}.npz") for each in ("f32", "bf16")}, folder


@pytest.fixture(scope="module")
def published(goldens) -> tuple[DecoderConfig, dict[str, np.ndarray]]:
    """The goldens' config, and their weights under the published names."""
    npz, folder = goldens[0]["f32"], goldens[1]
    names = [name for name in npz.files if name.startswith(("language_model", "transformer"))]
    weights = {name.removesuffix(".weight"): npz[name] for name in names if "scales" not in name}
    for name, weight in weights.items():
        if weight.dtype == np.int8:
            weights[name] = weight * npz[f"{name}.scales"]
    shapes = {name: weight.shape for name, weight in weights.items()}
    config = config_from_grok_1(folder, 2, shapes, head_size=int(npz["config/key_size"]))
    told = Multipliers(
        float(npz["config/embedding_multiplier_scale"]),
        float(npz["config/output_multiplier_scale"]),
    )
    # only the logits' constant is Grok-1's own and does not follow from the tiny width
    assert config.multipliers.embedding == told.embedding
    return dataclasses.replace(config, multipliers=told), weights


@pytest.fixture(scope="module")
def model(goldens, published) -> tuple[DecoderConfig, decoder.Parameters]:
    (config, weights), folder = published, goldens[1]
    return config, parameters_from_grok_1(
        folder, weights.__getitem__, weights.keys(), config, jnp.asarray
    )


def grouped(weight: np.ndarray, groups: int, axis: int, room: int) -> np.ndarray:
    """The same with zeros behind each of so many equal pieces of an axis, `room` of them."""
    *before, after = np.moveaxis(weight, axis, -1).shape
    pieces = np.moveaxis(weight, axis, -1).reshape(*before, groups, after // groups)
    padded = np.pad(pieces, [(0, 0)] * (len(before) + 1) + [(0, room)])
    return np.moveaxis(padded.reshape(*before, -1), -1, axis)


def in_sizes_that_fit(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same network with zeros up to whole tiles: heads of 32 (each half 16) and 352 hidden."""
    wider = dict(weights)
    for name, weight in weights.items():
        part = name.split("/", 2)[-1]
        if part in ("multi_head_attention/query/w", "multi_head_attention/key/w"):
            wider[name] = grouped(weight, weight.shape[1] // 8, 1, 8)
        elif part == "multi_head_attention/value/w":
            wider[name] = grouped(weight, 2, 1, 16)
        elif part == "multi_head_attention/linear/w":
            wider[name] = grouped(weight, 4, 0, 16)
        elif part in ("moe/linear/w", "moe/linear_v/w"):
            wider[name] = grouped(weight, 1, 2, 8)
        elif part == "moe/linear_1/w":
            wider[name] = grouped(weight, 1, 1, 8)
    return wider


def gguf_model(published, path: Path, matrices: str) -> Model:
    """A GGUF file of the goldens' network, its matrices in this format."""
    config, weights = published
    wider = {name: Grok1Tensor(each, None) for name, each in in_sizes_that_fit(weights).items()}
    # of heads twice as wide, a base squared turns the pairs that are left as before
    config = dataclasses.replace(
        config,
        head_size=32,
        hidden=352,
        rope_base=config.rope_base**2,
        attention=dataclasses.replace(config.attention, scale=0.25),
        experts=dataclasses.replace(config.experts, hidden=352),
    )
    metadata, tensors = gguf_of_grok_1(
        Grok1Checkpoint(path, config.layers, wider),
        config,
        lambda name, shape, present: WRITABLE[
            matrices if len(shape) > 1 and "ffn_gate_inp" not in name else "F32"
        ],
    )
    write_gguf(path, metadata, tensors)
    return open_model(path)


@pytest.fixture(scope="module")
def quantised(published, tmp_path_factory) -> Model:
    if library() is None:
        pytest.skip("NO NATIVE KERNELS: no compiler")
    return gguf_model(published, tmp_path_factory.mktemp("grok-1") / "tiny.gguf", "Q8_0")


@pytest.mark.parametrize("case", ["a", "b"])
def test_a_wide_gguf_file_says_the_same(goldens, published, tmp_path, case):
    model = gguf_model(published, tmp_path / "tiny.gguf", "F32")
    tokens, expected = (goldens[0]["f32"][f"{case}/{what}"][0] for what in ("tokens", "logits"))
    told = Run(model.config, model.parameters(jnp.asarray), len(tokens)).feed(tokens)
    assert np.abs(told - expected).max() <= BOUND


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("case", ["a", "b"])
def test_the_native_step_chooses_the_same_tokens(goldens, quantised, case, instructions):
    """Q8_0 is what lies between: the decoder in JAX says of the same file what the step says."""
    golden, weights = goldens[0]["f32"], quantised.packed()
    tokens, expected = golden[f"{case}/tokens"][0], golden[f"{case}/logits"][0]
    config = quantised.config
    try:
        stack = Stack(shape_of(config), config.norm_epsilon, weights, 2, instructions)
    except OSError as error:
        pytest.skip(str(error).upper())
    rows = [Row(int(token), i, (0,)) for i, token in enumerate(tokens)]
    told = stack.step(rows, range(len(rows)), Pages(stack.shape, 1, "f32"))
    judge = Run(config, quantised.parameters(jnp.asarray), len(tokens)).feed(tokens)
    np.testing.assert_allclose(told, judge, rtol=0, atol=4e-3)
    assert np.median(np.abs(told - expected).max(1)) <= NATIVE_BOUND
    assert (told.argmax(1) == expected.argmax(1)).all()


class Run:
    """One sequence through the decoder."""

    def __init__(self, config, parameters, capacity, dtype=jnp.float32):
        self.config, self.parameters = config, parameters
        self.cache = decoder.new_cache(config, capacity, dtype)
        self.length = 0

    def feed(self, tokens) -> np.ndarray:
        tokens = jnp.asarray(np.asarray(tokens, np.int32))
        start = jnp.int32(self.length)
        self.cache, x = decoder.extend(self.config, self.parameters, self.cache, tokens, start)
        self.length += len(tokens)
        return np.asarray(decoder.predict(self.config, self.parameters, x))

    def held(self, which: int) -> np.ndarray:
        """Keys or values as the published cache orders them: layer, position, head."""
        arrays = [np.asarray(pair[which], np.float32).swapaxes(0, 1) for pair in self.cache]
        return np.stack(arrays)


@pytest.mark.parametrize("case", ["a", "b"])
def test_float32_logits(goldens, model, case):
    golden = goldens[0]["f32"]
    tokens, expected = golden[f"{case}/tokens"][0], golden[f"{case}/logits"][0]
    told = Run(*model, len(tokens)).feed(tokens)
    assert np.abs(told - expected).max() <= BOUND
    assert (told.argmax(1) == expected.argmax(1)).all()


def test_float32_up_to_padding(goldens, model):
    """A padding token masks itself in the published forward pass; we have no such token, so what
    follows the first one is not compared."""
    golden = goldens[0]["f32"]
    tokens, expected = golden["pad/tokens"][0], golden["pad/logits"][0]
    first = int(np.argmin(tokens))
    assert first == 5
    assert np.abs(Run(*model, 16).feed(tokens)[:first] - expected[:first]).max() <= BOUND


def test_float32_prefill_and_decode(goldens, model):
    golden = goldens[0]["f32"]
    run = Run(*model, 32)
    prefill = run.feed(golden["a/tokens"][0])
    assert np.abs(prefill - golden["a/prefill_logits"][0]).max() <= BOUND
    for which, name in enumerate("kv"):
        assert np.abs(run.held(which)[:, :12] - golden[f"a/prefill_{name}"][:, 0]).max() <= BOUND
    decoded = np.concatenate([run.feed([token]) for token in golden["a/decode_tokens"][0]])
    assert np.abs(decoded - golden["a/decode_logits"][0]).max() <= BOUND
    for which, name in enumerate("kv"):
        assert np.abs(run.held(which) - golden[f"a/decode_{name}"][:, 0]).max() <= BOUND


def test_bfloat16_chooses_the_same_tokens(goldens, model):
    golden = goldens[0]["bf16"]
    config, parameters = model
    run = Run(config, decoder.cast(parameters, jnp.bfloat16), 32, jnp.bfloat16)
    tokens = goldens[0]["f32"]["a/tokens"][0]
    decode = goldens[0]["f32"]["a/decode_tokens"][0]
    told = np.concatenate([run.feed(tokens), *(run.feed([token]) for token in decode)])
    expected = np.concatenate([golden["a/prefill_logits"][0], golden["a/decode_logits"][0]])
    assert (told.argmax(1) == expected.argmax(1)).all()
    assert np.abs(told - expected).max() <= 0.125
