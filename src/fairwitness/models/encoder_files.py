"""An encoder on disk: one GGUF file with its weights in eight bits and its vocabulary.

all-MiniLM-L6-v2 is published as 91 MB of float32. Its matrices as Q8_0 (a scale for every 32
numbers) and the rest as float32 make 25 MB of it. Tensors are named as llama.cpp names those of a
BERT; the published file names them as `BertModel` of github.com/huggingface/transformers does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, dequantise
from fairwitness.models.encoder import EncoderConfig, Parameters, stacked
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import GgufFile, Value, open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.quantise import quantise
from fairwitness.models.safetensors import Safetensors, open_safetensors
from fairwitness.models.wordpieces import WordPieces, vocabulary_of
from fairwitness.models.writing import NewTensor

Floats = NDArray[np.float32]
Read = Callable[[str], Floats]
Words = Callable[[Sequence[int]], Floats]
_F32, _Q8_0 = FORMATS[0], FORMATS[8]

_WORDS = ("token_embd.weight", "embeddings.word_embeddings.weight")
_TABLES = {
    "places_td": ("position_embd.weight", "embeddings.position_embeddings.weight"),
    "kinds_2d": ("token_types.weight", "embeddings.token_type_embeddings.weight"),
}
_NORM = ("token_embd_norm", "embeddings.LayerNorm")
_MATRICES = {
    "query": ("attn_q", "attention.self.query"),
    "key": ("attn_k", "attention.self.key"),
    "value": ("attn_v", "attention.self.value"),
    "output": ("attn_output", "attention.output.dense"),
    "up": ("ffn_up", "intermediate.dense"),
    "down": ("ffn_down", "output.dense"),
}
_NORMS = {
    "seen_norm": ("attn_output_norm", "attention.output.LayerNorm"),
    "thought_norm": ("layer_output_norm", "output.LayerNorm"),
}
_NOT_WEIGHTS = frozenset({"embeddings.position_ids"})
"""Counts from 0 up, which older versions of transformers saved with the weights."""


def write_encoder(weights: Path, tokenizer: Path, target: Path) -> None:
    """Write the published files of all-MiniLM-L6-v2 as one GGUF file.

    Raises:
        ModelFileError: a file is damaged or of another shape, or the target is there already.
    """
    config = EncoderConfig()
    file = open_safetensors(weights, aside=_NOT_WEIGHTS)
    tensors = [_tensor(file, theirs, ours, shape) for ours, theirs, shape in _names(config)]
    vocabulary = vocabulary_of(tokenizer)
    if len(vocabulary) != config.vocabulary:
        raise ModelFileError(tokenizer, f"{len(vocabulary)} pieces, not {config.vocabulary}")
    metadata: dict[str, Value] = {
        "general.architecture": "bert",
        "general.name": "all-MiniLM-L6-v2",
        "general.license": "apache-2.0",
        "tokenizer.ggml.tokens": list(vocabulary),
    }
    write_gguf(target, metadata, tensors)


def open_encoder(path: Path) -> tuple[EncoderConfig, Parameters, WordPieces]:
    """Read what `write_encoder` wrote; layers as the native call takes them, or in numpy.

    Raises:
        ModelFileError: damaged, or not such a file.
    """
    file = open_gguf(path)
    config = EncoderConfig()
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or len(tokens) != config.vocabulary:
        raise ModelFileError(path, "has no vocabulary of an encoder")
    return config, _parameters(config, file), WordPieces(tuple(tokens))


def parameters_of_published(path: Path, config: EncoderConfig) -> Parameters:
    """Read the published weights as they are, float32; errors as in `open_encoder`."""
    file = open_safetensors(path, aside=_NOT_WEIGHTS)
    theirs = {ours: theirs for ours, theirs, _ in _names(config)}
    words_vd = file.read(_WORDS[1])

    def read(name: str) -> Floats:
        return file.read(theirs[name])

    return {**_tree(config, lambda ids: words_vd[list(ids)], read, read), "stack": None}


def _parameters(config: EncoderConfig, file: GgufFile) -> Parameters:
    for name, _, shape in _names(config):
        tensor = file.tensors.get(name)
        if tensor is None or tensor.shape != shape:
            raise ModelFileError(file.path, f"tensor {name!r} is missing or not {shape}")
        if len(shape) == 2 and tensor.format is not _Q8_0:
            raise ModelFileError(file.path, f"tensor {name!r} is {tensor.format.name}, not Q8_0")
    blocks_vb = file.packed(_WORDS[0]).reshape(config.vocabulary, -1)

    def words(ids: Sequence[int]) -> Floats:
        return dequantise(_Q8_0, blocks_vb[list(ids)]).reshape(len(ids), config.width)

    def floats(name: str) -> Floats:
        return dequantise(_Q8_0, file.read_blocks(name)).reshape(file.tensors[name].shape)

    parameters = _tree(config, words, floats, file.read)
    native = stacked(config, parameters["layers"])
    return {**parameters, "stack": native, "layers": parameters["layers"] if native is None else []}


def _tree(config: EncoderConfig, words: Words, matrix: Read, read: Read) -> Parameters:
    def linear(name: str) -> Parameters:
        return {"weight": matrix(f"{name}.weight"), "bias": read(f"{name}.bias")}

    def norm(name: str) -> Parameters:
        return {"scale": read(f"{name}.weight"), "bias": read(f"{name}.bias")}

    layers = [
        {
            **{our: linear(f"blk.{at}.{name}") for our, (name, _) in _MATRICES.items()},
            **{our: norm(f"blk.{at}.{name}") for our, (name, _) in _NORMS.items()},
        }
        for at in range(config.layers)
    ]
    tables = {our: read(name) for our, (name, _) in _TABLES.items()}
    return {"words": words, **tables, "norm": norm(_NORM[0]), "layers": layers}


def _names(config: EncoderConfig) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return each tensor's name in our file, in the published one, and its shape in both."""
    width = (config.width,)
    tables = (_WORDS, *_TABLES.values())
    rows = (config.vocabulary, config.places, 2)
    names: list[tuple[str, str, tuple[int, ...]]] = [
        (*pair, (count, *width)) for pair, count in zip(tables, rows, strict=True)
    ]
    places: list[tuple[str, str, tuple[int, ...], tuple[int, ...]]] = [(*_NORM, width, width)]
    for at in range(config.layers):
        for our, (name, theirs) in _MATRICES.items():
            take, give = config.shape(our)
            places.append(
                (f"blk.{at}.{name}", f"encoder.layer.{at}.{theirs}", (give, take), (give,))
            )
        for name, theirs in _NORMS.values():
            places.append((f"blk.{at}.{name}", f"encoder.layer.{at}.{theirs}", width, width))
    for name, theirs, weight, bias in places:
        names.append((f"{name}.weight", f"{theirs}.weight", weight))
        names.append((f"{name}.bias", f"{theirs}.bias", bias))
    return names


def _tensor(file: Safetensors, theirs: str, ours: str, shape: tuple[int, ...]) -> NewTensor:
    found = file.tensors.get(theirs)
    if found is None or found.shape != shape:
        raise ModelFileError(file.path, f"tensor {theirs!r} is missing or not {shape}")
    packing = _Q8_0 if len(shape) == 2 else _F32
    return NewTensor(ours, shape, packing, lambda: quantise(packing, file.read(theirs)))
