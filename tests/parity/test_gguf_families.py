"""GGUF files of each family, as llama.cpp's own converter spells them (gguf.json: see benchmarks/),
open as the same model as the folder that they were made from."""

import dataclasses
import json
import re
import sys
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fairwitness.models import open_model
from fairwitness.models.dequantise import FORMATS
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.writing import NewTensor

sys.path.append(str(Path(__file__).parent))
import measured
from spread import spread

GOLDEN = json.loads((Path(__file__).parent / "gguf.json").read_text("utf-8"))
# What the format has no key for; llama.cpp runs these models without it, too.
LOST = {
    "gemma2": {"attention"},  # a scale of the scores that no published model has
    "llama-dynamic": {"rope_scaling"},
    "mistral": {"reaches"},
    "qwen2-late": {"reaches"},
}
NAMES = {
    r"^model\.embed_tokens": "token_embd",
    r"^model\.norm": "output_norm",
    r"^lm_head": "output",
    r"^model\.layers\.": "blk.",
    r"self_attn\.o_proj": "attn_output",
    r"self_attn\.(\w)_proj": r"attn_\1",
    r"self_attn\.(\w)_norm": r"attn_\1_norm",
    r"self_attn\.sinks": "attn_sinks.weight",
    r"input_layernorm": "attn_norm",
    r"pre_feedforward_layernorm": "ffn_norm",
    r"post_feedforward_layernorm": "post_ffw_norm",
    r"mlp\.(gate|up|down)_proj": r"ffn_\1",
    r"(block_sparse_moe|mlp)\.(gate|router)\.": "ffn_gate_inp.",
    r"block_sparse_moe\.experts\.(\d+)\.w1": r"ffn_gate_exps.\1",
    r"block_sparse_moe\.experts\.(\d+)\.w2": r"ffn_down_exps.\1",
    r"block_sparse_moe\.experts\.(\d+)\.w3": r"ffn_up_exps.\1",
    r"mlp\.experts\.(\d+)\.(\w+)_proj": r"ffn_\2_exps.\1",
}


def spelled(case: str) -> dict[str, np.ndarray]:
    """The tensors of a golden under GGUF names and in GGUF order, by rules of the test's own."""
    golden = np.load(Path(__file__).parent / "families" / f"{case}.npz")
    config, shapes = json.loads(str(golden["config"])), json.loads(str(golden["shapes"]))
    tensors: dict[str, np.ndarray] = {}
    experts: dict[str, list[np.ndarray]] = {}
    for name, shape in sorted(shapes.items(), key=lambda item: natural(item[0])):
        weight = spread(name, tuple(shape))
        if case.startswith("gemma") and "norm" in name:
            weight = weight + np.float32(1)
        if case.split("-")[0] in ("llama", "mistral", "mixtral", "smollm3"):
            heads = {"q": "num_attention_heads", "k": "num_key_value_heads"}
            found = re.search(r"\.([qk])_proj", name)
            weight = in_pairs(weight, config[heads[found[1]]]) if found else weight
        after = "post_attention_norm" if case.startswith(("gemma", "gpt-oss")) else "ffn_norm"
        for pattern, theirs in {**NAMES, "post_attention_layernorm": after}.items():
            name = re.sub(pattern, theirs, name)
        one_of = re.fullmatch(r"(.*_exps)\.\d+(\.weight)", name)
        if one_of:
            experts.setdefault(one_of[1] + one_of[2], []).append(weight)
        elif "mlp.experts" in name:
            tensors |= joined(name, weight)
        else:
            tensors[name] = weight
    tensors |= {name: np.stack(each) for name, each in experts.items()}
    if "rope_freqs.weight" in GOLDEN[case]["tensors"]:
        tensors["rope_freqs.weight"] = llama_3_factors(config)
    return tensors


def natural(name: str) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def in_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    rows = weight.reshape(heads, 2, len(weight) // heads // 2, -1)
    return rows.swapaxes(1, 2).reshape(weight.shape)


def joined(name: str, weight: np.ndarray) -> dict[str, np.ndarray]:
    """gpt-oss keeps all experts of a layer in one array, gate and up in turns, inputs first."""
    layer, _, part = name.partition(".mlp.experts.")
    kind = "bias" if part.endswith("_bias") else "weight"
    weight = weight if kind == "bias" else weight.swapaxes(1, 2)
    if part.startswith("down"):
        return {f"{layer}.ffn_down_exps.{kind}": weight}
    gate, up = (weight[:, 0::2], weight[:, 1::2])
    return {f"{layer}.ffn_gate_exps.{kind}": gate, f"{layer}.ffn_up_exps.{kind}": up}


def llama_3_factors(config: dict[str, object]) -> np.ndarray:
    """What Llama 3's rule divides each frequency by."""
    rope, half = config["rope_parameters"], config["head_dim"] // 2
    waves = 2 * np.pi * rope["rope_theta"] ** (np.arange(half) / half)
    trained = rope["original_max_position_embeddings"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((trained / waves - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / rope["factor"] + smooth)).astype(np.float32)


@pytest.mark.parametrize("case", list(GOLDEN))
def test_a_gguf_file_opens_as_the_folder_does(tmp_path, case):
    tensors, golden = spelled(case), GOLDEN[case]
    assert {name: list(each.shape) for name, each in tensors.items()} == {
        name: shape for name, (shape, _) in golden["tensors"].items()
    }
    for name, (_, checksum) in golden["tensors"].items():
        assert zlib.crc32(tensors[name].tobytes()) == checksum or "rope_freqs" in name, name
    path = tmp_path / "model.gguf"
    new = [
        NewTensor(name, w.shape, FORMATS[0], partial(as_bytes, w)) for name, w in tensors.items()
    ]
    write_gguf(path, golden["metadata"], new)
    ours = open_model(path)
    told = np.load(Path(__file__).parent / "families" / f"{case}.npz")
    theirs = measured.golden_model(told, tmp_path / "folder")
    assert_same_config(ours.config, theirs.config, LOST.get(case, set()))
    assert_same_tree(ours.parameters(np.asarray), theirs.parameters(np.asarray))


def as_bytes(weight: np.ndarray) -> np.ndarray:
    return np.frombuffer(weight.tobytes(), np.uint8)


def assert_same_config(ours, theirs, lost: set[str]) -> None:
    """But for what the format rounds (epsilon) or tells as a tensor (Llama 3's factors)."""
    for field in dataclasses.fields(theirs):
        one, other = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name == "norm_epsilon":
            assert one == pytest.approx(other, rel=1e-6)
        elif field.name == "attention" and one.scale is None and other.scale is not None:
            assert other.scale == ours.head_size**-0.5 or field.name in lost
            assert dataclasses.replace(other, scale=None) == one
        elif field.name == "rope_scaling" and type(other).__name__ == "Llama3":
            assert one is None
        else:
            assert (one == other) != (field.name in lost), field.name


def assert_same_tree(ours, theirs) -> None:
    assert ours.keys() == theirs.keys()
    for one, other in zip(ours["layers"], theirs["layers"], strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    for name in ours.keys() - {"layers"}:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-6, err_msg=name)
