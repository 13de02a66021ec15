"""Configs that nobody wrote on purpose: whatever stands in a key, the answer is a config that the
decoder can obey, or a ModelFileError, and nothing else."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.models import ModelFileError
from fairwitness.models.config_gguf import config_from_gguf
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.shapes import parameter_shapes
from fairwitness.models.weights import rope_frequencies

HERE = Path(__file__).parent
FOLDERS = [json.loads(str(np.load(path)["config"])) for path in sorted(HERE.glob("families/*.npz"))]
FILES = list(json.loads((HERE / "gguf.json").read_text("utf-8")).values())
ROPE_KINDS = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"]
ROPES = st.fixed_dictionaries(
    {"rope_type": st.sampled_from(ROPE_KINDS)},
    optional={
        key: st.one_of(st.integers(-2, 100), st.floats(), st.none(), st.just("x"))
        for key in (
            "factor rope_theta low_freq_factor high_freq_factor beta_fast beta_slow mscale"
            " mscale_all_dim attention_factor original_max_position_embeddings"
        ).split()
    },
)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 40),
    st.floats(),
    st.sampled_from(["", "silu", "gelu", "sliding_attention", *ROPE_KINDS]),
    st.lists(st.one_of(st.integers(0, 1), st.just("full_attention")), max_size=4),
    ROPES,
    st.dictionaries(st.sampled_from(["full_attention", "sliding_attention"]), ROPES),
)


def changed(told: st.DataObject, values: dict[str, object], more: list[str]) -> dict[str, object]:
    keys = st.lists(st.sampled_from([*values, *more]), min_size=1, max_size=3, unique=True)
    return values | {key: told.draw(JUNK, key) for key in told.draw(keys)}


def assert_can_be_obeyed(config) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frequency_k = rope_frequencies(config)
    assert np.isfinite(frequency_k).all()
    assert config.parameters > 0
    if config.layers < 100:
        assert len(parameter_shapes(config)["layers"]) == config.layers


@settings(max_examples=60)
@given(st.sampled_from(FOLDERS), st.data())
def test_config_json(values, told):
    more = ["rope_scaling", "head_dim", "attn_temperature_len", "residual_moe", "num_experts"]
    try:
        _, config = config_from_hugging_face(Path("x"), changed(told, values, more))
    except ModelFileError:
        return
    assert_can_be_obeyed(config)


@settings(max_examples=60)
@given(st.sampled_from(FILES), st.data())
def test_gguf_metadata(file, told):
    prefix = file["metadata"]["general.architecture"]
    more = [
        f"{prefix}.{key}"
        for key in (
            "expert_count expert_used_count attention.sliding_window_pattern rope.scaling.type"
            " rope.scaling.factor rope.scaling.attn_factor attention.sliding_window"
        ).split()
    ]
    try:
        metadata = changed(told, file["metadata"], more)
        _, config = config_from_gguf(Path("x"), metadata, 96, file["tensors"].keys())
    except ModelFileError:
        return
    assert_can_be_obeyed(config)


@pytest.mark.parametrize("values", FOLDERS, ids=lambda values: values["model_type"])
def test_what_was_not_changed_is_read(values):
    _, config = config_from_hugging_face(Path("x"), values)
    assert_can_be_obeyed(config)
