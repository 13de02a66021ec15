"""Adapters against the merged matrices W + scale * B A, and files that are refused by name."""

import json
import math
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.models import ModelFileError, decoder, open_model
from fairwitness.models.adapted import NONE, with_adapters
from fairwitness.models.adapters import Adapter, open_adapter

MODULES = {
    "self_attn.q_proj": (32, 32),
    "self_attn.k_proj": (16, 32),
    "self_attn.v_proj": (16, 32),
    "self_attn.o_proj": (32, 32),
    "mlp.gate_proj": (48, 32),
    "mlp.up_proj": (48, 32),
    "mlp.down_proj": (32, 48),
}
# as PEFT 0.18 writes it
CONFIG = {
    "alpha_pattern": {},
    "auto_mapping": None,
    "base_model_name_or_path": "tiny",
    "bias": "none",
    "exclude_modules": None,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_alpha": 6,
    "lora_bias": False,
    "lora_dropout": 0.05,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "modules_to_save": None,
    "peft_type": "LORA",
    "peft_version": "0.18.0",
    "qalora_group_size": 16,
    "r": 3,
    "rank_pattern": {},
    "revision": None,
    "target_modules": ["q_proj", "v_proj"],
    "target_parameters": None,
    "task_type": "CAUSAL_LM",
    "trainable_token_indices": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}
Weights = dict[str, np.ndarray]


def pairs(modules: list[str], rank: int, seed: int) -> Weights:
    """PEFT's tensors for these modules of both layers."""
    rng, tensors = np.random.default_rng(seed), {}
    for layer in range(2):
        for module in modules:
            rows, columns = MODULES[module]
            name = f"base_model.model.model.layers.{layer}.{module}.lora_"
            tensors[name + "A.weight"] = rng.normal(0, 0.3, (rank, columns)).astype(np.float32)
            tensors[name + "B.weight"] = rng.normal(0, 0.3, (rows, rank)).astype(np.float32)
    return tensors


def merged(weights: Weights, tensors: Weights, scale: float) -> Weights:
    """The model that the adapter stands for."""
    out = {name: weight.astype(np.float64) for name, weight in weights.items()}
    for name, down in tensors.items():
        if name.endswith("lora_A.weight"):
            up = tensors[name.replace("lora_A", "lora_B")]
            module = name.removeprefix("base_model.model.").replace("lora_A.", "")
            out[module] += scale * up.astype(np.float64) @ down
    return {name: weight.astype(np.float32) for name, weight in out.items()}


@pytest.fixture
def save(tmp_path: Path, tiny) -> Callable[..., Path]:
    """Write an adapter's folder; keyword arguments change its config."""

    def make(tensors: Weights, name: str = "adapter", **changes: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps(CONFIG | changes))
        (folder / "adapter_model.safetensors").write_bytes(tiny.safetensors_bytes(tensors))
        return folder

    return make


@pytest.fixture
def read(save, tiny_gguf) -> Callable[..., Adapter]:
    """Write an adapter and open it for the tiny model."""

    def make(tensors: Weights, **changes: object) -> Adapter:
        return open_adapter(save(tensors, **changes), "llama", open_model(tiny_gguf).config)

    return make


def test_a_batch_of_many_adapters_gives_each_what_its_merged_model_gives(tiny, tiny_gguf, save):
    """One row a request: none, one of all matrices stabilised by rank, one of few."""
    model = open_model(tiny_gguf)
    told = [
        (pairs(list(MODULES), 3, 1), {"use_rslora": True}, 6 / math.sqrt(3)),
        (pairs(["self_attn.q_proj", "mlp.up_proj"], 5, 2), {"r": 5, "lora_alpha": 2}, 2 / 5),
    ]
    folders = [save(each, str(i), **changes) for i, (each, changes, _) in enumerate(told)]
    adapters = [open_adapter(folder, "llama", model.config) for folder in folders]
    assert [adapter.rank for adapter in adapters] == [3, 5]
    tree = with_adapters(model.config, model.parameters(jnp.asarray), adapters)
    tokens_bt = np.random.default_rng(5).integers(0, 250, (4, 20), np.int32)
    cache = decoder.new_cache(model.config, 32)
    caches = jax.tree.map(lambda each: jnp.stack([each] * 4), cache)
    which = jnp.asarray([1, NONE, 0, 1])
    run = jax.jit(partial(decoder.extend_many, model.config))
    _, x_btd = run(tree, caches, jnp.asarray(tokens_bt), jnp.zeros(4, jnp.int32), which)
    got = decoder.predict(model.config, tree, x_btd.reshape(80, -1)).reshape(4, 20, -1)
    base = tiny.weights()
    whole = [merged(base, each, scale) for each, _, scale in told]
    alone = {}
    for row, weights in enumerate([whole[1], base, whole[0], whole[1]]):
        path = tiny_gguf.with_name("merged.gguf")
        path.write_bytes(tiny.gguf_bytes(tiny.gguf_metadata(), tiny.gguf_weights(weights)))
        other = open_model(path).parameters(jnp.asarray)
        tokens_t = jnp.asarray(tokens_bt[row])
        _, x_td = decoder.extend(model.config, other, cache, tokens_t, jnp.int32(0))
        alone[row] = decoder.predict(model.config, other, x_td)
        np.testing.assert_allclose(got[row], alone[row], rtol=0, atol=1e-4)
    plain = decoder.extend(model.config, tree, cache, jnp.asarray(tokens_bt[0]), jnp.int32(0))[1]
    differs = np.abs(decoder.predict(model.config, tree, plain) - alone[0]).max()
    assert differs > 0.1, "an adapter changes what is said"


QUERY = pairs(["self_attn.q_proj"], 3, 1)
FIRST_A, FIRST_B, *_ = QUERY


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("modules_to_save", ["lm_head"]),
        ("bias", "all"),
        ("lora_bias", True),
        ("rank_pattern", {"q_proj": 8}),
        ("alpha_pattern", {"q_proj": 8}),
        ("fan_in_fan_out", True),
        ("layer_replication", [[0, 2], [1, 2]]),
        ("trainable_token_indices", [3]),
        ("a_new_trick", 7),
        ("init_lora_weights", "pissa_niter_16"),
        ("peft_type", "LOHA"),
        ("r", 0),
        ("r", 4_000),
        ("r", "three"),
        ("lora_alpha", None),
    ],
)
def test_what_is_not_understood_is_refused_by_name(read, key, value):
    with pytest.raises(ModelFileError, match=key):
        read(QUERY, **{key: value})


def test_tensors_that_are_not_understood_are_refused_by_name(read):
    magnitude = {FIRST_A.replace("lora_A.weight", "lora_magnitude_vector"): np.ones(32, np.float32)}
    with pytest.raises(ModelFileError, match=r"1 tensors have no place.*lora_magnitude_vector"):
        read(QUERY | magnitude)


def test_an_adapter_of_another_model_is_refused(read):
    deeper = {name.replace("layers.1", "layers.7"): each for name, each in QUERY.items()}
    with pytest.raises(ModelFileError, match=r"no place in this model: .*layers\.7"):
        read(deeper)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t | {FIRST_A: np.zeros((3, 33), np.float32)}, r"\(3, 33\), \(3, 32\) is wanted"),
        (lambda t: t | {FIRST_B: np.zeros((32, 4), np.float32)}, r"\(32, 4\), \(32, 3\) is wanted"),
        (lambda t: t | {FIRST_B: np.full((32, 3), np.nan, np.float32)}, "lora_B"),
        (lambda t: {name: each for name, each in t.items() if name != FIRST_B}, "no tensor"),
        (lambda t: {}, "changes no matrix"),
    ],
)
def test_damaged_tensors_are_refused_by_name(read, damage, message):
    with pytest.raises(ModelFileError, match=message):
        read(damage(QUERY))


@pytest.mark.parametrize("left", [0, 4, 300, -1])
def test_a_file_that_is_cut_short_is_refused(save, tiny_gguf, left):
    folder = save(QUERY)
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ModelFileError, match="adapter_model"):
        open_adapter(folder, "llama", open_model(tiny_gguf).config)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_that_is_missing_is_named(save, tiny_gguf, name):
    folder = save(QUERY)
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        open_adapter(folder, "llama", open_model(tiny_gguf).config)


def test_a_header_that_lies_is_refused(save, tiny_gguf):
    folder = save(QUERY)
    path = folder / "adapter_model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])
    with pytest.raises(ModelFileError, match="a header of"):
        open_adapter(folder, "llama", open_model(tiny_gguf).config)
