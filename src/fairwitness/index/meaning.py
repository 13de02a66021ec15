"""What texts mean, as directions in space: a post in Japanese lies near a question in English.

Every piece of a vocabulary has a row, a text is the sum of its pieces' rows, and nothing else
happens: no network runs, so a post costs about 3 µs. The rows were fitted once so that sums point
where a large multilingual encoder would (`benchmarks/make_meaning_table.py`). The signs of a sum
are its code of 256 bits; the sum itself is made again from the text whenever it is needed.

Languages: Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish,
Portuguese, Russian, Spanish, Thai, Turkish. Others only as far as they share words with these; a
text in a script that none of them uses has no code, and words alone find it.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels.pieces import Vocabulary, pool
from fairwitness.kernels.texts import Texts, pack

_PRODUCTS = 250_000
"""Of matrices with more, OpenBLAS shares the work among threads: 0.1 ms becomes 3 ms where all
cores are busy with taking posts in."""


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of all pieces."""

    name: str
    """Codes and vectors of tables with other names are not comparable."""
    vocabulary: Vocabulary
    rows_vd: NDArray[np.int8]
    """Directions, shape (pieces, 256)."""
    weights_v: NDArray[np.int16]
    """How much each piece says."""
    lengths_v: NDArray[np.float32]
    """Of the rows."""

    def directions(self, pieces: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the rows of pieces at length 1, shape (pieces, 256)."""
        return np.asarray(self.rows_vd[pieces] / self.lengths_v[pieces, None], np.float32)


@cache
def table() -> Table:
    """Return the table that ships with the package: 34 MB, read in 0.2 s when first asked for."""
    path = resources.files("fairwitness.data") / "meaning.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        space_score, unknown_score = saved["edges"].tolist()
        vocabulary = Vocabulary(
            labels=saved["labels"],
            piece_labels=saved["piece_labels"],
            piece_ends=np.cumsum(saved["piece_lengths"], dtype=np.int64),
            scores=saved["scores"],
            space_score=space_score,
            unknown_score=unknown_score,
        )
        rows_vd = _rows(saved["books"], saved["cells"])
        return Table(str(saved["name"]), vocabulary, rows_vd, saved["weights"], _lengths(rows_vd))


def codes(texts: Texts) -> NDArray[np.uint8]:
    """Return the code of each text, shape (texts, 32); all zeros for a text without known words."""
    known = table()
    segmented = known.vocabulary.segment(texts)
    return pool(segmented, known.rows_vd, known.weights_v, vectors=False)[0]


def codes_and_vectors(texts: Texts) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return codes (texts, 32) and unit vectors (texts, 256), whose products are cosines."""
    known = table()
    segmented = known.vocabulary.segment(texts)
    found, vectors = pool(segmented, known.rows_vd, known.weights_v, vectors=True)
    assert vectors is not None
    return found, vectors


class Alike(NamedTuple):
    """How alike a question and each of some texts are, arrays of shape (texts,)."""

    cosine: NDArray[np.float32]
    """Of the two sums: whether the whole is about the same. 0 for a text without a code."""
    cover: NDArray[np.float32]
    """How well the text says each piece of the question: the cosine of its best piece for it, a
    mean by weight, 0 to 1. Unlike a sum it does not pale in a text that says much else besides."""
    directions_nd: NDArray[np.float32]
    """Of the texts, shape (texts, 256), of length 1; all zeros for a text without a code."""


def alike(question: str, texts: Texts) -> Alike:
    """Compare a question with the texts that a search came up with, about 10 µs each.

    That each piece of the question looks for its best piece in the text is the late interaction of
    ColBERT (Khattab and Zaharia, SIGIR 2020), with rows that know no context. A piece that all
    these texts say tells them apart no more, so it weighs less.
    """
    known = table()
    asked, said = known.vocabulary.segment(pack([question])), known.vocabulary.segment(texts)
    _, asked_d = pool(asked, known.rows_vd, known.weights_v, vectors=True)
    _, said_nd = pool(said, known.rows_vd, known.weights_v, vectors=True)
    assert asked_d is not None
    assert said_nd is not None
    cover = np.zeros(len(texts), np.float32)
    if len(asked.pieces) and len(said.pieces):
        begins = np.concatenate([[0], said.ends[:-1]])
        spoken = said.ends > begins
        pieces_q, near_qp = _nearness(known, asked.pieces, said.pieces)
        best_qn = np.maximum(np.maximum.reduceat(near_qp, begins[spoken], axis=1), 0.0)
        rare_q = np.sqrt(np.maximum(1.0 - best_qn.mean(axis=1), 1e-3))
        weights_q = known.weights_v[pieces_q] * rare_q
        cover[spoken] = (weights_q / weights_q.sum()) @ best_qn
    return Alike(said_nd @ asked_d[0], cover, said_nd)


def _nearness(
    known: Table, asked: NDArray[np.int32], said: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the distinct pieces that are asked, and their cosines with each that is said."""
    pieces_q = np.unique(asked)
    is_said_v = np.zeros(len(known.lengths_v), bool)
    is_said_v[said] = True
    pieces_u = np.flatnonzero(is_said_v)
    place_v = np.empty(len(is_said_v), np.int32)
    place_v[pieces_u] = np.arange(len(pieces_u))
    directions_qd, directions_ud = known.directions(pieces_q), known.directions(pieces_u)
    near_qu = np.empty((len(pieces_q), len(pieces_u)), np.float32)
    step = max(_PRODUCTS // directions_qd.size, 1)
    for begin in range(0, len(pieces_u), step):
        some = slice(begin, begin + step)
        np.matmul(directions_qd, directions_ud[some].T, out=near_qu[:, some])
    return pieces_q, near_qu[:, place_v[said]]


def _lengths(rows_vd: NDArray[np.int8]) -> NDArray[np.float32]:
    squares = np.einsum("vd,vd->v", rows_vd, rows_vd, dtype=np.float32, casting="unsafe")
    return np.asarray(np.maximum(np.sqrt(squares), 1.0), np.float32)


def _rows(books_kcd: NDArray[np.int8], cells_vk: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Put rows together: cell k of a row is one of the entries of book k, d dimensions wide."""
    cell_dims = books_kcd.shape[2]
    rows_vkd = np.empty((*cells_vk.shape, cell_dims), np.int8)
    for cell, book in enumerate(books_kcd):
        rows_vkd[:, cell] = book[cells_vk[:, cell]]
    return rows_vkd.reshape(len(cells_vk), -1)
