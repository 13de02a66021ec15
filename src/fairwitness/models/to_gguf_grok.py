"""Grok-1's checkpoint as the contents of a GGUF file: transposed, and one expert wide at a time.

Facts: names and order of axes as `families` and `grok1_checkpoint` have them; GGUF's from
conversion/grok.py and src/models/grok.cpp of github.com/ggml-org/llama.cpp, which turns the two
halves of a head, as we do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from fairwitness.models.config import DecoderConfig
from fairwitness.models.dequantise import FORMATS, BlockFormat
from fairwitness.models.families import named
from fairwitness.models.gguf import Value
from fairwitness.models.grok1_checkpoint import Grok1Checkpoint
from fairwitness.models.to_gguf import Floats, metadata_of, packed
from fairwitness.models.writing import NewTensor

_FAMILY = named("grok-1")


def gguf_of_grok_1(
    file: Grok1Checkpoint,
    config: DecoderConfig,
    choose: Callable[[str, tuple[int, ...], BlockFormat], BlockFormat],
) -> tuple[dict[str, Value], list[NewTensor]]:
    """As `to_gguf.gguf_of_folder`, from an open checkpoint of this config.

    What is stored as bytes with a scale of each column has no format in GGUF: it counts as float32.

    Raises:
        ModelFileError: a shape that GGUF's keys do not tell.
    """
    tensors = []
    for part, spelled in _FAMILY.tensors.items():
        gguf_name = _FAMILY.gguf_tensors[part]
        for layer in range(config.layers if "{}" in spelled else 1):
            name = spelled.format(layer)
            shape = file.tensors[name].shape
            if _is_turned(part, shape):
                shape = (*shape[:-2], shape[-1], shape[-2])
            block_format = choose(gguf_name.format(layer), shape, FORMATS[0])
            pack = partial(packed, file.path, _parts(file, part, name), block_format)
            tensors.append(NewTensor(gguf_name.format(layer), shape, block_format, pack))
    return metadata_of(file.path, _FAMILY, config, {tensor.name for tensor in tensors}), tensors


def _parts(file: Grok1Checkpoint, part: str, name: str) -> dict[str, Callable[[], Floats]]:
    """What a tensor is made of, each under a name for errors: itself, or its experts."""
    shape = file.tensors[name].shape
    experts: list[int | None] = list(range(shape[0])) if len(shape) == 3 else [None]

    def read_turned(expert: int | None) -> Floats:
        weights = file.read(name, expert)
        return np.ascontiguousarray(weights.T) if _is_turned(part, shape) else weights

    return {
        name if expert is None else f"{name}, expert {expert}": partial(read_turned, expert)
        for expert in experts
    }


def _is_turned(part: str, shape: tuple[int, ...]) -> bool:
    """Whether it is a matrix that stands [in, out], where GGUF has [out, in]."""
    return len(shape) > 1 and part != "embedding"
