"""A file that only grows at its end, and can be read while it does.

What was appended waits in memory until `flush`, so that appending cannot fail; readers in other
threads see it at once either way.
"""

import os
from pathlib import Path

from fairwitness.index.errors import IndexCorrupt, room_on_disk


class GrowingFile:
    """Bytes at offsets. One thread appends and flushes, any thread reads."""

    def __init__(self, path: Path, size_bytes: int, *, read_only: bool) -> None:
        """Open `path` as it was when it held `size_bytes`; what came after is cut off."""
        self.path = path
        if not read_only:
            with room_on_disk(path):
                path.touch()
        # A file object and no bare descriptor: after `close` a late reader gets an error, where a
        # bare number could by then be another file.
        self._file = path.open("rb" if read_only else "r+b", buffering=0)
        on_disk_bytes = os.fstat(self._file.fileno()).st_size
        if on_disk_bytes < size_bytes:
            self._file.close()
            raise IndexCorrupt(path, f"{on_disk_bytes} bytes where {size_bytes} were written")
        if not read_only:
            self._file.truncate(size_bytes)
        # Where the tail begins, and the tail: one name, so that a reader gets both or neither.
        self._tail: tuple[int, bytearray] = (size_bytes, bytearray())

    @property
    def size_bytes(self) -> int:
        """Length, the unflushed tail included."""
        start, tail = self._tail
        return start + len(tail)

    def append(self, data: bytes) -> int:
        """Put `data` at the end and return its offset."""
        start, tail = self._tail
        offset = start + len(tail)
        tail += data
        return offset

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Return `size_bytes` from `offset`; raise IndexCorrupt when the file is shorter."""
        start, tail = self._tail
        if offset >= start and tail:  # a reader may know of more than was here when it looked
            return bytes(tail[offset - start : offset - start + size_bytes])
        data = os.pread(self._file.fileno(), size_bytes, offset)
        if len(data) < size_bytes:
            raise IndexCorrupt(self.path, f"ends before {offset} + {size_bytes} bytes")
        return data

    def flush(self) -> None:
        """Hand the tail to the operating system; raise IndexDiskFull and keep it if that fails."""
        start, tail = self._tail
        if not tail:
            return
        with room_on_disk(self.path):
            _write_all(self._file.fileno(), tail, start)
        self._tail = (start + len(tail), bytearray())

    def overwrite(self, offset: int, data: bytes) -> None:
        """Put `data` over what stands at `offset`; it must have been flushed."""
        with room_on_disk(self.path):
            _write_all(self._file.fileno(), data, offset)

    def sync(self) -> None:
        """Return once all that was flushed would survive a power cut."""
        with room_on_disk(self.path):
            os.fsync(self._file.fileno())

    def grow_to(self, size_bytes: int) -> None:
        """For a reader: the writer has committed up to `size_bytes`."""
        self._tail = (max(size_bytes, self._tail[0]), bytearray())

    def close(self) -> None:
        """Let go of the file; what was not flushed is lost."""
        self._file.close()


def _write_all(fd: int, data: bytes | bytearray, offset: int) -> None:
    with memoryview(data) as rest:
        done = 0
        while done < len(rest):
            done += os.pwrite(fd, rest[done:], offset + done)
