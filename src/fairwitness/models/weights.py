"""From a file's tensors to the decoder's parameters.

Names and layouts differ between files; the decoder sees one tree. Matrices keep the files' own
[out, in] order, so that loading is a copy and never a transpose, and what is always multiplied
together is stored together (query, key and value; gate and up): fewer, larger products.

    {"embedding": vd, "norm": d, "head": vd (only if untied), "rope_k": head_size / 2,
     "rope_local_k": head_size / 2 (only with layers of local reach),
     "layers": [{"attention_norm": d, "qkv": [(q + 2 kv) * head_size, d], "out": [d, q * head_size],
                 "mlp_norm": d, "gate_up": [2 * hidden, d], "down": [d, hidden],
                 and as the config says: "qkv_bias", "out_bias", "query_norm": k, "key_norm": k,
                 "sinks": h, "attention_post_norm": d, "mlp_post_norm": d,
                 "router": ed, "experts_gate_up": [e, 2 * hidden, d],
                 "experts_down": [e, d, hidden], and these three with "_bias"}, ...]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.config import DecoderConfig, Experts
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import Family, named
from fairwitness.models.gguf import GgufFile
from fairwitness.models.rope import frequencies, scaled
from fairwitness.models.safetensors import Safetensors

Floats = NDArray[np.float32]
Rows = TypeVar("Rows", NDArray[np.float32], NDArray[np.uint8])
Place = Callable[[Floats], Any]
Tree = dict[str, Any]


def parameters_from_gguf(
    file: GgufFile, family: Family, config: DecoderConfig, place: Place
) -> Tree:
    """Load a GGUF file. `place` moves each finished array to its device, so that no second copy
    of the model is ever held.

    Raises:
        ModelFileError: a tensor is missing, unknown, or of another shape than the config says.
    """
    layout = _Layout(family.gguf_tensors, halves_from_pairs if family.gguf_pairs else _as_they_are)
    source = _Tensors(file.path, file.read, set(file.tensors), layout)
    factors = None
    if source.has("rope_factors"):
        factors = source.take("rope_factors", (config.head_size // 2,))
    return _tree(source, config, place, rope_frequencies(config, factors))


def parameters_from_hugging_face(
    file: Safetensors, family: Family, config: DecoderConfig, place: Place
) -> Tree:
    """Load safetensors with Hugging Face's names; see `parameters_from_gguf`."""
    names = {name for name in file.tensors if not name.endswith("rotary_emb.inv_freq")}
    if config.tied_head:
        names.discard(family.tensors["head"])  # some savers write the shared matrix twice
    layout = _Layout(family.tensors, norms_from_one=family.norms_from_one)
    source = _Tensors(file.path, file.read, names, layout)
    return _tree(source, config, place, rope_frequencies(config))


def parameters_from_grok_1(
    path: Path,
    read: Callable[[str], Floats],
    names: Set[str],
    config: DecoderConfig,
    place: Place,
) -> Tree:
    """Load Grok-1 from arrays under the names of xAI's model.py, widened; see above."""
    layout = _Layout(named("grok-1").tensors, transposed=True)
    source = _Tensors(path, read, names, layout)
    return _tree(source, config, place, rope_frequencies(config))


def rope_frequencies(config: DecoderConfig, factors: Floats | None = None) -> Floats:
    """Radians per position of each pair, [head_size / 2]; `factors` divide them (GGUF)."""
    frequency_k = frequencies(config.head_size, config.rope_base)
    if factors is not None:
        frequency_k = frequency_k / factors
    return scaled(frequency_k, config.rope_base, config.rope_scaling).astype(np.float32)


def halves_from_pairs(rows: Rows, heads: int) -> Rows:
    """Undo the row order of llama-architecture GGUF files.

    Their converter stores query and key rows so that RoPE turns neighbours (0, 1), (2, 3), ...
    (`permute` in conversion/llama.py of llama.cpp); our decoder turns the two halves of a head.
    """
    out, *rest = rows.shape
    pairs = rows.reshape(heads, out // heads // 2, 2, *rest)
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def check_shape(path: Path, name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape than the config says."""
    if shape != expected:
        raise ModelFileError(path, f"tensor {name!r} has shape {shape}, the config says {expected}")


def check_all_placed(path: Path, left: Set[str]) -> None:
    """Refuse a file with tensors that we would leave out."""
    if left:
        examples = ", ".join(sorted(left)[:3])
        raise ModelFileError(path, f"{len(left)} tensors have no place in this decoder: {examples}")


def _as_they_are(rows: Floats, heads: int) -> Floats:
    return rows


@dataclass(frozen=True)
class _Layout:
    """How a file stores what we store otherwise."""

    spelled: Mapping[str, str]
    reorder: Callable[[Floats, int], Floats] = _as_they_are  # rows of queries and keys
    norms_from_one: bool = False
    transposed: bool = False  # matrices stand [in, out]


class _Tensors:
    """A file's tensors by our names, each shape checked, each tensor accounted for."""

    def __init__(
        self, path: Path, read: Callable[[str], Floats], names: Set[str], layout: _Layout
    ) -> None:
        self.path, self.layout = path, layout
        self._read, self._left = read, set(names)

    def has(self, part: str) -> bool:
        return self.layout.spelled.get(part) in self._left

    def take(self, part: str, shape: tuple[int, ...], *index: int) -> Floats:
        """One tensor in the decoder's own order; `index` is its layer, and its expert."""
        if part not in self.layout.spelled:
            raise ModelFileError(self.path, f"files of this family have no {part}")
        name = self.layout.spelled[part].format(*index)
        tensor = self._read(name)
        if self.layout.transposed and len(shape) > 1 and part != "embedding":
            tensor = tensor.swapaxes(-1, -2)
        check_shape(self.path, name, tensor.shape, shape)
        self._left.discard(name)
        if self.layout.norms_from_one and part.endswith("norm"):
            return tensor + np.float32(1)
        return tensor

    def finish(self) -> None:
        check_all_placed(self.path, self._left)


def _tree(source: _Tensors, config: DecoderConfig, place: Place, rope_k: Floats) -> Tree:
    matrix = (config.vocabulary, config.width)
    tree: Tree = {
        "embedding": place(source.take("embedding", matrix)),
        "norm": place(source.take("norm", (config.width,))),
        "rope_k": place(rope_k),
        "layers": [_layer(source, config, index, place) for index in range(config.layers)],
    }
    if config.local_rope_base is not None:
        local_k = frequencies(config.head_size, config.local_rope_base)
        tree["rope_local_k"] = place(local_k.astype(np.float32))
    if not config.tied_head:
        tree["head"] = place(source.take("head", matrix))
    source.finish()
    return tree


def _layer(source: _Tensors, config: DecoderConfig, index: int, place: Place) -> Tree:
    norms = ["attention_norm", "mlp_norm"]
    if config.post_norms:
        norms += ["attention_post_norm", "mlp_post_norm"]
    layer: Tree = {name: place(source.take(name, (config.width,), index)) for name in norms}
    layer |= _attention(source, config, index, place)
    if config.has_mlp:
        rows = (config.hidden, config.width)
        gate_up = [source.take(part, rows, index) for part in ("gate", "up")]
        layer["gate_up"] = place(np.concatenate(gate_up))
        layer["down"] = place(source.take("down", rows[::-1], index))
    if config.experts is not None:
        layer |= _experts(source, config, config.experts, index, place)
    return layer


def _attention(source: _Tensors, config: DecoderConfig, index: int, place: Place) -> Tree:
    heads = {"query": config.query_heads, "key": config.kv_heads, "value": config.kv_heads}

    def joined(suffix: str, *columns: int) -> Any:
        parts = []
        for part, count in heads.items():
            rows = source.take(part + suffix, (count * config.head_size, *columns), index)
            parts.append(rows if part == "value" else source.layout.reorder(rows, count))
        return place(np.concatenate(parts))

    query_rows = config.query_heads * config.head_size
    layer: Tree = {
        "qkv": joined("", config.width),
        "out": place(source.take("out", (config.width, query_rows), index)),
    }
    if config.attention.bias:
        layer["qkv_bias"] = joined("_bias")
    if config.attention.out_bias:
        layer["out_bias"] = place(source.take("out_bias", (config.width,), index))
    if config.attention.head_norms:
        for part in ("query_norm", "key_norm"):
            layer[part] = place(source.take(part, (config.head_size,), index))
    if config.attention.sinks:
        layer["sinks"] = place(source.take("sinks", (config.query_heads,), index))
    return layer


def _experts(
    source: _Tensors, config: DecoderConfig, experts: Experts, index: int, place: Place
) -> Tree:
    """Experts come one by one, in three arrays, or in two with gate and up joined (gpt-oss)."""
    count, hidden, width = experts.count, experts.hidden, config.width
    layer: Tree = {"router": place(source.take("router", (count, width), index))}
    if "experts_gate_up" in source.layout.spelled:
        gate_up = source.take("experts_gate_up", (count, width, 2 * hidden), index)
        down = source.take("experts_down", (count, hidden, width), index)
        layer["experts_gate_up"] = place(_apart(gate_up).swapaxes(1, 2))
        layer["experts_down"] = place(np.ascontiguousarray(down.swapaxes(1, 2)))
    else:
        gate, up, down = (
            _every_expert(source, part, shape, index, count)
            for part, shape in (
                ("gate", (hidden, width)),
                ("up", (hidden, width)),
                ("down", (width, hidden)),
            )
        )
        layer["experts_gate_up"] = place(np.concatenate([gate, up], axis=1))
        layer["experts_down"] = place(down)
    if experts.bias:
        layer["router_bias"] = place(source.take("router_bias", (count,), index))
        layer["experts_gate_up_bias"] = place(_gate_up_bias(source, (count, hidden), index))
        layer["experts_down_bias"] = place(source.take("experts_down_bias", (count, width), index))
    return layer


def _every_expert(
    source: _Tensors, part: str, shape: tuple[int, int], index: int, count: int
) -> Floats:
    if f"experts_{part}" in source.layout.spelled:
        return source.take(f"experts_{part}", (count, *shape), index)
    return np.stack([source.take(f"expert_{part}", shape, index, each) for each in range(count)])


def _gate_up_bias(source: _Tensors, shape: tuple[int, int], index: int) -> Floats:
    if "experts_gate_up_bias" in source.layout.spelled:
        return _apart(source.take("experts_gate_up_bias", (shape[0], 2 * shape[1]), index))
    gate_up = [source.take(f"experts_{part}_bias", shape, index) for part in ("gate", "up")]
    return np.concatenate(gate_up, axis=1)


def _apart(gate_up: Floats) -> Floats:
    """Gate and up one after the other, where a file has them in turns along the last axis."""
    return np.concatenate([gate_up[..., ::2], gate_up[..., 1::2]], axis=-1)
