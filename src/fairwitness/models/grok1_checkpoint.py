"""The published checkpoint of Grok-1: one pickle a tensor, matrices in int8 with scales.

A folder `ckpt-0` holds `tensor00000_000`, `tensor00001_000`, ... in the order in which JAX flattens
the parameters: by module name, compared as text, so layer 10 comes before layer 2. Tensors are
given here by those names. Matrices are [in, out], experts stand before.

Facts: checkpoint.py, model.py and run.py of github.com/xai-org/grok-1. A matrix that was split by
its inputs over eight devices has eight rows of scales, each for an eighth of the inputs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, dequantise
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import check_finite
from fairwitness.models.pickled import PickledArray, read_pickled

_FLOAT_FORMATS = {"f4": FORMATS[0], "f2": FORMATS[1], "bfloat16": FORMATS[30]}
_FILE = re.compile(r"tensor(\d{5})_(\d{3})")
_TOP = ("language_model/in_out_embed/embeddings", "language_model/rms_norm/scale")
_LAYER = (
    "moe/linear/w",
    "moe/linear_1/w",
    "moe/linear_v/w",
    "multi_head_attention/key/w",
    "multi_head_attention/linear/w",
    "multi_head_attention/query/w",
    "multi_head_attention/value/w",
    "rms_norm/scale",
    "rms_norm_1/scale",
    "rms_norm_2/scale",
    "rms_norm_3/scale",
    "router/w",
)
MAX_LAYERS = 1_000
FOLDER_NAME = "ckpt-0"


@dataclass(frozen=True)
class Grok1Tensor:
    """One tensor: int8 `weight` [..., in, out] with float32 `scales` [..., groups, out], or, with
    `scales` None, a float32 weight of any shape. Weights stay in the mapped file where they can."""

    weight: NDArray[np.int8] | NDArray[np.float32]
    scales: NDArray[np.float32] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight."""
        return self.weight.shape

    @property
    def number_format(self) -> str:
        """How the weight is stored."""
        return "F32" if self.scales is None else "I8"


@dataclass(frozen=True)
class Grok1Checkpoint:
    """An open checkpoint: its tensors by their published names."""

    path: Path
    layers: int
    tensors: dict[str, Grok1Tensor]

    def read(self, name: str, expert: int | None = None) -> NDArray[np.float32]:
        """One tensor as float32, or what one expert has of it, in the published order of axes.

        Raises:
            ModelFileError: there is no such tensor, or one with infinity or NaN in it.
        """
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ModelFileError(self.path, f"no tensor {name!r}")
        stored, scales = tensor.weight, tensor.scales
        if expert is not None:
            stored, scales = stored[expert], None if scales is None else scales[expert]
        weight = stored.astype(np.float32)
        if scales is not None:
            *experts, inputs, outputs = weight.shape
            groups = scales.shape[-2]
            grouped = weight.reshape(*experts, groups, inputs // groups, outputs)
            with np.errstate(over="ignore"):
                grouped *= scales[..., None, :]
        if not np.isfinite(weight).all():
            raise ModelFileError(self.path, f"tensor {name!r} holds infinity or NaN")
        return weight


def names_of(layers: int) -> list[str]:
    """The published names of all tensors, in the order of their files."""
    prefixes = sorted(f"transformer/decoder_layer_{layer}/" for layer in range(layers))
    return [*_TOP, *(prefix + name for prefix in prefixes for name in _LAYER)]


def open_grok1(folder: Path) -> Grok1Checkpoint:
    """Open a checkpoint: the folder `ckpt-0`, or the one that holds it.

    No code of the files is run; see `pickled`. Weights are mapped, not read.

    Raises:
        ModelFileError: files are missing or damaged, or hold anything but arrays.
    """
    inner = folder / FOLDER_NAME
    folder = inner if inner.is_dir() else folder
    layers = _layers(folder)
    names = enumerate(names_of(layers))
    tensors = {name: _tensor(folder / f"tensor{index:05}_000") for index, name in names}
    return Grok1Checkpoint(folder, layers, tensors)


def _layers(folder: Path) -> int:
    try:
        found = [match for each in folder.iterdir() if (match := _FILE.fullmatch(each.name))]
    except OSError as error:
        raise ModelFileError(folder, f"cannot be read: {error.strerror}") from error
    if any(match[2] != "000" for match in found):
        raise ModelFileError(folder, "a checkpoint of several hosts is not supported")
    layers, rest = divmod(len(found) - len(_TOP), len(_LAYER))
    if rest or not 0 < layers <= MAX_LAYERS:
        raise ModelFileError(folder, f"{len(found)} tensors, not two and twelve for each layer")
    return layers


def _tensor(path: Path) -> Grok1Tensor:
    told = read_pickled(path)
    if isinstance(told, PickledArray):
        return Grok1Tensor(_floats(path, told), None)
    if told.of != "__main__.QuantizedWeight8bit" or set(told.fields) != {"weight", "scales"}:
        raise ModelFileError(path, f"holds a {told.of[:80]}, not a QuantizedWeight8bit")
    weight, scales = told.fields["weight"], told.fields["scales"]
    if weight.kind != "i1":
        raise ModelFileError(path, f"quantised weights are {weight.kind}, not i1")
    floats = _floats(path, scales)
    _check_scales(path, weight.shape, floats.shape)
    return Grok1Tensor(weight.data.view(np.int8).reshape(weight.shape), floats)


def _floats(path: Path, array: PickledArray) -> NDArray[np.float32]:
    number_format = _FLOAT_FORMATS.get(array.kind)
    if number_format is None:
        raise ModelFileError(path, f"holds an array of {array.kind}, not of floats")
    if array.kind == "f4":  # stays in the file; checked when it is read
        return np.frombuffer(array.data, np.float32).reshape(array.shape)
    check_finite(path, path.name, number_format, array.data)
    return dequantise(number_format, array.data).reshape(array.shape)


def _check_scales(path: Path, weight: tuple[int, ...], scales: tuple[int, ...]) -> None:
    fits = (
        len(weight) == len(scales) >= 2
        and weight[:-2] == scales[:-2]
        and weight[-1] == scales[-1]
        and scales[-2] > 0
        and weight[-2] % scales[-2] == 0
    )
    if not fits:
        raise ModelFileError(path, f"scales of shape {scales} do not fit weights of {weight}")
