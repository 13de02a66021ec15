"""Adapters: low-rank changes of a model's matrices (LoRA), read from PEFT's files.

A matrix W becomes W + scale * B A, where A leads into `r` numbers and B out of them; nobody ever
makes that matrix, so one model serves many adapters at once. `scale` is alpha / r, or alpha /
sqrt(r) where it is stabilised by rank (arXiv 2312.03732).

Facts: docs/source/developer_guides/checkpoint.md and src/peft/tuners/lora/config.py of
github.com/huggingface/peft. Matrices are named as the model's own in Hugging Face's files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import adapters as kernels
from fairwitness.kernels.stack import interleaved
from fairwitness.models.config import DecoderConfig
from fairwitness.models.errors import ModelFileError
from fairwitness.models.families import named
from fairwitness.models.model import json_table
from fairwitness.models.safetensors import Safetensors, open_safetensors

Floats = NDArray[np.float32]

CONFIG_NAME, WEIGHTS_NAME = "adapter_config.json", "adapter_model.safetensors"
MOST_RANK = 1024
PRODUCTS = {
    "qkv": ("query", "key", "value"),
    "out": ("out",),
    "gate_up": ("gate", "up"),
    "down": ("down",),
}
"""The decoder's products, and the matrices that each is of."""

_PREFIX = "base_model.model."
# What says where an adapter comes from, how it was trained, or which matrices it has: its tensors
# tell that themselves.
_SILENT = {
    "auto_mapping",
    "base_model_name_or_path",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
}
_READ = {"peft_type", "r", "lora_alpha", "use_rslora", "init_lora_weights"}
_NOTHING: tuple[object, ...] = (None, False, "none", [], {})
_INITS = (
    True,
    False,
    None,
    "gaussian",
    "eva",
    "orthogonal",
)  # the others change the base's weights


class _Config(msgspec.Struct, frozen=True):
    """The keys of adapter_config.json that change what is computed, with PEFT's defaults."""

    peft_type: str
    r: int = 8
    lora_alpha: float = 8.0
    use_rslora: bool = False
    init_lora_weights: bool | str | None = True

    @property
    def scale(self) -> float:
        return self.lora_alpha / (math.sqrt(self.r) if self.use_rslora else self.r)


@dataclass(frozen=True)
class Low:
    """What is added to one matrix: up_or @ down_ri, scaled already."""

    down_ri: Floats
    up_or: Floats


@dataclass(frozen=True)
class Adapter:
    """For each layer the matrices that it changes, by our names (query, key, value, out, gate, up,
    down)."""

    layers: tuple[dict[str, Low], ...]

    @property
    def rank(self) -> int:
        """The highest of all matrices."""
        return max(len(low.down_ri) for layer in self.layers for low in layer.values())


def open_adapter(folder: Path, family: str, config: DecoderConfig) -> Adapter:
    """Read an adapter that PEFT saved for a model of this family and shape.

    Raises:
        ModelFileError: missing, damaged, of other sizes than the model has, or with something that
            we do not compute (DoRA, biases, whole modules), which is named.
    """
    settings = _settings(folder / CONFIG_NAME)
    file = open_safetensors(folder / WEIGHTS_NAME)
    spelled = named(family).tensors
    left = set(file.tensors)
    layers: list[dict[str, Low]] = []
    for index in range(config.layers):
        lows: dict[str, Low] = {}
        for part, (rows, columns) in matrix_shapes(config).items():
            module = _PREFIX + spelled[part].format(index).removesuffix(".weight")
            names = [f"{module}.lora_{side}.weight" for side in "AB"]
            if not left.intersection(names):
                continue
            rank = settings.r
            down_ri = _read(file, names[0], (rank, columns))
            up_or = _read(file, names[1], (rows, rank))
            lows[part] = Low(down_ri, up_or * np.float32(settings.scale))
            left.difference_update(names)
        layers.append(lows)
    if left:
        message = f"{len(left)} tensors have no place in this model: {', '.join(sorted(left)[:3])}"
        raise ModelFileError(file.path, message)
    if not any(layers):
        raise ModelFileError(file.path, "changes no matrix")
    return Adapter(tuple(layers))


def matrix_shapes(config: DecoderConfig) -> dict[str, tuple[int, int]]:
    """Rows and columns of the matrices that an adapter may change."""
    width, hidden = config.width, config.hidden
    query_rows, kv_rows = config.query_heads * config.head_size, config.kv_heads * config.head_size
    shapes = {
        "query": (query_rows, width),
        "key": (kv_rows, width),
        "value": (kv_rows, width),
        "out": (width, query_rows),
    }
    if config.has_mlp:
        shapes |= {"gate": (hidden, width), "up": (hidden, width), "down": (width, hidden)}
    return shapes


def joined(config: DecoderConfig, layer: dict[str, Low], product: str) -> Low | None:
    """What is added to a product of several matrices, whose rows stand below each other: what each
    takes of the numbers between is its own, so `up` has zeros elsewhere."""
    shapes = matrix_shapes(config)
    parts = [part for part in PRODUCTS[product] if part in layer]
    if not parts:
        return None
    up_or = np.zeros((sum(shapes[part][0] for part in PRODUCTS[product]), 0), np.float32)
    first = 0
    for part in PRODUCTS[product]:
        rows = shapes[part][0]
        if part in layer:
            own_or = np.zeros((len(up_or), len(layer[part].down_ri)), np.float32)
            own_or[first : first + rows] = layer[part].up_or
            up_or = np.concatenate([up_or, own_or], axis=1)
        first += rows
    return Low(np.concatenate([layer[part].down_ri for part in parts]), up_or)


def packed_adapter(adapter: Adapter, config: DecoderConfig) -> kernels.Adapter:
    """An adapter as the native step takes it."""

    def pair(layer: dict[str, Low], product: str) -> kernels.Low | None:
        low = joined(config, layer, product)
        if low is None:
            return None
        up_or = interleaved(*np.split(low.up_or, 2)) if product == "gate_up" else low.up_or
        return kernels.Low(low.down_ri, up_or)

    return kernels.Adapter([[pair(layer, each) for each in PRODUCTS] for layer in adapter.layers])


def _settings(path: Path) -> _Config:
    table = json_table(path)
    try:
        settings = msgspec.convert(table, _Config)
    except msgspec.ValidationError as error:
        raise ModelFileError(path, str(error)) from error
    if settings.peft_type != "LORA":
        raise ModelFileError(path, f"peft_type is {settings.peft_type[:40]!r}, only LORA is known")
    for name in sorted(table.keys() - _SILENT - _READ):
        if table[name] not in _NOTHING:
            raise ModelFileError(path, f"{name[:40]} is {str(table[name])[:40]!r}, unknown to us")
    if settings.init_lora_weights not in _INITS:
        message = f"init_lora_weights is {settings.init_lora_weights!r}, which changes the base"
        raise ModelFileError(path, message)
    if not 1 <= settings.r <= MOST_RANK:
        raise ModelFileError(path, f"r is {settings.r}, not from 1 to {MOST_RANK}")
    if not math.isfinite(settings.lora_alpha):
        raise ModelFileError(path, f"lora_alpha is {settings.lora_alpha}")
    return settings


def _read(file: Safetensors, name: str, shape: tuple[int, int]) -> Floats:
    found = file.tensors.get(name)
    if found is not None and found.shape != shape:
        message = f"tensor {name!r} has shape {found.shape}, {shape} is wanted"
        raise ModelFileError(file.path, message)
    return file.read(name)
