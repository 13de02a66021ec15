"""Reading safetensors files: named arrays, memory-mapped and bounds-checked, in one file or many.

An eight-byte length, a JSON table of names, then the bytes. Every offset is held against the file
before it is used, and tensors may neither overlap nor leave the file.

Format: the README of github.com/huggingface/safetensors; the shard table is
`model.safetensors.index.json` as huggingface_hub writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, BlockFormat, dequantise
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import check_disjoint, check_finite, map_file

MAX_HEADER_BYTES = 100_000_000  # the limit of the reference implementation
MAX_DIMENSIONS = (
    8  # weights have four at most; without a bound a shape could cost hours to multiply
)
STORABLE = {"F32": FORMATS[0], "F16": FORMATS[1], "BF16": FORMATS[30]}
INDEX_NAME = "model.safetensors.index.json"


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


@dataclass(frozen=True)
class StoredTensor:
    """One tensor: its row-major shape, its number format, and its bytes in the mapped file."""

    shape: tuple[int, ...]
    format: BlockFormat
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class Safetensors:
    """The tensors of one file, or of all shards of a model."""

    path: Path
    tensors: dict[str, StoredTensor]

    def read(self, name: str) -> NDArray[np.float32]:
        """One tensor as float32.

        Raises:
            ModelFileError: there is no such tensor, or one with infinity or NaN in it.
        """
        packed = self.packed(name)
        tensor = self.tensors[name]
        return dequantise(tensor.format, packed).reshape(tensor.shape)

    def packed(self, name: str) -> NDArray[np.uint8]:
        """One tensor's bytes in the mapped file; errors as in `read`."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ModelFileError(self.path, f"no tensor {name!r}")
        check_finite(self.path, name, tensor.format, tensor.data)
        return tensor.data


def open_safetensors(path: Path, *, aside: frozenset[str] = frozenset()) -> Safetensors:
    """Map one `.safetensors` file; tensors named in `aside` are no weights and are not read.

    Raises:
        ModelFileError: cut short, damaged, or with a number format other than F32, F16, BF16.
    """
    data = map_file(path)
    entries, body = _header(path, data)
    weights = {name: entry for name, entry in entries.items() if name not in aside}
    tensors = {name: _place(path, name, entry, body) for name, entry in weights.items()}
    spans = ((name, *entry.data_offsets) for name, entry in entries.items())
    check_disjoint(path, ((begin, end - begin, name) for name, begin, end in spans))
    return Safetensors(path, tensors)


def open_folder(folder: Path) -> Safetensors:
    """Map the safetensors of a model folder: the shards of its index, or the single file.

    Raises:
        ModelFileError: a shard is missing, outside the folder, damaged, or lacks its tensors.
    """
    index_path = folder / INDEX_NAME
    if not index_path.exists():
        return open_safetensors(folder / "model.safetensors")
    index = _index(index_path)
    shards: dict[str, Safetensors] = {}
    for shard in sorted(set(index.weight_map.values())):
        if Path(shard).name != shard or "\0" in shard:
            raise ModelFileError(index_path, f"shard {shard!r} is not a plain file name")
        shards[shard] = open_safetensors(folder / shard)
    tensors: dict[str, StoredTensor] = {}
    for name, shard in index.weight_map.items():
        if name not in shards[shard].tensors:
            raise ModelFileError(folder / shard, f"no tensor {name!r}, which the index puts here")
        tensors[name] = shards[shard].tensors[name]
    return Safetensors(folder, tensors)


def _index(path: Path) -> _Index:
    raw = map_file(path)
    if len(raw) > MAX_HEADER_BYTES:
        raise ModelFileError(path, f"has {len(raw)} bytes, at most {MAX_HEADER_BYTES}")
    try:
        return msgspec.json.decode(raw.tobytes(), type=_Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(path, f"is not a shard table: {error}") from error


def _header(path: Path, data: NDArray[np.uint8]) -> tuple[dict[str, _Entry], NDArray[np.uint8]]:
    if len(data) < 8:
        raise ModelFileError(path, f"not a safetensors file: {len(data)} bytes")
    header_bytes = int.from_bytes(data[:8].tobytes(), "little")
    if header_bytes > min(len(data) - 8, MAX_HEADER_BYTES):
        raise ModelFileError(
            path, f"a header of {header_bytes} bytes, the file has {len(data)} bytes"
        )
    body_start = 8 + header_bytes
    try:
        raw = msgspec.json.decode(data[8:body_start].tobytes(), type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        entries = {name: msgspec.json.decode(text, type=_Entry) for name, text in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(path, f"the header does not parse: {error}") from error
    return entries, data[body_start:]


def _place(path: Path, name: str, entry: _Entry, body: NDArray[np.uint8]) -> StoredTensor:
    number_format = STORABLE.get(entry.dtype)
    if number_format is None:
        raise ModelFileError(path, f"tensor {name!r} has unsupported dtype {entry.dtype!r}")
    begin, end = entry.data_offsets
    if not 0 <= begin <= end <= len(body):
        raise ModelFileError(
            path, f"tensor {name!r} lies at {begin}..{end}, the data has {len(body)} bytes"
        )
    if len(entry.shape) > MAX_DIMENSIONS:
        raise ModelFileError(
            path, f"tensor {name!r} has {len(entry.shape)} dimensions, at most {MAX_DIMENSIONS}"
        )
    if not all(0 <= size < 2**63 for size in entry.shape):
        raise ModelFileError(path, f"tensor {name!r} has shape {str(entry.shape)[:80]}")
    expected_bytes = prod(entry.shape) * number_format.size_bytes
    if end - begin != expected_bytes:
        raise ModelFileError(
            path, f"tensor {name!r} has {end - begin} bytes, its shape needs {expected_bytes}"
        )
    return StoredTensor(entry.shape, number_format, body[begin:end])
