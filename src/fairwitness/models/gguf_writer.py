"""Writing GGUF files, version 3: a header, then every tensor at a multiple of the alignment.

Format: github.com/ggml-org/ggml docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fairwitness.models.dequantise import FORMATS
from fairwitness.models.gguf import ARRAY, DEFAULT_ALIGNMENT, SCALARS, STRING, Value
from fairwitness.models.writing import NewTensor, Progress, whole_file

_KIND_OF = {dtype.str: kind for kind, dtype in SCALARS.items()}
_NUMBER_OF = {block_format.name: number for number, block_format in FORMATS.items()}
_BOOL, _U32, _I64, _F32 = 7, 4, 11, 6


def write_gguf(
    path: Path,
    metadata: Mapping[str, Value],
    tensors: Sequence[NewTensor],
    progress: Progress = lambda done_bytes, total_bytes: None,
    *,
    kinds: Mapping[str, int] | None = None,
) -> None:
    """Write a new file.

    `kinds` are the types of single values as `GgufFile.kinds` has them; without one, a number is
    an uint32 (int64 where it does not fit) or a float32, which is what llama.cpp expects.

    Raises:
        ModelFileError: the name is taken, or the disk refuses; nothing is left behind.
    """
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    assert isinstance(alignment, int)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    entries = [_entry(key, value, (kinds or {}).get(key)) for key, value in metadata.items()]
    places, body_bytes = _places(tensors, alignment)
    entries += [_tensor_entry(tensor, start) for tensor, start in zip(tensors, places, strict=True)]
    header = header + b"".join(entries)
    with whole_file(path) as file:
        file.write(header + bytes(-len(header) % alignment))
        written_bytes = 0
        for tensor, start in zip(tensors, places, strict=True):
            file.write(bytes(start - written_bytes))
            file.write(tensor.packed().data)
            written_bytes = start + tensor.size_bytes
            progress(written_bytes, body_bytes)
        # llama.cpp wants the last tensor filled up too
        file.write(bytes(-written_bytes % alignment))


def _places(tensors: Sequence[NewTensor], alignment: int) -> tuple[list[int], int]:
    """Where each tensor starts in the body, and where the last one ends."""
    places, end = [], 0
    for tensor in tensors:
        places.append(-(-end // alignment) * alignment)
        end = places[-1] + tensor.size_bytes
    return places, end


def _tensor_entry(tensor: NewTensor, start: int) -> bytes:
    sizes = tuple(reversed(tensor.shape))
    shape = struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
    return _string(tensor.name) + shape + struct.pack("<IQ", _NUMBER_OF[tensor.format.name], start)


def _entry(key: str, value: Value, kind: int | None) -> bytes:
    if isinstance(value, list):
        texts = b"".join(map(_string, value))
        return _string(key) + struct.pack("<IIQ", ARRAY, STRING, len(value)) + texts
    if isinstance(value, np.ndarray):
        little = value.astype(value.dtype.newbyteorder("<"))
        inner = _KIND_OF[little.dtype.str]
        return _string(key) + struct.pack("<IIQ", ARRAY, inner, little.size) + little.tobytes()
    if isinstance(value, str):
        return _string(key) + struct.pack("<I", STRING) + _string(value)
    kind = _fitting_kind(value) if kind is None else kind
    return _string(key) + struct.pack("<I", kind) + np.array(value, SCALARS[kind]).tobytes()


def _fitting_kind(value: int | float) -> int:
    if isinstance(value, bool):
        return _BOOL
    if isinstance(value, float):
        return _F32
    return _U32 if 0 <= value < 2**32 else _I64


def _string(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw
