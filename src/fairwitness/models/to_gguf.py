"""A folder of safetensors as the contents of a GGUF file: to run natively, and elsewhere.

For Llama, Mistral, Mixtral, Qwen 2 and 3, Qwen3-MoE, Gemma 2 and 3, SmolLM3; Grok-1, which is no
such folder, is told by the same keys (`to_gguf_grok.py`). Names come from the
table of families; experts that a folder has one by one become one tensor a layer. Query and key
rows of the Llamas are put into pairs, as GGUF has them, what Gemma adds to one becomes the norm
itself, and Llama 3's stretch of RoPE a tensor of factors.
What the keys would not give back is refused.

Facts: conversion/*.py of github.com/ggml-org/llama.cpp, which writes these files for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.config import DecoderConfig
from fairwitness.models.config_gguf import config_from_gguf
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.dequantise import FORMATS, BlockFormat
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import Family
from fairwitness.models.gguf import Value, check_finite
from fairwitness.models.model import json_table
from fairwitness.models.quantise import quantise
from fairwitness.models.rope import Linear, Llama3, frequencies, scaled
from fairwitness.models.safetensors import Safetensors, open_folder
from fairwitness.models.weights import check_all_placed, check_shape
from fairwitness.models.writing import NewTensor

Floats = NDArray[np.float32]
_PAIRED = ("query", "key", "query_bias", "key_bias")
_ROTARY = "rotary_emb.inv_freq"  # what some savers add, and config.json tells


def gguf_of_folder(
    folder: Path, choose: Callable[[str, tuple[int, ...], BlockFormat], BlockFormat]
) -> tuple[dict[str, Value], list[NewTensor]]:
    """Metadata (without the tokenizer's) and tensors; `choose` gives each tensor its format.

    Raises:
        ModelFileError: damaged, or a decoder that is not told in this way.
    """
    path = folder / "config.json"
    family, config = config_from_hugging_face(path, json_table(path))
    if family.gguf is None or (config.experts is not None and config.experts.bias):
        raise ModelFileError(path, f"a {family.title} cannot be written as GGUF")
    file = open_folder(folder)
    tensors = [
        _tensor(file, names, gguf_name, partial(_turned, family, config, part), choose)
        for part, names, gguf_name in _named(file, family, config)
    ]
    metadata = metadata_of(path, family, config, {tensor.name for tensor in tensors})
    return metadata, [*tensors, *_rope_factors(config)]


def metadata_of(
    path: Path, family: Family, config: DecoderConfig, tensors: Set[str]
) -> dict[str, Value]:
    """The keys of a file of these tensors, named after the folder that `path` is in.

    Raises:
        ModelFileError: they would not give this config back.
    """
    metadata = _metadata(path.parent, family, config)
    _, told = config_from_gguf(path, metadata, config.vocabulary, tensors)
    if told != _as_told(config):
        raise ModelFileError(path, f"a {family.title} of this shape cannot be written as GGUF")
    return metadata


def _as_told(config: DecoderConfig) -> DecoderConfig:
    """The config as it is read again: Llama 3's stretch is no key, nor is the usual scale."""
    attention = config.attention
    if attention.scale == config.head_size**-0.5:
        attention = replace(attention, scale=None)
    is_factors = isinstance(config.rope_scaling, Llama3)
    return replace(
        config, attention=attention, rope_scaling=None if is_factors else config.rope_scaling
    )


def _metadata(folder: Path, family: Family, config: DecoderConfig) -> dict[str, Value]:
    shape: dict[str, Value] = {
        "vocab_size": config.vocabulary,
        "context_length": config.context,
        "embedding_length": config.width,
        "block_count": config.layers,
        "feed_forward_length": config.hidden,
        "attention.head_count": config.query_heads,
        "attention.head_count_kv": config.kv_heads,
        "attention.key_length": config.head_size,
        "attention.value_length": config.head_size,
        "attention.layer_norm_rms_epsilon": config.norm_epsilon,
        "rope.dimension_count": config.head_size,
        "rope.freq_base": config.rope_base,
    }
    shape |= _reach(config) | _experts(config)
    if family.name == "grok-1":
        shape |= _constants(config)
    match config.rope_scaling:
        case Linear(factor):
            shape |= {"rope.scaling.type": "linear", "rope.scaling.factor": factor}
    caps = {
        "attn_logit_softcapping": config.attention.cap,
        "final_logit_softcapping": config.multipliers.logits_cap,
    }
    shape |= {key: cap for key, cap in caps.items() if cap is not None}
    general: dict[str, Value] = {
        "general.architecture": str(family.gguf),
        "general.type": "model",
        "general.name": folder.resolve().name,
    }
    return general | {f"{family.gguf}.{key}": value for key, value in shape.items()}


def _reach(config: DecoderConfig) -> dict[str, Value]:
    """The keys of windows, whose layers an architecture knows, and of their RoPE."""
    told: dict[str, Value] = {}
    windows = {reach.window for reach in config.reaches if reach.window is not None}
    if len(windows) == 1:
        told["attention.sliding_window"] = windows.pop()
    if config.local_rope_base is not None:
        told["rope.freq_base_swa"] = config.local_rope_base
    return told


def _experts(config: DecoderConfig) -> dict[str, Value]:
    """The keys of a mixture; that shares are of those used is no key, but what all of them do."""
    experts = config.experts
    if experts is None:
        return {}
    return {
        "expert_count": experts.count,
        "expert_used_count": experts.used,
        "expert_feed_forward_length": experts.hidden,
    }


def _constants(config: DecoderConfig) -> dict[str, Value]:
    """What Grok's keys tell, and no other family's: the scale of scores, and those of both ends."""
    scale, multipliers = config.attention.scale, config.multipliers
    return {
        "attention.output_scale": config.head_size**-0.5 if scale is None else scale,
        "embedding_scale": multipliers.embedding,
        "logit_scale": multipliers.logits,
    }


def _named(
    file: Safetensors, family: Family, config: DecoderConfig
) -> list[tuple[str, list[str], str]]:
    """Each tensor: our word for it, its name in the folder or those of all experts, and in GGUF."""
    left = {name for name in file.tensors if not name.endswith(_ROTARY)}
    if config.tied_head:
        left.discard(family.tensors["head"])
    found = []
    for layer in range(config.layers):
        for part, spelled in family.tensors.items():
            names, part = _spelled(config, part, spelled, layer)
            if left.issuperset(names) and part in family.gguf_tensors:
                left.difference_update(names)
                found.append((part, names, family.gguf_tensors[part].format(layer)))
    check_all_placed(file.path, left)
    return found


def _spelled(config: DecoderConfig, part: str, spelled: str, layer: int) -> tuple[list[str], str]:
    """The names of a part of a layer in a folder, and the part of GGUF that holds them."""
    if config.experts is None or not part.startswith("expert_"):
        return [spelled.format(layer)], part
    names = [spelled.format(layer, each) for each in range(config.experts.count)]
    return names, part.replace("expert_", "experts_")


def _turned(family: Family, config: DecoderConfig, part: str, weights: Floats) -> Floats:
    """A tensor as GGUF has it."""
    if family.norms_from_one and part.endswith("norm"):
        return weights + np.float32(1)
    if not family.gguf_pairs or part not in _PAIRED:
        return weights
    heads = config.query_heads if part.startswith("query") else config.kv_heads
    return pairs_from_halves(weights, heads)


def _tensor(
    file: Safetensors,
    names: list[str],
    gguf_name: str,
    turn: Callable[[Floats], Floats],
    choose: Callable[[str, tuple[int, ...], BlockFormat], BlockFormat],
) -> NewTensor:
    """One tensor, or those of all experts one after the other."""
    stored = file.tensors[names[0]]
    for name in names:
        check_shape(file.path, name, file.tensors[name].shape, stored.shape)
    shape = stored.shape if len(names) == 1 else (len(names), *stored.shape)
    block_format = choose(gguf_name, shape, stored.format)
    parts = {name: partial(_read, file, name, turn) for name in names}
    return NewTensor(
        gguf_name, shape, block_format, partial(packed, file.path, parts, block_format)
    )


def _read(file: Safetensors, name: str, turn: Callable[[Floats], Floats]) -> Floats:
    return turn(file.read(name))


def packed(
    path: Path, parts: Mapping[str, Callable[[], Floats]], block_format: BlockFormat
) -> NDArray[np.uint8]:
    """One tensor of named parts, one of which at a time is wide.

    Raises:
        ModelFileError: naming the part that the format cannot hold.
    """
    blocks = []
    for name, read in parts.items():
        blocks.append(quantise(block_format, read()))
        check_finite(path, f"{name} as {block_format.name}", block_format, blocks[-1])
    return np.concatenate(blocks)


def pairs_from_halves(rows: Floats, heads: int) -> Floats:
    """The way back of `weights.halves_from_pairs`."""
    out, *rest = rows.shape
    halves = rows.reshape(heads, 2, out // heads // 2, *rest)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows.shape)


def _rope_factors(config: DecoderConfig) -> list[NewTensor]:
    """What Llama 3's frequencies are divided by, pair for pair."""
    if config.rope_scaling is None:
        return []
    plain_k = frequencies(config.head_size, config.rope_base)
    factors_k = plain_k / scaled(plain_k, config.rope_base, config.rope_scaling)
    packed: Any = factors_k.astype("<f4").view(np.uint8)
    return [NewTensor("rope_freqs.weight", factors_k.shape, FORMATS[0], lambda: packed)]
