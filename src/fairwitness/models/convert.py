"""From one model file to another: other number formats, and shards.

A `.gguf` file becomes a `.gguf` file; a folder of safetensors becomes a folder of safetensors, or a
`.gguf` file with its tokenizer in it; Grok-1's checkpoint becomes the latter. What already has the
format that is asked for keeps its bits.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, BlockFormat
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import GgufFile, Value, check_finite, open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.grok import END_ID
from fairwitness.models.grok1_checkpoint import FOLDER_NAME as CHECKPOINT_NAME
from fairwitness.models.grok1_checkpoint import open_grok1
from fairwitness.models.model import json_table, named_end_ids, open_model
from fairwitness.models.quantise import WRITABLE, quantise
from fairwitness.models.safetensors import INDEX_NAME, STORABLE, Safetensors, open_folder
from fairwitness.models.safetensors_writer import write_shards
from fairwitness.models.to_gguf import gguf_of_folder
from fairwitness.models.to_gguf_grok import gguf_of_grok_1
from fairwitness.models.to_gguf_tokenizer import tokenizer_metadata
from fairwitness.models.writing import NewTensor, Progress, whole_file, whole_folder

# `general.file_type`: what most of a file is in (`enum llama_ftype` in llama.h of llama.cpp).
_FILE_TYPES = {
    "F32": 0,
    "F16": 1,
    "Q4_0": 2,
    "Q4_1": 3,
    "Q8_0": 7,
    "Q5_0": 8,
    "Q5_1": 9,
    "BF16": 32,
}
_QUANTISATION_VERSION = 2  # GGML_QNT_VERSION: the layouts that `dequantise` describes
_ROUTER = "ffn_gate_inp"  # few weights that decide much; llama.cpp leaves them wide as well
_BESIDE = (".json", ".jinja", ".model", ".txt", ".md")  # what a folder holds beside its weights


class Converted(msgspec.Struct, frozen=True):
    """What was written: the bytes of its tensors, and how many tensors have which format."""

    path: str
    size_bytes: int
    tensors: dict[str, int]


def convert(
    source: Path,
    target: Path,
    quantisation: str | None = None,
    progress: Progress = lambda done_bytes, total_bytes: None,
) -> Converted:
    """Write `source` anew at `target`, its matrices in the format `quantisation` if one is named.

    Vectors become float32 in GGUF; rows that no block fits stay half precision.

    Raises:
        ModelFileError: the source is damaged, the target is taken, the format is not writable
            there, or cannot hold a weight.
    """
    wanted = _wanted(target, quantisation)
    if source.is_dir() and target.suffix == ".gguf":
        return _folder_to_gguf(source, target, wanted, progress)
    if target.suffix == ".gguf" and source.suffix != ".gguf":
        raise ModelFileError(source, "is neither a .gguf file nor a folder")
    if not source.is_dir() and target.suffix != ".gguf":
        raise ModelFileError(target, "a .gguf file can become a .gguf file only")
    if source.is_dir():
        return _convert_folder(source, target, wanted, progress)
    return _convert_gguf(source, target, wanted, progress)


def _wanted(target: Path, quantisation: str | None) -> BlockFormat | None:
    if quantisation is None:
        return None
    writable = WRITABLE if target.suffix == ".gguf" else STORABLE
    wanted = writable.get(quantisation.upper())
    if wanted is None:
        raise ModelFileError(
            target, f"cannot be written as {quantisation}, only as {', '.join(writable)}"
        )
    return wanted


def _convert_gguf(
    source: Path, target: Path, wanted: BlockFormat | None, progress: Progress
) -> Converted:
    file = open_gguf(source)
    tensors = [_from_gguf(file, name, wanted) for name in file.tensors]
    metadata = file.metadata | _file_type(wanted)
    write_gguf(target, metadata, tensors, progress, kinds=file.kinds)
    return _converted(target, tensors)


def _file_type(wanted: BlockFormat | None) -> dict[str, Value]:
    if wanted is None:
        return {}
    return {
        "general.file_type": _FILE_TYPES[wanted.name],
        "general.quantization_version": _QUANTISATION_VERSION,
    }


def _folder_to_gguf(
    source: Path, target: Path, wanted: BlockFormat | None, progress: Progress
) -> Converted:
    choose, model = partial(_format_in_gguf, wanted), open_model(source)
    if (source / CHECKPOINT_NAME).is_dir():
        file = open_grok1(source)
        metadata, tensors = gguf_of_grok_1(file, model.config, choose)
        metadata |= tokenizer_metadata(source, model, None, END_ID)
    else:
        metadata, tensors = gguf_of_folder(source, choose)
        metadata |= tokenizer_metadata(source, model, *_named_ids(source))
    write_gguf(target, metadata | _file_type(wanted), tensors, progress)
    return _converted(target, tensors)


def _named_ids(source: Path) -> tuple[int | None, int | None]:
    """The ids with which a folder's config begins and ends a text."""
    values = json_table(source / "config.json")
    begin, ends = values.get("bos_token_id"), named_end_ids(source, values)
    return begin if isinstance(begin, int) else None, ends[0] if ends else None


def _format_in_gguf(
    wanted: BlockFormat | None, name: str, shape: tuple[int, ...], present: BlockFormat
) -> BlockFormat:
    """As `_format`; vectors are always float32 there."""
    return _format(name, shape, present, wanted if len(shape) > 1 else FORMATS[0])


def _from_gguf(file: GgufFile, name: str, wanted: BlockFormat | None) -> NewTensor:
    tensor = file.tensors[name]
    block_format = _format(name, tensor.shape, tensor.format, wanted)
    if block_format == tensor.format:
        return NewTensor(name, tensor.shape, block_format, partial(file.packed, name))
    read = partial(_packed, file.path, name, block_format, file.read)
    return NewTensor(name, tensor.shape, block_format, read)


def _format(
    name: str, shape: tuple[int, ...], present: BlockFormat, wanted: BlockFormat | None
) -> BlockFormat:
    """The format of a tensor in a GGUF file, as llama.cpp can use it."""
    if wanted is None:
        return present
    if len(shape) < 2 or _ROUTER in name:
        return FORMATS[0]
    return wanted if shape[-1] % wanted.weights == 0 else WRITABLE["F16"]


def _convert_folder(
    source: Path, target: Path, wanted: BlockFormat | None, progress: Progress
) -> Converted:
    file = open_folder(source)
    tensors = [_from_safetensors(file, name, wanted) for name in file.tensors]
    with whole_folder(target) as folder:
        for path in sorted(source.iterdir()):
            if path.suffix in _BESIDE and path.name not in ("config.json", INDEX_NAME):
                shutil.copyfile(path, folder / path.name)
        _copy_config(source / "config.json", folder / "config.json", wanted)
        write_shards(folder, tensors, progress)
    return _converted(target, tensors)


def _from_safetensors(file: Safetensors, name: str, wanted: BlockFormat | None) -> NewTensor:
    tensor = file.tensors[name]
    if wanted is None or wanted == tensor.format:
        return NewTensor(name, tensor.shape, tensor.format, partial(file.packed, name))
    read = partial(_packed, file.path, name, wanted, file.read)
    return NewTensor(name, tensor.shape, wanted, read)


def _copy_config(source: Path, target: Path, wanted: BlockFormat | None) -> None:
    """Copy a config.json, which also names the number format."""
    try:
        raw = source.read_bytes()
        values = msgspec.json.decode(raw, type=dict[str, object])
    except (OSError, msgspec.DecodeError) as error:
        raise ModelFileError(source, f"is not a config: {error}") from error
    if wanted is not None:
        names = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
        key = "dtype" if "dtype" in values else "torch_dtype"
        raw = msgspec.json.format(msgspec.json.encode(values | {key: names[wanted.name]}))
    with whole_file(target) as file:
        file.write(raw)


def _packed(
    path: Path,
    name: str,
    block_format: BlockFormat,
    read: Callable[[str], NDArray[np.float32]],
) -> NDArray[np.uint8]:
    packed = quantise(block_format, read(name))
    check_finite(path, f"{name} as {block_format.name}", block_format, packed)
    return packed


def _converted(target: Path, tensors: list[NewTensor]) -> Converted:
    counts: dict[str, int] = {}
    for tensor in tensors:
        counts[tensor.format.name] = counts.get(tensor.format.name, 0) + 1
    return Converted(str(target), sum(tensor.size_bytes for tensor in tensors), counts)
