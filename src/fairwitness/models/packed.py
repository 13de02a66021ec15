"""From a quantised GGUF file to the tiles of the native step, without ever widening a weight.

Not every file can go this way: `packed_weights` gives None for one that cannot, and its weights are
widened for the decoder in JAX instead (`fairwitness.models.weights`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import formats, quantised
from fairwitness.kernels.native import library
from fairwitness.kernels.quantised import Room, Tiles, tiles_bytes
from fairwitness.kernels.stack import LayerWeights, Shape, Weights, interleaved
from fairwitness.models.config import DecoderConfig
from fairwitness.models.families import GGUF, Family
from fairwitness.models.gguf import GgufFile, GgufTensor
from fairwitness.models.rope import amplitude
from fairwitness.models.weights import (
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
_MATRICES = ("query", "key", "value", "out", "gate", "up", "down")
_TOGETHER = (("query", "key"), ("gate", "up"))


def shape_of(config: DecoderConfig) -> Shape:
    """The sizes that the native step asks for."""
    return Shape(
        config.vocabulary,
        config.width,
        config.layers,
        config.query_heads,
        config.kv_heads,
        config.head_size,
        config.hidden,
    )


def is_native(family: Family, config: DecoderConfig) -> bool:
    """Whether the native step is made for a GGUF file of this kind: it is a Llama's, and unpacks
    query and key rows as such files pair them."""
    return config.is_llama and family.gguf_pairs


def packed_weights(file: GgufFile, config: DecoderConfig) -> Weights | None:
    """The weights as tiles, or None: no native library, not a Llama, sizes that do not fit, other
    formats.

    Raises:
        ModelFileError: as `parameters_from_gguf`, which reads no less of the file.
    """
    if library() is None or not config.is_llama or not shape_of(config).fits:
        return None
    if not _is_packable(file, config):
        return None
    return _Source(file, config).weights()


def _is_packable(file: GgufFile, config: DecoderConfig) -> bool:
    """Whether every matrix has a format that we multiply by, and joined ones the same."""
    top = ["embedding"] if config.tied_head else ["embedding", "head"]
    names = [GGUF[name] for name in top]
    joined = []
    for layer in range(config.layers):
        names += [GGUF[name].format(layer) for name in _MATRICES]
        joined += [[GGUF[name].format(layer) for name in group] for group in _TOGETHER]
    tensors = file.tensors
    return all(name in tensors and tensors[name].format.name in _KINDS for name in names) and all(
        len({tensors[name].format for name in group}) == 1 for group in joined
    )


class _Source:
    """A file whose matrices can be packed: each shape checked, each tensor accounted for."""

    def __init__(self, file: GgufFile, config: DecoderConfig) -> None:
        self._file, self._config = file, config
        self._left = set(file.tensors)
        self._room = Room(sum(_packed_bytes(tensor) for tensor in file.tensors.values()))

    def weights(self) -> Weights:
        config = self._config
        table = (config.vocabulary, config.width)
        embedding = self._tiles(self._blocks(GGUF["embedding"], table), GGUF["embedding"])
        head = embedding
        if not config.tied_head:
            head = self._tiles(self._blocks(GGUF["head"], table), GGUF["head"])
        factors = None
        if GGUF["rope_factors"] in self._left:
            factors = self._floats(GGUF["rope_factors"], config.head_size // 2)
        weights = Weights(
            embedding=embedding,
            head=head,
            norm=self._floats(GGUF["norm"], config.width),
            frequencies=rope_frequencies(config, factors),
            layers=[self._layer(index) for index in range(config.layers)],
            amplitude=amplitude(config.rope_scaling),
        )
        check_all_placed(self._file.path, self._left)
        return weights

    def _layer(self, index: int) -> LayerWeights:
        config = self._config
        query_rows = config.query_heads * config.head_size
        kv_rows = config.kv_heads * config.head_size
        shapes = {
            "query": (query_rows, config.width),
            "key": (kv_rows, config.width),
            "value": (kv_rows, config.width),
            "out": (config.width, query_rows),
            "gate": (config.hidden, config.width),
            "up": (config.hidden, config.width),
            "down": (config.width, config.hidden),
        }
        names = {name: GGUF[name].format(index) for name in GGUF}
        told = {name: self._blocks(names[name], shape) for name, shape in shapes.items()}
        query = halves_from_pairs(told["query"], config.query_heads)
        key = halves_from_pairs(told["key"], config.kv_heads)
        return LayerWeights(
            attention_norm=self._floats(names["attention_norm"], config.width),
            mlp_norm=self._floats(names["mlp_norm"], config.width),
            query_key=self._tiles(np.concatenate([query, key]), names["query"]),
            value=self._tiles(told["value"], names["value"]),
            out=self._tiles(told["out"], names["out"]),
            gate_up=self._tiles(interleaved(told["gate"], told["up"]), names["gate"]),
            down=self._tiles(told["down"], names["down"]),
        )

    def _tiles(self, blocks_rb: NDArray[np.uint8], name: str) -> Tiles:
        kind = _KINDS[self._file.tensors[name].format.name]
        return quantised.pack(kind, blocks_rb, self._room)

    def _blocks(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        self._check(name, shape)
        return self._file.read_blocks(name)

    def _floats(self, name: str, size: int) -> NDArray[np.float32]:
        floats = self._file.read(name)
        self._check(name, (size,))
        return floats

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        check_shape(self._file.path, name, self._file.tensors[name].shape, shape)
        self._left.discard(name)


def _packed_bytes(tensor: GgufTensor) -> int:
    if len(tensor.shape) != 2 or tensor.format.name not in _KINDS:
        return 0
    return tiles_bytes(_KINDS[tensor.format.name], *tensor.shape)
