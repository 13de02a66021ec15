"""Texts into pieces of a vocabulary, and the rows of pieces into one vector a text.

What a character is worth is a table's business: a label, a boundary, or nothing. Labels between
two boundaries are a chunk; a chunk that is one piece with a space before it is that piece, any
other becomes the pieces whose scores add up to most (the unigram model of sentencepiece,
Kudo 2018, arXiv:1804.10959). A link (`https://…`) is a boundary as a whole.
"""

import ctypes
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.native import library
from fairwitness.kernels.texts import Texts

BOUNDARY, SKIPPED, SPACE = 0, 1, 2
"""The labels that are no character: what ends a chunk, what is read over, the space before one."""
CHARS_MAX = 512
"""So many characters of a text are read: what a post is about shows in its first lines."""
WEIGHT_MAX = 4_095
"""Weights above it could overflow the 32-bit sums of `CHARS_MAX` pieces of a text."""

_LINKS = ("http://", "https://")
_NODE = 4  # int32 fields of a node in `csrc/pieces.cpp`


class Segmented(NamedTuple):
    """The pieces of some texts."""

    pieces: NDArray[np.int32]
    ends: NDArray[np.int64]
    """Where in `pieces` each text's end, shape (texts,)."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Pieces, as sequences of labels in ascending order, and what each is worth."""

    labels: NDArray[np.uint16]
    """The label of each code point; those beyond the table are boundaries."""
    piece_labels: NDArray[np.uint16]
    """All pieces, one after the other."""
    piece_ends: NDArray[np.int64]
    scores: NDArray[np.int32]
    """Log probabilities in any integer unit, shape (pieces,)."""
    space_score: int
    """Of beginning a chunk with a piece that has no space before it."""
    unknown_score: int
    """Of a label that no piece covers; below all scores."""

    def segment(self, texts: Texts) -> Segmented:
        """Return the pieces of each text, about 2 µs a post of 90 bytes."""
        native = library()
        if native is None:
            return self._segment_plainly(texts)
        pieces = np.empty(len(texts.blob), np.int32)
        ends = np.empty(len(texts), np.int64)
        native.fw_pieces_segment(
            ctypes.c_char_p(texts.blob),
            _at(texts.ends),
            ctypes.c_int64(len(texts)),
            ctypes.c_int64(CHARS_MAX),
            _at(self.labels),
            ctypes.c_int64(len(self.labels)),
            _at(self._nodes),
            ctypes.c_int64(len(self._nodes)),
            ctypes.c_int32(self.space_score),
            ctypes.c_int32(self.unknown_score),
            _at(pieces),
            _at(ends),
        )
        return Segmented(pieces[: ends[-1] if len(ends) else 0].copy(), ends)

    @cached_property
    def _nodes(self) -> NDArray[np.int32]:
        """The pieces as a double-array trie (Aoe 1989), shape (nodes, 4)."""
        native = library()
        assert native is not None
        room = 2 * len(self.piece_labels) + 2 * int(self.labels.max(initial=0)) + 64
        nodes = np.empty((room, _NODE), np.int32)
        build = native.fw_pieces_build
        build.restype = ctypes.c_int64
        used = build(
            _at(self.piece_labels),
            _at(self.piece_ends),
            _at(self.scores),
            ctypes.c_int64(len(self.piece_ends)),
            _at(nodes),
            ctypes.c_int64(room),
        )
        assert used >= 0, f"{len(self.piece_ends)} pieces do not fit {room} nodes"
        return nodes[:used].copy()

    @cached_property
    def _known(self) -> dict[bytes, int]:
        """Each piece's number by its labels, and -1 for what only begins a piece."""
        known: dict[bytes, int] = {}
        start = 0
        for piece, end in enumerate(self.piece_ends.tolist()):
            labels = self.piece_labels[start:end]
            for length in range(1, end - start):
                known.setdefault(labels[:length].tobytes(), -1)
            known[labels.tobytes()] = piece
            start = end
        return known

    def _segment_plainly(self, texts: Texts) -> Segmented:
        pieces: list[int] = []
        ends: list[int] = []
        start = 0
        for end in texts.ends.tolist():
            for chunk in self._chunks(texts.blob[start:end].decode("utf-8", "surrogatepass")):
                whole = self._known.get(_SPACE_LABEL + chunk, -1)
                pieces += [whole] if whole >= 0 else self._best_path(chunk)
            ends.append(len(pieces))
            start = end
        return Segmented(np.array(pieces, np.int32), np.array(ends, np.int64))

    def _chunks(self, text: str) -> list[bytes]:
        """Return the labels of each chunk, two bytes a label."""
        chunks = [bytearray()]
        at = 0
        for _ in range(CHARS_MAX):
            if at >= len(text):
                break
            if text.startswith(_LINKS, at):
                while at < len(text) and text[at] > " ":
                    at += 1
                chunks.append(bytearray())
                continue
            point = ord(text[at])
            label = self.labels[point] if point < len(self.labels) else np.uint16(BOUNDARY)
            if label == BOUNDARY:
                chunks.append(bytearray())
            elif label != SKIPPED:
                chunks[-1] += label.tobytes()
            at += 1
        return [bytes(chunk) for chunk in chunks if chunk]

    def _best_path(self, chunk: bytes) -> list[int]:
        size = len(chunk) // 2
        best: list[tuple[float, int, int]] = [(-np.inf, 0, -1)] * (size + 1)
        best[0] = (self.space_score, 0, -1)

        def offer(start: int, end: int, score: float, piece: int) -> None:
            if score > best[end][0]:
                best[end] = (score, start, piece)

        def walk(start: int, before: bytes, score: float) -> None:
            for end in range(start + 1, size + 1):
                piece = self._known.get(before + chunk[2 * start : 2 * end])
                if piece is None:
                    return
                if piece >= 0:
                    offer(start, end, score + int(self.scores[piece]), piece)

        walk(0, _SPACE_LABEL, 0)
        for start in range(size):
            score = best[start][0]
            offer(start, start + 1, score + self.unknown_score, -1)
            walk(start, b"", score)
        path: list[int] = []
        at = size
        while at > 0:
            _, start, piece = best[at]
            path += [piece] if piece >= 0 else []
            at = start
        return path[::-1]


_SPACE_LABEL = np.uint16(SPACE).tobytes()


def pool(
    segmented: Segmented, rows_vd: NDArray[np.int8], weights_v: NDArray[np.int16], *, vectors: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """Return each text's weighted sum of its pieces' rows, as signs and, if asked, as vectors.

    Codes are of shape (texts, d / 8), the first dimension in the highest bit; vectors of unit
    length are of shape (texts, d). A text without pieces is all zeros in both. d is a multiple
    of 8, weights are at most WEIGHT_MAX.
    """
    texts, dims = len(segmented.ends), rows_vd.shape[1]
    native = library()
    if native is None:
        return _pool_plainly(segmented, rows_vd, weights_v, vectors=vectors)
    codes = np.empty((texts, dims // 8), np.uint8)
    out = np.empty((texts, dims), np.float32) if vectors else None
    native.fw_pieces_pool(
        _at(segmented.pieces),
        _at(segmented.ends),
        ctypes.c_int64(texts),
        _at(rows_vd),
        _at(weights_v),
        ctypes.c_int64(dims),
        _at(codes),
        None if out is None else _at(out),
    )
    return codes, out


def _pool_plainly(
    segmented: Segmented, rows_vd: NDArray[np.int8], weights_v: NDArray[np.int16], *, vectors: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    sums = np.zeros((len(segmented.ends), rows_vd.shape[1]), np.int64)
    start = 0
    for text, end in enumerate(segmented.ends.tolist()):
        pieces = segmented.pieces[start:end]
        sums[text] = weights_v[pieces].astype(np.int64) @ rows_vd[pieces].astype(np.int64)
        start = end
    codes = np.packbits(sums > 0, axis=1)
    if not vectors:
        return codes, None
    length = np.sqrt(np.square(sums.astype(np.float64)).sum(axis=1, keepdims=True))
    return codes, (sums * (1.0 / np.where(length > 0, length, np.inf))).astype(np.float32)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
