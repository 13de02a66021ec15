"""How well a search finds what people judged right: by words, by meaning, and by both.

The texts go as posts into a real index, all of one moment and nobody's, so that age and reach say
nothing. Words and both are searches of it, as anybody's. Codes are a look at all codes and nothing
else; meaning reads the nearest of them and ranks as the index does where no word was found. The
same questions and judgements go all four ways.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.evals import judged
from fairwitness.evals.judged import Judged
from fairwitness.index import LiveIndex, Query, fusion, meaning
from fairwitness.kernels import hamming
from fairwitness.kernels.texts import pack
from fairwitness.posts.post import Post, Posted

DEPTH = 100
"""So many posts are looked at of what each way finds."""
READ = 50
"""So many of the nearest by code are read for what they mean, as in the index."""

Ranked = list[int]


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


def measure(one: Judged) -> list[Figures]:
    """Return the figures of each way."""
    return [_figures(one, way, rankings) for way, rankings in ranked(one).items()]


def sets(folder: Path) -> list[Judged]:
    """Return all sets in the folder of real data: four kinds, and MGSM with and without digits."""
    langs = [(lang, digits) for digits in (True, False) for lang in judged.LANGS]
    return [
        *(judged.agentset(folder, name) for name in judged.AGENTSET),
        judged.cranfield(folder),
        judged.known_lie(folder),
        *(judged.mgsm(folder, lang, digits=digits) for lang, digits in langs),
    ]


def together(name: str, parts: Sequence[Figures]) -> Figures:
    """Return the figures of one way over several sets, each question counted once."""
    questions = sum(part.questions for part in parts)

    def mean(of: str) -> float:
        total = sum(getattr(part, of) * part.questions for part in parts)
        return round(float(total / questions), 4)

    measures = ("ndcg_10", "map_5", "recall_10", "recall_100")
    texts = sum(part.texts for part in parts)
    return Figures(name, parts[0].way, questions, texts, *map(mean, measures))


def ranked(one: Judged) -> dict[str, list[Ranked]]:
    """Return the numbers of the texts that each way finds, best first, for each question."""
    texts_codes = meaning.codes(pack(one.texts))
    asked_codes = meaning.codes(pack(one.questions))
    everywhere = np.array([[0, len(texts_codes)]])
    near = [hamming.nearest(texts_codes, everywhere, code, DEPTH).rows for code in asked_codes]
    with tempfile.TemporaryDirectory() as folder:
        index = LiveIndex.open(Path(folder))
        index.apply([Posted(_post(at, text)) for at, text in enumerate(one.texts)], 1)
        index.refresh()
        words = [_found(index, Query(words=asked)) for asked in one.questions]
        both = [_found(index, Query(words=asked, meaning=asked)) for asked in one.questions]
        index.close()
    return {
        "words": words,
        "codes": [rows.tolist() for rows in near],
        "meaning": [_by_meaning(one, at, rows) for at, rows in enumerate(near)],
        "both": both,
    }


def _found(index: LiveIndex, query: Query) -> Ranked:
    return [int(hit.post.id) for hit in index.search(query, limit=DEPTH).hits]


def _by_meaning(one: Judged, at: int, near: NDArray[np.int64]) -> Ranked:
    read, rest = near[:READ], near[READ:]
    like = meaning.alike(one.questions[at], pack([one.texts[row] for row in read.tolist()]))
    total = fusion.fuse(np.zeros(len(read)), like).total
    return [*read[np.argsort(-total, kind="stable")].tolist(), *rest.tolist()]


def _post(at: int, text: str) -> Post:
    return Post(id=str(at), network="", author="", author_id="", text=text, created_ms=0, seen_ms=0)


def _figures(one: Judged, way: str, rankings: Sequence[Ranked]) -> Figures:
    def mean(of: Callable[[Sequence[int], judged.Worth], float]) -> float:
        told = [of(rows, worth) for rows, worth in zip(rankings, one.worth, strict=True)]
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
