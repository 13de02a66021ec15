"""What the posts of a slice mean: a code each, in the order of rows or, once sealed, sorted."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairwitness.index.codes import Growing, Inverted, centres_of, lists_of
from fairwitness.index.columns import Codes
from fairwitness.index.errors import IndexCorrupt, IndexDiskFull
from fairwitness.index.history import Rows
from fairwitness.index.mapped import Stretch
from fairwitness.index.sums import Sums, told_in
from fairwitness.index.whole import replacing
from fairwitness.kernels.hamming import CODE_BYTES


class SliceCodes:
    """One thread writes, any reads."""

    def __init__(
        self,
        folder: Path,
        rows_max: int,
        *,
        read_only: bool,
        centres: NDArray[np.uint8] | None = None,
    ) -> None:
        """Open the codes in `folder`; `centres` is what lists are about in a slice that begins."""
        self._flat_path, self._sorted_path = folder / "codes", folder / "meanings"
        self._rows_max = rows_max
        self._read_only = read_only
        self._flat: Codes | None = None
        self._sorted: Inverted | None = None
        self._sums: Sums | None = None
        self._forgetting = threading.Lock()
        self._centres_path = folder / "centres"
        self._centres = _kept(self._centres_path, centres)
        if not self._open_sorted():
            self._flat = Codes(self._flat_path, rows_max, read_only=read_only)

    def reserve(self, first: int, rows: int) -> None:
        """Make sure that rows can be added; raise IndexDiskFull with nothing changed."""
        assert self._flat is not None, "a sealed slice takes no rows"
        self._flat.reserve(first, rows)

    @property
    def are_sorted(self) -> bool:
        """Whether they are in lists."""
        return self._sorted is not None

    def add(self, first: int, code: NDArray[np.uint8]) -> None:
        """Add rows. Raises IndexDiskFull with nothing changed."""
        self.reserve(first, len(code))
        assert self._flat is not None
        self._flat.code[first : first + len(code)] = code
        self._flat.list[first : first + len(code)] = lists_of(code, self._centres)

    def learned(self, rows: int) -> NDArray[np.uint8]:
        """Return what lists of posts like the first rows, which are not sorted, should be about."""
        assert self._flat is not None
        return centres_of(self._flat.code[:rows])

    def lists(self, rows: int) -> Growing | Inverted:
        """Return the codes of the first rows (of all, once they are sorted) to search in."""
        inverted, flat = self._sorted, self._flat
        if inverted is not None:
            return inverted
        assert flat is not None
        return Growing(self._centres, flat.code[:rows], flat.list[:rows])

    def forget(self, rows: Sequence[int]) -> None:
        """Destroy the codes of `rows`."""
        if self._sorted is not None and self._sums is not None and len(rows):
            with self._forgetting:  # whoever sorted them may, while the writer does
                self._sums.destroying(self._sorted.starts_of(rows), CODE_BYTES)
                self._sorted.forget(rows)
        if self._flat is not None:
            self._flat.code[rows] = 0

    def seal(self, rows: int, gone: Callable[[], Rows]) -> None:
        """Sort the codes, 0.1 s a million; a reader takes up what the writer sorted.

        `gone` is asked once they are sorted, for a post may go meanwhile. Without room on the disk
        they stay as they are, and the next opening tries again.
        """
        if self._sorted is not None:
            return
        if not self._read_only and self._flat is not None:
            try:
                self._sort(self._flat, rows).save(self._sorted_path)
            except IndexDiskFull:
                return
        if not self._open_sorted():
            return
        flat, self._flat = self._flat, None  # whoever searches it has it in hand
        if flat is not None:
            flat.close()
        if not self._read_only:
            self.forget(gone().tolist())
            self._flat_path.unlink(missing_ok=True)

    def unseal(self, rows: int) -> None:
        """Take rows again: the slice had been sealed after the checkpoint that it is opened at."""
        if self._sorted is None:
            return
        flat = Codes(self._flat_path, self._rows_max, read_only=False)
        flat.reserve(0, rows)
        flat.code[:rows] = self._sorted.code_of(np.arange(rows))
        flat.list[:rows] = lists_of(flat.code[:rows], self._centres)
        self._flat, self._sorted, self._sums = flat, None, None
        told_in(self._sorted_path).unlink(missing_ok=True)
        self._sorted_path.unlink()

    def in_use(self, rows: int) -> dict[str, list[Stretch]]:
        """Say which parts of what is not sorted are in use, by the names of the files."""
        if self._flat is None:
            return {}
        lists = {"centres": [(0, self._centres.nbytes)]} if self._centres_path.exists() else {}
        return {self._flat_path.name: [*self._flat.stretches(rows)], **lists}

    def sync(self) -> None:
        """Return once all of it would survive a power cut."""
        if self._flat is not None and self._sorted is None:
            self._flat.sync()

    def close(self) -> None:
        """Let go of the files; maps go with the last array that looks at them."""
        if self._flat is not None:
            self._flat.close()

    def _sort(self, flat: Codes, rows: int) -> Inverted:
        codes, centres, lists = flat.code[:rows], self._centres, flat.list[:rows]
        if len(centres) == 1:  # nobody could know before what this slice is about
            centres = centres_of(codes)
            lists = lists_of(codes, centres)
        return Inverted.build(centres, codes, lists)

    def _open_sorted(self) -> bool:
        if self._sorted_path.exists():
            if not self._read_only:
                self._sums = Sums(self._sorted_path)
            self._sorted = Inverted.open(self._sorted_path, read_only=self._read_only)
        return self._sorted is not None


def _kept(path: Path, centres: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return what lists are about, written to `path` first where it is given; one list if nobody
    knows."""
    if centres is not None:
        with replacing(path) as file:
            file.write(centres.tobytes())
    if not path.exists():
        return np.zeros((1, CODE_BYTES), np.uint8)
    known = np.fromfile(path, np.uint8)
    if not len(known) or len(known) % CODE_BYTES:
        raise IndexCorrupt(path, f"{len(known)} bytes are no codes")
    return known.reshape(-1, CODE_BYTES)
