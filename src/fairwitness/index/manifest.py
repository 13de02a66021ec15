"""The one small file that says which part of everything else counts.

Whatever was written after it is discarded or done again from the log when the index is opened.
"""

import os
from pathlib import Path

import msgspec
import xxhash

from fairwitness.index.errors import IndexCorrupt, room_on_disk

FORMAT = 2


class SliceExtent(msgspec.Struct, frozen=True):
    """How far a slice's files are in use."""

    rows: int
    blocks: int
    texts_bytes: int
    reports_bytes: int
    check: int
    """Hash of what never changes of those rows."""


class Manifest(msgspec.Struct, frozen=True):
    """The state of an index at a checkpoint."""

    format: int
    position: int
    """Log position up to which events are in the index."""
    slice_rows: int
    """How many rows a slice takes before it is sealed; all slices but the last have as many."""
    first_slice: int
    """How many slices were dropped before the first of these."""
    slices: tuple[SliceExtent, ...]
    networks: tuple[str, ...]
    langs: tuple[str, ...]
    """Names behind the numbers in those columns."""


class _Sealed(msgspec.Struct, frozen=True):
    check: str
    manifest: msgspec.Raw


def write(path: Path, manifest: Manifest) -> None:
    """Replace the manifest, whole or not at all, and return once it would survive a power cut."""
    body = msgspec.json.encode(manifest)
    sealed = _Sealed(xxhash.xxh3_64_hexdigest(body), msgspec.Raw(body))
    beside = path.with_suffix(".new")
    with room_on_disk(path):
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(sealed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)


def read(path: Path) -> Manifest | None:
    """Return the manifest at `path`, None when there is none; raise IndexCorrupt for a bad one."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        sealed = msgspec.json.decode(raw, type=_Sealed)
        if xxhash.xxh3_64_hexdigest(bytes(sealed.manifest)) != sealed.check:
            raise IndexCorrupt(path, "its checksum does not match")
        manifest = msgspec.json.decode(sealed.manifest, type=Manifest)
    except msgspec.DecodeError as error:
        raise IndexCorrupt(path, f"not a manifest ({error})") from error
    if manifest.format != FORMAT:
        raise IndexCorrupt(path, f"format {manifest.format} where this version reads {FORMAT}")
    return manifest


def sync_folder(folder: Path) -> None:
    """Make names that were added to or renamed in `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
