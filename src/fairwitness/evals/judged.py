"""Texts, questions about them, and which texts people judged to answer which question.

Each set is read from the layout that its publisher gave it, in the folder of real data beside a
checkout. A set is a list of texts; a judgement names a text by its place in that list.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

AGENTSET = ("msmarco", "dbpedia", "arcd", "business-reports")
"""The parts of `ir-agentset` that carry judgements."""
LANGS = ("ja", "zh", "es", "de", "fr", "ru", "th", "bn", "sw", "te")
"""The languages into which MGSM's English problems were translated."""

Worth = Mapping[int, int]
"""How good each judged text answers, 1 and above; what is not in it does not answer."""


@dataclass(frozen=True)
class Judged:
    """One set."""

    name: str
    texts: Sequence[str]
    questions: Sequence[str]
    worth: Sequence[Worth]
    """One a question."""


def ndcg(ranked: Sequence[int], worth: Worth, depth: int = 10) -> float:
    """Return the normalised discounted cumulative gain of the first `depth`, with linear gains."""
    discounts = 1.0 / np.log2(np.arange(2, depth + 2))
    gains = np.array([worth.get(row, 0) for row in ranked[:depth]])
    ideal = np.sort(np.array(list(worth.values())))[::-1][:depth]
    return float(gains @ discounts[: len(gains)] / (ideal @ discounts[: len(ideal)]))


def average_precision(ranked: Sequence[int], worth: Worth, depth: int = 5) -> float:
    """Return the average precision of the first `depth`."""
    right: NDArray[np.bool_] = np.array([row in worth for row in ranked[:depth]], bool)
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].sum() / min(len(worth), depth))


def recall(ranked: Sequence[int], worth: Worth, depth: int) -> float:
    """Return which share of the answers is among the first `depth`."""
    return len(set(ranked[:depth]) & worth.keys()) / len(worth)


def agentset(folder: Path, name: str) -> Judged:
    """Read one of AGENTSET, in the layout of BEIR (github.com/beir-cellar/beir)."""
    home = folder / "ir-agentset" / "datasets" / name
    documents = _json_lines(home / "corpus.jsonl")
    place = {document["_id"]: at for at, document in enumerate(documents)}
    texts = [f"{document.get('title', '')} {document['text']}".strip() for document in documents]
    questions = {one["_id"]: one["text"] for one in _json_lines(home / "queries.jsonl")}
    marks: dict[str, dict[int, int]] = {}
    for line in (home / "qrels" / "test.tsv").read_text("utf-8").splitlines():
        question, document, grade = line.split("\t")
        if question in questions and document in place and int(grade) > 0:
            marks.setdefault(question, {})[place[document]] = int(grade)
    asked = [(questions[question], worth) for question, worth in marks.items()]
    return Judged(f"agentset {name}", texts, *_apart(asked))


def cranfield(folder: Path) -> Judged:
    """Read the Cranfield collection; its questions are numbered by their place in the file."""
    home = folder / "ir-cranfield"
    documents = ElementTree.fromstring(f"<all>{_xml(home / 'cran.all.1400.xml')}</all>")
    place: dict[int, int] = {}
    texts: list[str] = []
    for entry in documents.iter("doc"):
        place[int(entry.findtext("docno", ""))] = len(texts)
        texts.append(_one_line(entry.findtext("text") or entry.findtext("title") or ""))
    tops = ElementTree.fromstring(f"<all>{_xml(home / 'cran.qry.xml')}</all>").iter("top")
    questions = [_one_line(top.findtext("title", "")) for top in tops]
    marks: list[dict[int, int]] = [{} for _ in questions]
    for line in (home / "cranqrel.trec.txt").read_text("utf-8").splitlines():
        question, _, document, grade = map(int, line.split())
        if grade > 0 and document in place:
            marks[question - 1][place[document]] = 1
    return Judged("cranfield", texts, *_apart(list(zip(questions, marks, strict=True))))


def known_lie(folder: Path) -> Judged:
    """Read tweets and the claims, checked before, that they repeat (Shaar et al., ACL 2020).

    A claim that stands there twice, but for points and spaces, is one text here.
    """
    home = folder / "ir-known-lie" / "data" / "snopes"
    claims: dict[str, str] = {}
    for title, fact in _pairs(home / "verified-claims.tsv"):
        claims.setdefault(_bare(fact), f"{title}. {fact}")
    place = {fact: at for at, fact in enumerate(claims)}
    marks: dict[str, dict[int, int]] = {}
    for tweet, fact in _pairs(home / "fact-checking" / "tweet-veclaim-pairs.tsv"):
        if _bare(fact) in place:
            marks.setdefault(tweet, {})[place[_bare(fact)]] = 1
    return Judged("known-lie", list(claims.values()), *_apart(list(marks.items())))


def mgsm(folder: Path, lang: str, *, digits: bool) -> Judged:
    """Read English problems as questions, their translations into `lang` as texts (MGSM).

    Without `digits` every number in figures is taken out, so that it cannot do the work.
    """
    home = folder / "bench-mgsm" / "mgsm"

    def problems(of: str) -> list[str]:
        lines = (home / f"mgsm_{of}.tsv").read_text("utf-8").strip().split("\n")
        rows = [line.split("\t")[0] for line in lines]
        return [row if digits else re.sub(r"[\d.,]*\d", " ", row) for row in rows]

    questions, texts = problems("en"), problems(lang)
    worth = [{at: 1} for at in range(len(questions))]
    return Judged(f"mgsm en-{lang}" + ("" if digits else " no digits"), texts, questions, worth)


def _apart(asked: Sequence[tuple[str, Worth]]) -> tuple[list[str], list[Worth]]:
    kept = [(question, worth) for question, worth in asked if worth]
    return [question for question, _ in kept], [worth for _, worth in kept]


def _json_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").strip().split("\n")]


def _xml(path: Path) -> str:
    return re.sub(r"<\?xml[^>]*\?>", "", path.read_text("utf-8"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _pairs(path: Path) -> list[tuple[str, str]]:
    rows = csv.reader(io.StringIO(path.read_text("utf-8")), delimiter="\t")
    next(rows)
    return [(row[0], row[1]) for row in rows if len(row) >= 2]
