"""What changes in place, held to a hash while nobody writes.

Marks, changes and reports of a slice may change at any moment, and a kill leaves them as they were
then: no hash could say of that whether it is right. But a writer that closes in order leaves hashes
of what it has synced; the next one holds it to them, and removes them before anything changes.
"""

from contextlib import suppress
from pathlib import Path

import msgspec
import xxhash

from fairwitness.index.columns import Changes, Marks
from fairwitness.index.errors import IndexCorrupt, IndexDiskFull
from fairwitness.index.whole import replacing, sync_folder

_NAME = "rest"
_TOGETHER_BYTES = 1 << 20


class _Rest(msgspec.Struct, frozen=True):
    changes: int
    """How many there were."""
    reports_bytes: int
    marks_hash: int
    changes_hash: int
    reports_hash: int


def leave(marks: Marks, changes: Changes, changed: int, reports: Path) -> None:
    """Leave hashes of a slice that is closed in order, or nothing where that cannot be."""
    with suppress(IndexDiskFull, FileNotFoundError):
        rest = _rest(marks, changes, changed, reports, reports.stat().st_size)
        with replacing(marks.path.with_name(_NAME)) as file:
            file.write(msgspec.json.encode(rest))


def take(marks: Marks, changes: Changes, reports: Path) -> None:
    """Hold a slice to what was left, if it was, and remove that; raise IndexCorrupt."""
    path = marks.path.with_name(_NAME)
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_Rest)
    except FileNotFoundError:
        return
    except msgspec.DecodeError as error:
        raise IndexCorrupt(path, f"no hashes ({error})") from error
    found = _rest(marks, changes, told.changes, reports, told.reports_bytes)
    for name in ("marks", "changes", "reports"):
        if getattr(found, f"{name}_hash") != getattr(told, f"{name}_hash"):
            raise IndexCorrupt(path.with_name(name), "not what was written")
    path.unlink()
    sync_folder(path.parent)


def _rest(marks: Marks, changes: Changes, changed: int, reports: Path, reports_bytes: int) -> _Rest:
    return _Rest(
        changes=changed,
        reports_bytes=reports_bytes,
        marks_hash=marks.hash_on_disk(len(marks.flags)),
        changes_hash=changes.hash_on_disk(changed),
        reports_hash=_hash_of(reports, reports_bytes),
    )


def _hash_of(path: Path, size_bytes: int) -> int:
    digest = xxhash.xxh3_64()
    with path.open("rb") as file:
        for at in range(0, size_bytes, _TOGETHER_BYTES):
            digest.update(file.read(min(_TOGETHER_BYTES, size_bytes - at)))
    return digest.intdigest()
