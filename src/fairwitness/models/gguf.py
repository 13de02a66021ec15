"""Reading GGUF files, version 2 and 3: metadata and tensors, memory-mapped and bounds-checked.

The file is foreign input. Every count and length is held against the bytes that are left before
anything of that size is made, so a hostile header costs an error and not the machine's memory.

Format: github.com/ggml-org/ggml docs/gguf.md; limits as in ggml/src/gguf.cpp of
github.com/ggml-org/llama.cpp (no nested arrays, at most four dimensions).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.models.dequantise import FORMATS, UNREAD, BlockFormat, dequantise, is_finite
from fairwitness.models.errors import ModelFileError

Value = int | float | bool | str | list[str] | NDArray[np.generic]

MAX_DIMENSIONS = 4
DEFAULT_ALIGNMENT = 32
STRING, ARRAY = 8, 9
SCALARS: dict[int, np.dtype[np.generic]] = {
    0: np.dtype("u1"),
    1: np.dtype("i1"),
    2: np.dtype("<u2"),
    3: np.dtype("<i2"),
    4: np.dtype("<u4"),
    5: np.dtype("<i4"),
    6: np.dtype("<f4"),
    7: np.dtype("?"),
    10: np.dtype("<u8"),
    11: np.dtype("<i8"),
    12: np.dtype("<f8"),
}
# The least that one string, one metadata entry and one tensor entry can take.
_STRING_MIN_BYTES, _ENTRY_MIN_BYTES, _TENSOR_MIN_BYTES = 8, 13, 24


@dataclass(frozen=True)
class GgufTensor:
    """Where one tensor lies. `shape` is row-major: the file's dimensions in reverse."""

    name: str
    shape: tuple[int, ...]
    format: BlockFormat
    start: int
    size_bytes: int


@dataclass(frozen=True)
class GgufFile:
    """An open file: its metadata, and its tensors by name.

    `kinds` are the file's own numbers for the types of single values, so that a copy can keep them.
    """

    path: Path
    version: int
    metadata: dict[str, Value]
    kinds: dict[str, int]
    tensors: dict[str, GgufTensor]
    data: NDArray[np.uint8]

    def read(self, name: str) -> NDArray[np.float32]:
        """One tensor as float32 in row-major `shape`.

        Raises:
            ModelFileError: the file has no such tensor, or one with infinity or NaN in it.
        """
        packed = self.packed(name)
        tensor = self.tensors[name]
        return dequantise(tensor.format, packed).reshape(tensor.shape)

    def packed(self, name: str) -> NDArray[np.uint8]:
        """One tensor's bytes in the mapped file; errors as in `read`."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise ModelFileError(self.path, f"no tensor {name!r}")
        packed = self.data[tensor.start : tensor.start + tensor.size_bytes]
        check_finite(self.path, name, tensor.format, packed)
        return packed

    def read_blocks(self, name: str) -> NDArray[np.uint8]:
        """One matrix as the file packs it, a row of bytes for each of its rows; of several matrices
        in one tensor all rows below each other.

        It is read and not mapped, so that no second copy of the weights stays in memory.

        Raises:
            ModelFileError: the file cannot be read any more, or has infinity or NaN there.
        """
        tensor = self.tensors[name]
        try:
            packed = np.fromfile(self.path, np.uint8, tensor.size_bytes, offset=tensor.start)
        except OSError as error:
            raise ModelFileError(self.path, f"cannot be read: {error.strerror}") from error
        if packed.size != tensor.size_bytes:
            raise ModelFileError(self.path, f"tensor {name!r} is cut short")
        check_finite(self.path, name, tensor.format, packed)
        return packed.reshape(prod(tensor.shape[:-1]), -1)


def open_gguf(path: Path) -> GgufFile:
    """Map the file and read its header.

    Raises:
        ModelFileError: not a GGUF file, cut short, inconsistent, or of an unsupported kind.
    """
    data = map_file(path)
    reader = _Reader(path, data)
    version, tensor_count, entry_count = _preamble(reader)
    metadata, kinds = _metadata(reader, entry_count)
    alignment = _alignment(reader, metadata)
    entries = _tensor_entries(reader, tensor_count)
    data_start = -(-reader.position // alignment) * alignment
    tensors = {
        name: _place(reader, name, shape, kind, offset, alignment, data_start)
        for name, (shape, kind, offset) in entries.items()
    }
    places = ((each.start, each.size_bytes, name) for name, each in tensors.items())
    check_disjoint(path, places)
    return GgufFile(path, version, metadata, kinds, tensors, data)


def check_disjoint(path: Path, places: Iterable[tuple[int, int, str]]) -> None:
    """Refuse tensors, given as (start, size in bytes, name), that share bytes of the file."""
    end_before = 0
    for start, size_bytes, name in sorted(places):
        if size_bytes and start < end_before:
            raise ModelFileError(path, f"tensor {name!r} overlaps the one before it")
        end_before = max(end_before, start + size_bytes)


def check_finite(
    path: Path, name: str, block_format: BlockFormat, packed: NDArray[np.uint8]
) -> None:
    """Refuse a tensor with a weight that is no number: it would spoil every answer."""
    if not is_finite(block_format, packed):
        raise ModelFileError(path, f"tensor {name!r} holds infinity or NaN")


def map_file(path: Path) -> NDArray[np.uint8]:
    """The file's bytes, mapped read-only.

    Raises:
        ModelFileError: the file is missing, unreadable, or empty.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ModelFileError(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelFileError(path, "is empty") from error
    return np.frombuffer(mapped, np.uint8)


class _Reader:
    """A position in the header that never passes the end of the file."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self.path = path
        self.data = data
        self.position = 0

    def fail(self, problem: str) -> ModelFileError:
        return ModelFileError(self.path, problem)

    def expect(self, count: int, unit_bytes: int, what: str) -> None:
        """Refuse `count` items of at least `unit_bytes` each if the file cannot hold them."""
        left_bytes = len(self.data) - self.position
        if count * unit_bytes > left_bytes:
            raise self.fail(f"{what} needs {count * unit_bytes} bytes, {left_bytes} are left")

    def take(self, size_bytes: int, what: str) -> bytes:
        self.expect(size_bytes, 1, what)
        start, self.position = self.position, self.position + size_bytes
        return self.data[start : self.position].tobytes()

    def u32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def u64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def string(self, what: str) -> str:
        raw = self.take(self.u64(what), what)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not valid UTF-8") from error


def _preamble(reader: _Reader) -> tuple[int, int, int]:
    magic = reader.take(4, "magic")
    if magic != b"GGUF":
        raise reader.fail(f"not a GGUF file: it starts with {magic!r}")
    version = reader.u32("version")
    if version not in (2, 3):
        raise reader.fail(f"GGUF version {version} is not supported, only 2 and 3")
    tensor_count = reader.u64("tensor count")
    entry_count = reader.u64("metadata count")
    reader.expect(tensor_count, _TENSOR_MIN_BYTES, f"a table of {tensor_count} tensors")
    reader.expect(entry_count, _ENTRY_MIN_BYTES, f"metadata of {entry_count} entries")
    return version, tensor_count, entry_count


def _metadata(reader: _Reader, count: int) -> tuple[dict[str, Value], dict[str, int]]:
    metadata: dict[str, Value] = {}
    kinds: dict[str, int] = {}
    for _ in range(count):
        key = reader.string("a metadata key")
        if key in metadata:
            raise reader.fail(f"metadata key {key!r} appears twice")
        what = f"metadata {key!r}"
        kind = reader.u32(what)
        if kind == ARRAY:
            metadata[key] = _array(reader, what)
        else:
            metadata[key], kinds[key] = _scalar(reader, kind, what), kind
    return metadata, kinds


def _scalar(reader: _Reader, kind: int, what: str) -> Value:
    if kind == STRING:
        return reader.string(what)
    dtype = _scalar_type(reader, kind, what)
    value: Value = np.frombuffer(reader.take(dtype.itemsize, what), dtype)[0].item()
    return value


def _array(reader: _Reader, what: str) -> Value:
    kind, count = reader.u32(what), reader.u64(what)
    if kind == ARRAY:
        raise reader.fail(f"{what} is an array of arrays")
    if kind == STRING:
        reader.expect(count, _STRING_MIN_BYTES, what)
        return [reader.string(what) for _ in range(count)]
    dtype = _scalar_type(reader, kind, what)
    reader.expect(count, dtype.itemsize, what)
    return np.frombuffer(reader.take(count * dtype.itemsize, what), dtype)


def _scalar_type(reader: _Reader, kind: int, what: str) -> np.dtype[np.generic]:
    dtype = SCALARS.get(kind)
    if dtype is None:
        raise reader.fail(f"{what} has unknown type {kind}")
    return dtype


def _alignment(reader: _Reader, metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise reader.fail(f"general.alignment is {alignment!r}, not a power of two")
    return alignment


def _tensor_entries(reader: _Reader, count: int) -> dict[str, tuple[tuple[int, ...], int, int]]:
    entries: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(count):
        name = reader.string("a tensor name")
        if name in entries:
            raise reader.fail(f"tensor {name!r} appears twice")
        what = f"tensor {name!r}"
        dimensions = reader.u32(what)
        if dimensions > MAX_DIMENSIONS:
            raise reader.fail(f"{what} has {dimensions} dimensions, at most {MAX_DIMENSIONS}")
        sizes = struct.unpack(f"<{dimensions}Q", reader.take(8 * dimensions, what))
        entries[name] = (tuple(reversed(sizes)), reader.u32(what), reader.u64(what))
    return entries


def _place(
    reader: _Reader,
    name: str,
    shape: tuple[int, ...],
    kind: int,
    offset: int,
    alignment: int,
    data_start: int,
) -> GgufTensor:
    """Check one tensor's place against the file (Python integers cannot overflow)."""
    block_format = FORMATS.get(kind)
    if block_format is None:
        known = f" ({UNREAD[kind]})" if kind in UNREAD else ""
        raise reader.fail(f"tensor {name!r} has unsupported type {kind}{known}")
    row_weights = shape[-1] if shape else 1
    if row_weights % block_format.weights:
        raise reader.fail(
            f"tensor {name!r} has rows of {row_weights}, "
            f"not a multiple of {block_format.weights} ({block_format.name})"
        )
    if offset % alignment:
        raise reader.fail(f"tensor {name!r} starts at {offset}, not a multiple of {alignment}")
    size_bytes = prod(shape) // block_format.weights * block_format.size_bytes
    start, end = data_start + offset, data_start + offset + size_bytes
    if end > len(reader.data):
        raise reader.fail(
            f"tensor {name!r} ends at byte {end}, the file has {len(reader.data)} bytes"
        )
    return GgufTensor(name, shape, block_format, start, size_bytes)
