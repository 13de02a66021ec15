"""Writing safetensors: one file, or shards with an index, as the hub expects them.

Format: the README of github.com/huggingface/safetensors; names of shards and the index as
huggingface_hub's `split_state_dict_into_shards` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from fairwitness.models.safetensors import INDEX_NAME, STORABLE
from fairwitness.models.writing import NewTensor, Progress, whole_file

SHARD_BYTES = 5_000_000_000  # what the hub's own savers do
_HEADER_ALIGNMENT = 8


def write_safetensors(
    path: Path,
    tensors: Sequence[NewTensor],
    progress: Progress = lambda done_bytes, total_bytes: None,
) -> None:
    """Write one new file of float tensors.

    Raises:
        ModelFileError: the name is taken, or the disk refuses; nothing is left behind.
    """
    total_bytes = sum(tensor.size_bytes for tensor in tensors)
    header = _header(tensors)
    with whole_file(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        done_bytes = 0
        for tensor in tensors:
            file.write(tensor.packed().data)
            done_bytes += tensor.size_bytes
            progress(done_bytes, total_bytes)


def write_shards(
    folder: Path,
    tensors: Sequence[NewTensor],
    progress: Progress = lambda done_bytes, total_bytes: None,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write `model.safetensors` into a folder, or shards of at most `shard_bytes` with an index.

    A tensor larger than that has a shard of its own. Errors as in `write_safetensors`, but files
    written before it stay: `whole_folder` is for that.
    """
    shards = _split(tensors, shard_bytes)
    if len(shards) == 1:
        write_safetensors(folder / "model.safetensors", tensors, progress)
        return
    total_bytes = sum(tensor.size_bytes for tensor in tensors)
    weight_map: dict[str, str] = {}
    done_bytes = 0
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_safetensors(folder / name, shard, partial(_report, progress, done_bytes, total_bytes))
        done_bytes += sum(tensor.size_bytes for tensor in shard)
        weight_map |= {tensor.name: name for tensor in shard}
    index = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    with whole_file(folder / INDEX_NAME) as file:
        file.write(msgspec.json.format(msgspec.json.encode(index)))


def _header(tensors: Sequence[NewTensor]) -> bytes:
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}  # older readers insist on it
    end = 0
    for tensor in tensors:
        assert tensor.format.name in STORABLE, f"{tensor.name}: {tensor.format.name}"
        start, end = end, end + tensor.size_bytes
        table[tensor.name] = {
            "dtype": tensor.format.name,
            "shape": tensor.shape,
            "data_offsets": (start, end),
        }
    header = msgspec.json.encode(table)
    return header + b" " * (-len(header) % _HEADER_ALIGNMENT)


def _split(tensors: Sequence[NewTensor], shard_bytes: int) -> list[list[NewTensor]]:
    """Runs of tensors in order, each as long as fits."""
    shards: list[list[NewTensor]] = [[]]
    room = shard_bytes
    for tensor in tensors:
        if tensor.size_bytes > room and shards[-1]:
            shards.append([])
            room = shard_bytes
        shards[-1].append(tensor)
        room -= tensor.size_bytes
    return shards


def _report(
    progress: Progress, before_bytes: int, total_bytes: int, done_bytes: int, shard_bytes: int
) -> None:
    """Tell progress in one shard as progress in all."""
    del shard_bytes
    progress(before_bytes + done_bytes, total_bytes)
