"""Our default model against llama.cpp on the same file (golden: see benchmarks/).

llama.cpp rounds activations to eight bits when it multiplies quantised weights, so near-ties may
fall the other way there; with the same weights widened to float32 it must agree with us throughout.
"""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.engine import ChatOptions, Engine, Message, Request
from fairwitness.models import decoder, open_model
from fairwitness.models.registry import DEFAULT_MODEL, pull

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "smollm2.json").read_text("utf-8"))
TEXTS = json.loads((HERE / "texts.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def logits_of():
    """Logits of every position, straight from the decoder."""
    model = open_model(pull(DEFAULT_MODEL))
    parameters = model.parameters(jnp.asarray)

    @jax.jit
    def run(parameters, tokens_t):
        cache = decoder.new_cache(model.config, 64)
        _, x_td = decoder.extend(model.config, parameters, cache, tokens_t, jnp.int32(0))
        return decoder.predict(model.config, parameters, x_td)

    def logits_tv(ids):
        padded = np.zeros(64, np.int32)
        padded[: len(ids)] = ids
        return np.asarray(run(parameters, padded))[: len(ids)]

    return logits_tv


def agreement(logits_of, predictions) -> float:
    same = [
        np.argmax(logits_of(text["ids"]), axis=1) == np.array(text["top_ids"])[:, 0]
        for text in predictions
    ]
    together = np.concatenate(same)
    assert together.size == 200
    return float(together.mean())


def test_argmax_agrees_on_the_quantised_file(logits_of):
    assert agreement(logits_of, GOLDEN["quantised"]) >= 0.98


def test_argmax_and_logits_agree_when_llama_cpp_rounds_nothing(logits_of):
    assert agreement(logits_of, GOLDEN["widened"]) == 1.0
    for text in GOLDEN["widened"]:
        ours_tk = np.take_along_axis(logits_of(text["ids"]), np.array(text["top_ids"]), axis=1)
        np.testing.assert_allclose(ours_tk, text["top_logits"], rtol=0, atol=5e-3)


def test_tokens_of_nasty_texts_agree(smollm2):
    assert len(GOLDEN["tokens"]) == len(TEXTS["nasty"])
    for text, ids in GOLDEN["tokens"].items():
        assert smollm2.tokenizer.encode(text) == ids, text
        assert smollm2.tokenizer.decode(ids) == text


def test_tokens_of_the_forced_texts_agree(smollm2):
    for text, golden in zip(TEXTS["forced"], GOLDEN["quantised"], strict=True):
        ids = smollm2.tokenizer.encode(text["text"], control=text["special"])
        assert ids[: text["take"]] == golden["ids"], text["name"]


@pytest.mark.parametrize(("native", "logprob_bound"), [(False, 1e-3), (True, 2e-3)])
def test_engine_predicts_what_the_decoder_predicts(logits_of, native, logprob_bound):
    """Chunks, cache growth and shared prefixes included: greedy tokens of the chat text.

    The native step sees vectors as whole numbers of 15 bits, hence a bound of its own.
    """
    model = open_model(pull(DEFAULT_MODEL))
    if native and model.packed() is None:
        pytest.skip("NO NATIVE KERNELS: the engine runs on JAX alone")
    engine = Engine(model if native else dataclasses.replace(model, packed=lambda: None))
    ids = tuple(GOLDEN["quantised"][1]["ids"][:30])
    tokens = list(engine.generate(Request(ids, max_tokens=8)))
    assert len(tokens) == 8
    for token in tokens:
        logits_v = logits_of(ids)[-1].astype(np.float64)
        assert token.id == np.argmax(logits_v)
        logprob = logits_v[token.id] - np.logaddexp.reduce(logits_v)
        assert token.logprob == pytest.approx(logprob, abs=logprob_bound)
        ids += (token.id,)


def test_it_answers(smollm2):
    stream = smollm2.stream([Message("user", "What is the capital of France?")], ChatOptions())
    assert "Paris" in "".join(stream)
    assert stream.finish == "stop"
    assert stream.usage.prompt_tokens == 37
