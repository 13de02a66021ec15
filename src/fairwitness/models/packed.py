"""From a quantised GGUF file to the tiles of the native step, without ever widening a weight.

Not every file can go this way: `packed_weights` gives None for one that cannot, and its weights are
widened for the decoder in JAX instead (`fairwitness.models.weights`).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import formats, quantised
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import Room, Tiles, tiles_bytes
from fairwitness.kernels.stack import LayerWeights, Mixture, Shape, Ways, Weights, interleaved
from fairwitness.models.config import Attention, DecoderConfig, Experts
from fairwitness.models.families import Family
from fairwitness.models.gguf import GgufFile, GgufTensor
from fairwitness.models.rope import Dynamic, amplitude, frequencies
from fairwitness.models.weights import (
    Rows,
    check_all_placed,
    check_shape,
    halves_from_pairs,
    rope_frequencies,
)

_KINDS = {
    "Q4_0": formats.Q4_0,
    "Q4_1": formats.Q4_1,
    "Q8_0": formats.Q8_0,
    "Q4_K": formats.Q4_K,
    "Q5_K": formats.Q5_K,
    "Q6_K": formats.Q6_K,
}
_ATTENTION = ("query", "key", "value", "out")


def shape_of(config: DecoderConfig) -> Shape:
    """The sizes that the native step asks for."""
    return Shape(
        config.vocabulary,
        config.width,
        config.layers,
        config.query_heads,
        config.kv_heads,
        config.head_size,
        config.experts.hidden if config.experts else config.hidden,
    )


def is_native(family: Family, config: DecoderConfig) -> bool:
    """Whether the native step is made for a GGUF file of this kind: whatever a config may say but
    experts with biases or beside an MLP, sinks, chunks, scores that grow with the position, and
    frequencies that change with it."""
    attention, experts = config.attention, config.experts
    known = Attention(
        bias=attention.bias,
        out_bias=attention.out_bias,
        head_norms=attention.head_norms,
        scale=attention.scale,
        cap=attention.cap,
    )
    return (
        family.gguf is not None
        and attention == known
        and (experts is None or experts == replace(experts, bias=False, beside_mlp=False))
        and config.activation in ("silu", "gelu_tanh")
        and not any(reach.chunk for reach in config.reaches)
        and not isinstance(config.rope_scaling, Dynamic)
    )


def packed_weights(file: GgufFile, family: Family, config: DecoderConfig) -> Weights | None:
    """The weights as tiles, or None: no native library, ways that it does not have, sizes that do
    not fit, other formats.

    Raises:
        ModelFileError: as `parameters_from_gguf`, which reads no less of the file.
    """
    if library() is None or not is_native(family, config) or not shape_of(config).fits:
        return None
    if not _is_packable(file, family, config):
        return None
    return _Source(file, family, config).weights()


def _is_packable(file: GgufFile, family: Family, config: DecoderConfig) -> bool:
    """Whether every matrix has a format that we multiply by, and joined ones the same."""
    top = ["embedding"] if config.tied_head else ["embedding", "head"]
    gate, up, down = _mlp(config)
    spelled = family.gguf_tensors
    names = [spelled[name] for name in top]
    joined = []
    for layer in range(config.layers):
        names += [spelled[name].format(layer) for name in (*_ATTENTION, gate, up, down)]
        joined += [[spelled[name].format(layer) for name in ("query", "key")]]
        joined += [[spelled[name].format(layer) for name in (gate, up)]]
    tensors = file.tensors
    return all(name in tensors and tensors[name].format.name in _KINDS for name in names) and all(
        len({tensors[name].format for name in group}) == 1 for group in joined
    )


def _mlp(config: DecoderConfig) -> tuple[str, str, str]:
    """The tensors of gate, up and down, which are those of all experts where there are some."""
    if config.experts is None:
        return "gate", "up", "down"
    return "experts_gate", "experts_up", "experts_down"


def _mixture(experts: Experts | None) -> Mixture | None:
    if experts is None:
        return None
    return Mixture(experts.count, experts.used, experts.renormalise, experts.cap)


def ways_of(config: DecoderConfig) -> Ways:
    """What all layers do otherwise than a Llama's; it `is_native`."""
    activation, multipliers = config.activation, config.multipliers
    assert activation in ("silu", "gelu_tanh")
    return Ways(
        config.attention.scale,
        config.attention.cap,
        multipliers.logits_cap,
        multipliers.logits,
        multipliers.embedding,
        activation,
        _mixture(config.experts),
    )


def _local_frequencies(config: DecoderConfig) -> NDArray[np.float32] | None:
    if config.local_rope_base is None:
        return None
    return frequencies(config.head_size, config.local_rope_base).astype(np.float32)


class _Source:
    """A file whose matrices can be packed: each shape checked, each tensor accounted for."""

    def __init__(self, file: GgufFile, family: Family, config: DecoderConfig) -> None:
        self._file, self._family, self._config = file, family, config
        self._left = set(file.tensors)
        self._room = Room(sum(_packed_bytes(tensor) for tensor in file.tensors.values()))

    def weights(self) -> Weights:
        config, names = self._config, self._family.gguf_tensors
        table = (config.vocabulary, config.width)
        embedding = self._tiles(self._blocks(names["embedding"], table), names["embedding"])
        head = embedding
        if not config.tied_head:
            head = self._tiles(self._blocks(names["head"], table), names["head"])
        factors = None
        if names["rope_factors"] in self._left:
            factors = self._floats(names["rope_factors"], config.head_size // 2)
        weights = Weights(
            embedding=embedding,
            head=head,
            norm=self._floats(names["norm"], config.width),
            frequencies=rope_frequencies(config, factors),
            layers=[self._layer(index) for index in range(config.layers)],
            amplitude=amplitude(config.rope_scaling),
            local_frequencies=_local_frequencies(config),
            ways=ways_of(config),
        )
        check_all_placed(self._file.path, self._left)
        return weights

    def _layer(self, index: int) -> LayerWeights:
        config = self._config
        hidden, (gate, up, down) = shape_of(config).hidden, _mlp(config)
        query_rows = config.query_heads * config.head_size
        kv_rows = config.kv_heads * config.head_size
        experts = () if config.experts is None else (config.experts.count,)
        shapes = {
            "query": (query_rows, config.width),
            "key": (kv_rows, config.width),
            "value": (kv_rows, config.width),
            "out": (config.width, query_rows),
            gate: (*experts, hidden, config.width),
            up: (*experts, hidden, config.width),
            down: (*experts, config.width, hidden),
        }
        names = {part: name.format(index) for part, name in self._family.gguf_tensors.items()}
        told = {name: self._blocks(names[name], shape) for name, shape in shapes.items()}
        query = self._halves(told["query"], config.query_heads)
        key = self._halves(told["key"], config.kv_heads)
        reach = config.reach(index)
        mlp_norm_d = self._floats(names["mlp_norm"], config.width)
        return LayerWeights(
            attention_norm=self._floats(names["attention_norm"], config.width),
            mlp_norm=mlp_norm_d,
            query_key=self._tiles(np.concatenate([query, key]), names["query"]),
            value=self._tiles(told["value"], names["value"]),
            out=self._tiles(told["out"], names["out"]),
            gate_up=self._tiles(interleaved(told[gate], told[up]), names[gate]),
            down=self._tiles(told[down], names[down]),
            **self._besides(names, mlp_norm_d),
            window=reach.window,
            rope=reach.rope,
        )

    def _besides(
        self, names: dict[str, str], mlp_norm_d: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """What this family's layers have besides a Llama's, by the names of `LayerWeights`."""
        config, size, besides = self._config, self._config.head_size, {}
        if config.attention.bias:
            counts = config.query_heads, config.kv_heads, config.kv_heads
            query, key, value = (
                self._floats(names[f"{part}_bias"], heads * size)
                for part, heads in zip(("query", "key", "value"), counts, strict=True)
            )
            query, key = self._halves(query, counts[0]), self._halves(key, counts[1])
            besides["heads_bias"] = np.concatenate([query, key, value])
        if config.attention.out_bias:
            besides["out_bias"] = self._floats(names["out_bias"], config.width)
        if config.attention.head_norms:
            for part in ("query_norm", "key_norm"):
                besides[part] = self._floats(names[part], size)
        if config.post_norms:
            for part in ("attention_post_norm", "mlp_post_norm"):
                besides[part] = self._floats(names[part], config.width)
        if config.experts is not None:
            router_ed = self._floats(names["router"], config.experts.count, config.width)
            besides["router"] = router_ed * mlp_norm_d
        return besides

    def _halves(self, rows: Rows, heads: int) -> Rows:
        return halves_from_pairs(rows, heads) if self._family.gguf_pairs else rows

    def _tiles(self, blocks_rb: NDArray[np.uint8], name: str) -> Tiles:
        kind = _KINDS[self._file.tensors[name].format.name]
        return quantised.pack(kind, blocks_rb, self._room)

    def _blocks(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        self._check(name, shape)
        return self._file.read_blocks(name)

    def _floats(self, name: str, *shape: int) -> NDArray[np.float32]:
        floats = self._file.read(name)
        self._check(name, shape)
        return floats

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        check_shape(self._file.path, name, self._file.tensors[name].shape, shape)
        self._left.discard(name)


def _packed_bytes(tensor: GgufTensor) -> int:
    if len(tensor.shape) < 2 or tensor.format.name not in _KINDS:
        return 0
    *rows, columns = tensor.shape
    return tiles_bytes(_KINDS[tensor.format.name], prod(rows), columns)
