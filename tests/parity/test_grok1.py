"""Grok-1 against what xAI's published model.py computes with tiny random weights.

The goldens, and how they were made: goldens/grok1/README.md in the folder of shared data.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.models import decoder
from fairwitness.models.config import DecoderConfig, Multipliers
from fairwitness.models.grok import config_from_grok_1
from fairwitness.models.parity import statuses
from fairwitness.models.weights import parameters_from_grok_1

(BOUND,) = (each.error_below for each in statuses() if each.name == "grok-1")


@pytest.fixture(scope="module")
def goldens(shared):
    folder = shared / "goldens" / "grok1"
    if not folder.is_dir():
        pytest.skip(f"GOLDENS MISSING: no folder {folder}")
    return {each: np.load(folder / f"tiny_{each}.npz") for each in ("f32", "bf16")}, folder


@pytest.fixture(scope="module")
def model(goldens) -> tuple[DecoderConfig, decoder.Parameters]:
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
    config = dataclasses.replace(config, multipliers=told)
    return config, parameters_from_grok_1(
        folder, weights.__getitem__, weights.keys(), config, jnp.asarray
    )


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
