"""What changes in place, held to a hash while nobody writes.

Marks, changes and reports of a slice, and the codes of one that grows, may change at any moment,
and a kill leaves them as they were then: no hash could say of that whether it is right. But a
writer that closes in order leaves hashes of what it has synced; the next one holds it to them, and
removes them before anything changes.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import xxhash

from fairwitness.index.errors import IndexCorrupt, IndexDiskFull
from fairwitness.index.mapped import Stretch
from fairwitness.index.whole import replacing, sync_folder

_NAME = "rest"
_TOGETHER_BYTES = 1 << 20


class _File(msgspec.Struct, frozen=True):
    stretches: tuple[Stretch, ...]
    hash: int
    """Of all its stretches, xxh3-64."""


def leave(folder: Path, files: Mapping[str, Iterable[Stretch]]) -> None:
    """Leave hashes of a slice that is closed in order, or nothing where that cannot be.

    `files` says by name which parts of a file are in use.
    """
    with suppress(IndexDiskFull, FileNotFoundError):
        rest = {name: _read(folder / name, tuple(each)) for name, each in files.items()}
        with replacing(folder / _NAME) as file:
            file.write(msgspec.json.encode(rest))


def take(folder: Path) -> None:
    """Hold a slice to what was left, if it was, and remove that; raise IndexCorrupt."""
    path = folder / _NAME
    try:
        told = msgspec.json.decode(path.read_bytes(), type=dict[str, _File])
    except FileNotFoundError:
        return
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IndexCorrupt(path, f"no hashes ({error})") from error
    for name, each in told.items():
        if not (folder / name).exists():
            raise IndexCorrupt(folder / name, "is not there")
        if _read(folder / name, each.stretches) != each:
            raise IndexCorrupt(folder / name, "not what was written")
    path.unlink()
    sync_folder(folder)


def _read(path: Path, stretches: tuple[Stretch, ...]) -> _File:
    # Read, not mapped: to look at what nobody has stored to would need room on some disks.
    digest = xxhash.xxh3_64()
    with path.open("rb", buffering=0) as file:
        for start, size_bytes in stretches:
            file.seek(start)
            for done in range(0, size_bytes, _TOGETHER_BYTES):
                digest.update(file.read(min(_TOGETHER_BYTES, size_bytes - done)))
    return _File(stretches, digest.intdigest())
