"""From a file's tensors to the decoder's parameters.

Names and layouts differ between files; the decoder sees one tree. Matrices keep the files' own
[out, in] order, so that loading is a copy and never a transpose, and what is always multiplied
together is stored together (query, key and value; gate and up): fewer, larger products.

    {"embedding": vd, "norm": d, "head": vd (only if untied), "rope_k": head_size / 2,
     "layers": [{"attention_norm": d, "qkv": [(q + 2 kv) * head_size, d], "out": [d, q * head_size],
                 "mlp_norm": d, "gate_up": [2 * hidden, d], "down": [d, hidden]}, ...]}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.config import DecoderConfig, RopeScaling
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import GgufFile
from fairwitness.models.safetensors import Safetensors

Floats = NDArray[np.float32]
Rows = TypeVar("Rows", NDArray[np.float32], NDArray[np.uint8])
Place = Callable[[Floats], Any]

GGUF_LAYER = {
    "attention_norm": "blk.{}.attn_norm.weight",
    "query": "blk.{}.attn_q.weight",
    "key": "blk.{}.attn_k.weight",
    "value": "blk.{}.attn_v.weight",
    "out": "blk.{}.attn_output.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
}
GGUF_TOP = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "rope_factors": "rope_freqs.weight",
}
_HUGGING_FACE_LAYER = {
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "query": "model.layers.{}.self_attn.q_proj.weight",
    "key": "model.layers.{}.self_attn.k_proj.weight",
    "value": "model.layers.{}.self_attn.v_proj.weight",
    "out": "model.layers.{}.self_attn.o_proj.weight",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
}
_HUGGING_FACE_TOP = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
}


def parameters_from_gguf(file: GgufFile, config: DecoderConfig, place: Place) -> dict[str, Any]:
    """Load a GGUF file. `place` moves each finished array to its device, so that no second copy
    of the model is ever held.

    Raises:
        ModelFileError: a tensor is missing, unknown, or of another shape than the config says.
    """
    source = _Tensors(file.path, config, file.read, set(file.tensors), GGUF_TOP, GGUF_LAYER)
    factors = source.optional("rope_factors", (config.head_size // 2,))
    return _tree(source, place, rope_frequencies(config, factors), halves_from_pairs)


def parameters_from_hugging_face(
    file: Safetensors, config: DecoderConfig, place: Place
) -> dict[str, Any]:
    """Load safetensors with Hugging Face's names; see `parameters_from_gguf`."""
    names = {name for name in file.tensors if not name.endswith("rotary_emb.inv_freq")}
    if config.tied_head:
        names.discard(_HUGGING_FACE_TOP["head"])  # some savers write the shared matrix twice
    source = _Tensors(file.path, config, file.read, names, _HUGGING_FACE_TOP, _HUGGING_FACE_LAYER)
    return _tree(source, place, rope_frequencies(config), lambda rows, heads: rows)


def rope_frequencies(config: DecoderConfig, factors: Floats | None = None) -> Floats:
    """Radians per position of each pair, [head_size / 2]; `factors` divide them (GGUF)."""
    exponent_k = np.arange(0, config.head_size, 2, dtype=np.float64) / config.head_size
    frequency_k = config.rope_base**-exponent_k
    if factors is not None:
        frequency_k = frequency_k / factors
    if config.rope_scaling is not None:
        frequency_k = _stretched(frequency_k, config.rope_scaling)
    return frequency_k.astype(np.float32)


def _stretched(frequency_k: NDArray[np.float64], scaling: RopeScaling) -> NDArray[np.float64]:
    """Llama 3's rule: slow waves are stretched, fast ones kept, those between are blended.

    Fact: `_compute_llama3_parameters` in transformers' modeling_rope_utils.py.
    """
    turns_k = scaling.original_context * frequency_k / (2 * np.pi)
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    keep_k = np.clip((turns_k - low) / (high - low), 0.0, 1.0)
    return frequency_k * (keep_k + (1 - keep_k) / scaling.factor)


def halves_from_pairs(rows: Rows, heads: int) -> Rows:
    """Undo the row order of llama-architecture GGUF files.

    Their converter stores query and key rows so that RoPE turns neighbours (0, 1), (2, 3), ...
    (`permute` in conversion/llama.py of llama.cpp); our decoder turns the two halves of a head.
    """
    out, width = rows.shape
    pairs = rows.reshape(heads, out // heads // 2, 2, width)
    return pairs.swapaxes(1, 2).reshape(out, width)


def check_shape(path: Path, name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape than the config says."""
    if shape != expected:
        raise ModelFileError(path, f"tensor {name!r} has shape {shape}, the config says {expected}")


def check_all_placed(path: Path, left: set[str]) -> None:
    """Refuse a file with tensors that we would leave out."""
    if left:
        examples = ", ".join(sorted(left)[:3])
        raise ModelFileError(path, f"{len(left)} tensors have no place in this decoder: {examples}")


class _Tensors:
    """A file's tensors by our names, each shape checked, each tensor accounted for."""

    def __init__(
        self,
        path: Path,
        config: DecoderConfig,
        read: Callable[[str], Floats],
        names: set[str],
        top: dict[str, str],
        layer: dict[str, str],
    ) -> None:
        self.path, self.config = path, config
        self._read, self._left = read, set(names)
        self._top, self._layer = top, layer

    def top(self, name: str, shape: tuple[int, ...]) -> Floats:
        return self._take(self._top[name], shape)

    def layer(self, index: int, name: str, shape: tuple[int, ...]) -> Floats:
        return self._take(self._layer[name].format(index), shape)

    def optional(self, name: str, shape: tuple[int, ...]) -> Floats | None:
        return self.top(name, shape) if self._top[name] in self._left else None

    def finish(self) -> None:
        check_all_placed(self.path, self._left)

    def _take(self, name: str, shape: tuple[int, ...]) -> Floats:
        tensor = self._read(name)
        check_shape(self.path, name, tensor.shape, shape)
        self._left.discard(name)
        return tensor


def _tree(
    source: _Tensors,
    place: Place,
    rope_k: Floats,
    reorder: Callable[[Floats, int], Floats],
) -> dict[str, Any]:
    config = source.config
    matrix = (config.vocabulary, config.width)
    tree: dict[str, Any] = {
        "embedding": place(source.top("embedding", matrix)),
        "norm": place(source.top("norm", (config.width,))),
        "rope_k": place(rope_k),
        "layers": [_layer(source, index, place, reorder) for index in range(config.layers)],
    }
    if not config.tied_head:
        tree["head"] = place(source.top("head", matrix))
    source.finish()
    return tree


def _layer(
    source: _Tensors, index: int, place: Place, reorder: Callable[[Floats, int], Floats]
) -> dict[str, Any]:
    config = source.config
    width, hidden = config.width, config.hidden
    query_rows = config.query_heads * config.head_size
    kv_rows = config.kv_heads * config.head_size
    query = source.layer(index, "query", (query_rows, width))
    key = source.layer(index, "key", (kv_rows, width))
    value = source.layer(index, "value", (kv_rows, width))
    gate = source.layer(index, "gate", (hidden, width))
    up = source.layer(index, "up", (hidden, width))
    qkv = [reorder(query, config.query_heads), reorder(key, config.kv_heads), value]
    return {
        "attention_norm": place(source.layer(index, "attention_norm", (width,))),
        "qkv": place(np.concatenate(qkv)),
        "out": place(source.layer(index, "out", (width, query_rows))),
        "mlp_norm": place(source.layer(index, "mlp_norm", (width,))),
        "gate_up": place(np.concatenate([gate, up])),
        "down": place(source.layer(index, "down", (width, hidden))),
    }
