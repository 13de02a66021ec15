"""Each family against its peer: transformers for most (goldens: see benchmarks/), float64 numpy for
Grok-2. Configs, names of tensors and all that a family does otherwise come through `open_model`."""

import dataclasses
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from fairwitness.models.config import Attention, DecoderConfig, Multipliers
from fairwitness.models.shapes import parameter_shapes

sys.path.append(str(Path(__file__).parent))
import grok2
import measured

CASES = [path.stem for path in measured.GOLDENS]
# What a family does otherwise than a Llama, and what a Llama does in its place.
LLAMA = {
    "rope_scaling": None,
    "reaches": (),
    "activation": "silu",
    "multipliers": Multipliers(),
}


def golden(case: str) -> np.lib.npyio.NpzFile:
    return np.load(Path(__file__).parent / "families" / f"{case}.npz")


@pytest.fixture(scope="module")
def errors(tmp_path_factory) -> dict[str, float]:
    folder = tmp_path_factory.mktemp("families")
    told = {case: measured.error(golden(case), folder / case) for case in CASES}
    return told | {"grok-2": measured.grok_2_error(folder / "grok-2")}


@pytest.mark.parametrize("case", CASES)
def test_logits_are_those_of_transformers(errors, case):
    assert errors[case] <= measured.PROMISE
    assert golden(case)["logits"].std() > 0.5  # as large as published models' logits


def test_grok_2_is_the_reference_in_float64(errors):
    assert errors["grok-2"] <= 1e-5


@pytest.mark.parametrize("case", ["llama-dynamic", "gemma3", "gpt-oss"])
def test_token_by_token_gives_what_the_whole_gives(tmp_path, case):
    assert measured.error(golden(case), tmp_path / case, pieces=24) <= measured.PROMISE


def test_grok_2_token_by_token(tmp_path):
    assert measured.grok_2_error(tmp_path / "grok-2", pieces=24) <= 1e-5


def changed(config: DecoderConfig) -> dict[str, DecoderConfig]:
    """The config with one thing after another as in a Llama."""
    configs = {
        name: dataclasses.replace(config, **{name: plain})
        for name, plain in LLAMA.items()
        if getattr(config, name) != plain
    }
    for field in ("scale", "cap", "temperature_from", "head_norms", "bias", "out_bias"):
        plain = getattr(Attention(), field)
        if getattr(config.attention, field) != plain:
            attention = dataclasses.replace(config.attention, **{field: plain})
            configs[field] = dataclasses.replace(config, attention=attention)
    for field in ("cap", "renormalise", "beside_mlp"):
        if config.experts is not None and getattr(config.experts, field):
            experts = dataclasses.replace(
                config.experts, **{field: None if field == "cap" else False}
            )
            configs[f"experts {field}"] = dataclasses.replace(config, experts=experts)
    return configs


def assert_each_shows(model, configs, tokens, expected) -> None:
    for name, config in configs.items():
        with jax.disable_jit():  # nothing here runs twice
            told = measured.logits_of(model, tokens, config=config)
        assert np.abs(told - expected).max() > 1e-3, name


@pytest.mark.parametrize("case", ["gemma2", "qwen2-late", "mixtral", "smollm3"])
def test_what_a_family_does_otherwise_shows(tmp_path, case):
    """A golden that could not tell a wrong config from the right one would prove nothing."""
    model = measured.golden_model(golden(case), tmp_path / case)
    configs = changed(model.config)
    assert configs
    assert_each_shows(model, configs, golden(case)["tokens"], golden(case)["logits"])


def test_what_grok_2_does_otherwise_shows(tmp_path):
    model, expected = measured.grok_2_model(tmp_path / "grok-2"), grok2.reference()
    configs = changed(model.config)
    assert {"cap", "temperature_from", "experts cap", "experts beside_mlp"} <= set(configs)
    assert_each_shows(model, configs, grok2.TOKENS, expected)


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_their_count_follow_from_the_config(tmp_path, case):
    model = measured.golden_model(golden(case), tmp_path / case)
    loaded = jax.tree.map(lambda array: array.shape, model.parameters(np.asarray))
    assert loaded == parameter_shapes(model.config)
    names = measured.json.loads(str(golden(case)["shapes"]))
    assert model.card.parameters == sum(int(np.prod(shape)) for shape in names.values())


def test_the_table_of_parity_is_fresh(errors):
    """`python tests/parity/measured.py` writes it."""
    told = measured.json.loads(measured.STATUS.read_text("utf-8"))
    fresh = measured.table(errors)
    for row, now in zip(told, fresh, strict=True):
        assert {**row, "error_below": 0} == {**now, "error_below": 0}
        measured_now = max(errors.get(case, 0) for case in row["cases"])
        assert measured_now < row["error_below"], f"{row['family']}: {measured_now}"
