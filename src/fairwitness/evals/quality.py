"""How well a search finds what people judged right: by words, by meaning, and by both.

Words are BM25 as the index asks it. Codes are a look at all codes and nothing else; meaning ranks
what codes found by exact cosines. Both takes what either found and fuses it as the index does. The
same questions and judgements go all four ways. A set of fewer texts than DEPTH puts none out of the
reach of meaning, so there the way of codes says what a first look is worth.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.evals import judged
from fairwitness.evals.judged import Judged
from fairwitness.index import codes, fusion, meaning
from fairwitness.index.ask import Statistics, compile_query
from fairwitness.index.meaning import Alike
from fairwitness.index.query import Query
from fairwitness.kernels import postings, words
from fairwitness.kernels.postings import Run
from fairwitness.kernels.texts import pack

DEPTH = 300
"""So many candidates come from words, and as many from codes."""

Ranked = NDArray[np.int64]


class Figures(msgspec.Struct, frozen=True):
    """What one way of searching is worth on one set, each a mean over questions, 0 to 1."""

    name: str
    way: str
    """`words`, `codes`, `meaning` or `both`."""
    questions: int
    texts: int
    ndcg_10: float
    map_5: float
    recall_10: float
    recall_100: float


class Candidates(msgspec.Struct, frozen=True):
    """What was found for one question, in ascending order of rows."""

    rows: NDArray[np.int64]
    words: NDArray[np.float64]
    """BM25 by that of a perfect text, as the index counts; 0 where words did not find the row."""
    differ: NDArray[np.float64]
    """Bits in which the code differs, infinite where codes did not find the row."""
    like: Alike


def _meaning(found: Candidates) -> NDArray[np.float64]:
    return fusion.fuse(np.zeros(len(found.rows)), *found.like).total


WAYS: dict[str, Callable[[Candidates], NDArray[np.float64]]] = {
    "words": lambda found: np.where(found.words > 0, found.words, -np.inf),
    "codes": lambda found: -found.differ,
    "meaning": lambda found: np.where(np.isinf(found.differ), -np.inf, _meaning(found)),
    "both": lambda found: fusion.fuse(found.words, *found.like).total,
}


def measure(one: Judged) -> list[Figures]:
    """Return the figures of each way."""
    found = candidates(one)
    return [_figures(one, way, [ranked(part, way) for part in found]) for way in WAYS]


def sets(folder: Path) -> list[Judged]:
    """Return all sets in the folder of real data: four kinds, and MGSM with and without digits."""
    langs = [(lang, digits) for digits in (True, False) for lang in judged.LANGS]
    return [
        *(judged.agentset(folder, name) for name in judged.AGENTSET),
        judged.cranfield(folder),
        judged.known_lie(folder),
        *(judged.mgsm(folder, lang, digits=digits) for lang, digits in langs),
    ]


def ranked(found: Candidates, way: str) -> Ranked:
    """Return the rows that one way finds, best first, of equals the lowest."""
    worth = WAYS[way](found)
    order = np.lexsort((found.rows, -worth))
    return found.rows[order[worth[order] > -np.inf]]


def candidates(one: Judged) -> list[Candidates]:
    """Return what words and codes find for each question, together."""
    texts_codes = meaning.codes(pack(one.texts))
    asked_codes = meaning.codes(pack(one.questions))
    found: list[Candidates] = []
    for at, (rows, worth) in enumerate(by_words(one)):
        near = codes.nearest(texts_codes, asked_codes[at], DEPTH)
        union = np.union1d(rows, near.rows)
        words, differ = np.zeros(len(union)), np.full(len(union), np.inf)
        words[np.searchsorted(union, rows)] = worth
        differ[np.searchsorted(union, near.rows)] = near.distances
        like = meaning.alike(one.questions[at], pack([one.texts[row] for row in union.tolist()]))
        found.append(Candidates(union, words, differ, like))
    return found


def by_words(one: Judged) -> list[tuple[Ranked, NDArray[np.float64]]]:
    """Return rows and what words are worth of each question's best texts."""
    texts = words.of_texts(one.texts)
    nothing = words.of_asides([""] * len(one.texts))
    run = Run(postings.build(0, texts, nothing))
    return [_ask(run, question) for question in one.questions]


def _ask(run: Run, question: str) -> tuple[Ranked, NDArray[np.float64]]:
    ask = compile_query(Query(words=question), Statistics([(run, run.end_row)]))
    if ask is None:
        return np.empty(0, np.int64), np.empty(0)
    rows, scores = run.rank(ask.terms, ask.mean_length, DEPTH, run.end_row, None)
    return rows, scores / ask.perfect


def _figures(one: Judged, way: str, rankings: Sequence[Ranked]) -> Figures:
    def mean(of: Callable[[Sequence[int], judged.Worth], float]) -> float:
        told = [of(rows.tolist(), worth) for rows, worth in zip(rankings, one.worth, strict=True)]
        return round(float(np.mean(told)), 4)

    return Figures(
        name=one.name,
        way=way,
        questions=len(one.questions),
        texts=len(one.texts),
        ndcg_10=mean(judged.ndcg),
        map_5=mean(judged.average_precision),
        recall_10=mean(partial(judged.recall, depth=10)),
        recall_100=mean(partial(judged.recall, depth=100)),
    )
