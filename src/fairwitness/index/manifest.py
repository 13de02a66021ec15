"""The small file that says which part of everything else counts, and its twin for readers.

`manifest.json` is written at checkpoints and survives a power cut; what came after it is discarded
or done again from the log when the index is opened. `live.json` is written at each refresh, and
counts for processes that read while another writes, until the machine is started again.
"""

from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec
import xxhash

from fairwitness.index.errors import IndexCorrupt
from fairwitness.index.whole import replacing, sync_folder

FORMAT = 8
_DAMAGED = "damaged"


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
    writer: int
    """Number of the opening for writing that wrote this: none is like another's."""
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


class _Format(msgspec.Struct, frozen=True):
    format: int


class _Sealed(msgspec.Struct, frozen=True):
    check: str
    manifest: msgspec.Raw


def write(folder: Path, manifest: Manifest) -> None:
    """Replace both files, whole or not at all, and return once they would survive a power cut."""
    with replacing(folder / "manifest.json") as file:
        file.write(_sealed(manifest, b""))
    sync_folder(folder)
    publish(folder, manifest)


def publish(folder: Path, manifest: Manifest) -> None:
    """Replace what readers follow."""
    with replacing(folder / "live.json", sync=False) as file:
        file.write(_sealed(manifest, _boot()))


def read(folder: Path) -> Manifest | None:
    """Return the last checkpoint, None when there is none; raise IndexCorrupt for a bad one."""
    return _read(folder / "manifest.json", b"")


def read_live(folder: Path) -> Manifest | None:
    """Return the last refresh of whoever writes or wrote since the machine was started."""
    with suppress(IndexCorrupt):
        live = _read(folder / "live.json", _boot())
        if live is not None:
            return live
    return read(folder)


def note_damage(folder: Path, writer: int, damage: IndexCorrupt) -> None:
    """Leave word that what `writer` wrote is damaged; whoever comes upon it may only read."""
    with suppress(OSError):
        what = str(damage).partition("; delete")[0]
        (folder / _DAMAGED).write_text(f"{writer}\n{what}")


def raise_damage(folder: Path, writer: int) -> None:
    """Raise IndexCorrupt when there is such word of `writer`: of an earlier index it may be old."""
    path = folder / _DAMAGED
    if path.exists():
        told, _, what = path.read_text(errors="replace").partition("\n")
        if told == str(writer):
            raise IndexCorrupt(path, what)


def _sealed(manifest: Manifest, salt: bytes) -> bytes:
    body = msgspec.json.encode(manifest)
    check = xxhash.xxh3_64_hexdigest(body + salt)
    return msgspec.json.encode(_Sealed(check, msgspec.Raw(body))) + b"\n"


def _read(path: Path, salt: bytes) -> Manifest | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        sealed = msgspec.json.decode(raw, type=_Sealed)
        if xxhash.xxh3_64_hexdigest(bytes(sealed.manifest) + salt) != sealed.check:
            raise IndexCorrupt(path, "its checksum does not match")
        stated = msgspec.json.decode(sealed.manifest, type=_Format)
        if stated.format != FORMAT:
            raise IndexCorrupt(path, f"format {stated.format} where this version reads {FORMAT}")
        return msgspec.json.decode(sealed.manifest, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IndexCorrupt(path, f"not a manifest ({error})") from error


@cache
def _boot() -> bytes:
    """Return what names this run of the machine: what was not synced is not there after it."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_bytes() if path.exists() else b""
