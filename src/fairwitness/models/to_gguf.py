"""A folder of safetensors as the contents of a GGUF file: to run natively, and elsewhere.

For decoders that differ from a Llama in nothing but biases and norms of heads: Llama, Mistral,
Qwen 2 and 3. Names come from the table of families. Query and key rows of the Llamas are put into
pairs, as GGUF has them, and Llama 3's stretch of RoPE becomes a tensor of factors.

Facts: conversion/*.py of github.com/ggml-org/llama.cpp, which writes these files for everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.config import Attention, DecoderConfig
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.dequantise import FORMATS, BlockFormat
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import Family
from fairwitness.models.gguf import Value, check_finite
from fairwitness.models.model import json_table
from fairwitness.models.quantise import quantise
from fairwitness.models.rope import Llama3, frequencies, scaled
from fairwitness.models.safetensors import Safetensors, open_folder
from fairwitness.models.weights import check_all_placed
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
    if family.gguf is None or not _is_plain(config):
        raise ModelFileError(path, f"a {family.title} of this shape cannot be written as GGUF")
    file = open_folder(folder)
    tensors = [
        _tensor(file, name, gguf_name, _paired_heads(family, config, part), choose)
        for part, name, gguf_name in _named(file, family, config)
    ]
    return _metadata(folder, family, config), [*tensors, *_rope_factors(config)]


def _is_plain(config: DecoderConfig) -> bool:
    """Whether biases and norms of heads are all that it has beyond a Llama."""
    attention = Attention()
    bare = replace(config, attention=attention)
    kept = replace(
        attention,
        bias=config.attention.bias,
        out_bias=config.attention.out_bias,
        head_norms=config.attention.head_norms,
    )
    stretch = config.rope_scaling
    return bare.is_llama and config.attention == kept and isinstance(stretch, Llama3 | None)


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
    general: dict[str, Value] = {
        "general.architecture": str(family.gguf),
        "general.type": "model",
        "general.name": folder.resolve().name,
    }
    return general | {f"{family.gguf}.{key}": value for key, value in shape.items()}


def _named(file: Safetensors, family: Family, config: DecoderConfig) -> list[tuple[str, str, str]]:
    """Each tensor of the folder: our word for it, its name there, its name in GGUF."""
    left = {name for name in file.tensors if not name.endswith(_ROTARY)}
    if config.tied_head:
        left.discard(family.tensors["head"])
    found = []
    for layer in range(config.layers):
        for part, spelled in family.tensors.items():
            name = spelled.format(layer)
            if name in left and part in family.gguf_tensors:
                left.discard(name)
                found.append((part, name, family.gguf_tensors[part].format(layer)))
    check_all_placed(file.path, left)
    return found


def _paired_heads(family: Family, config: DecoderConfig, part: str) -> int:
    """How many heads' rows have to be put into pairs; none for most tensors."""
    if not family.gguf_pairs or part not in _PAIRED:
        return 0
    return config.query_heads if part.startswith("query") else config.kv_heads


def _tensor(
    file: Safetensors,
    name: str,
    gguf_name: str,
    paired_heads: int,
    choose: Callable[[str, tuple[int, ...], BlockFormat], BlockFormat],
) -> NewTensor:
    stored = file.tensors[name]
    block_format = choose(gguf_name, stored.shape, stored.format)
    read = partial(_packed, file, name, paired_heads, block_format)
    return NewTensor(gguf_name, stored.shape, block_format, read)


def _packed(
    file: Safetensors, name: str, paired_heads: int, block_format: BlockFormat
) -> NDArray[np.uint8]:
    weights = file.read(name)
    if paired_heads:
        weights = pairs_from_halves(weights, paired_heads)
    packed = quantise(block_format, weights)
    check_finite(file.path, f"{name} as {block_format.name}", block_format, packed)
    return packed


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
