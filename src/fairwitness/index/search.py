"""A query in, hits out: the reading side of the index.

A search works on a view that was taken in one piece: runs of words, and how many rows count. What
the writer does meanwhile shows only in columns, where each store is whole: a row is either gone or
not, and an edited post is seen in its old version until the view has the new one.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import filterfalse, islice
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.index import fusion, meaning, rank
from fairwitness.index.ask import Ask, Statistics, compile_query
from fairwitness.index.columns import AUTHOR_FLOODS
from fairwitness.index.filters import Filters, Mask
from fairwitness.index.near import Place, nearest
from fairwitness.index.query import (
    Hit,
    Parts,
    Query,
    Results,
    asks_for_words,
    clauses_of,
    is_said,
)
from fairwitness.index.rank import Candidates, Weights
from fairwitness.index.reading import Reading
from fairwitness.index.slice import Slice
from fairwitness.index.table import Table
from fairwitness.index.words import Runs
from fairwitness.kernels import postings
from fairwitness.kernels.postings import Part
from fairwitness.kernels.texts import pack
from fairwitness.posts.post import Post

WEIGHTS = Weights()
_DEPTH = 300
"""How many of the best posts by words are ranked by everything: recency and reach can lift a post
from that deep, not from deeper."""
_NEAREST = 50
"""How many posts are read for what they mean because their codes are near."""
_REREAD = 50
"""How many are because of all else."""

Rows = NDArray[np.int64]


class SliceView(NamedTuple):
    """One slice at the moment of the view."""

    part: Slice
    runs: Runs
    rows: int


class View(NamedTuple):
    """What a search looks at; `rows` ordinals are searchable."""

    slices: tuple[SliceView, ...]
    rows: int


class Looked(NamedTuple):
    """A slice that is searched."""

    at: int
    """Which of the view's."""
    part: Slice
    runs: Runs
    rows: int
    allowed: Mask | None
    """Which rows the moment and the clauses allow, perhaps with some that went a moment ago; None
    for all that show now."""


class Found(NamedTuple):
    """Rows of one slice that matched, with what words were worth."""

    at: int
    rows: Rows
    words: NDArray[np.float64]
    near: NDArray[np.bool_] | None = None
    """Which are among the nearest of all slices by their codes; None where nobody looked."""


def take_view(table: Table) -> View:
    """Return what is searchable now; called by the writer only, after a commit."""
    slices = tuple(SliceView(part, part.words.runs, part.searchable_rows) for part in table.slices)
    return View(slices, slices[-1].part.first + slices[-1].rows)


def statistics(view: View, as_of_ms: int | None = None) -> Statistics:
    """Return how common words are among the posts up to the last of a moment, None for now.

    What comes later cannot change it, as long as the clock goes forward.
    """
    parts: list[Part] = []
    for part, runs, row_count in view.slices[::-1]:
        end = row_count
        if not parts and as_of_ms is not None and part.history.latest_ms > as_of_ms:
            until = part.columns.seen_until(as_of_ms, slice(0, row_count))
            if not until.any():
                continue
            end -= int(until[::-1].argmax())
        parts += (Part(each.run, end) for each in runs)
    return Statistics(parts)


class Search:
    """One search under way."""

    def __init__(
        self, table: Table, view: View, query: Query, as_of_ms: int | None, limit: int
    ) -> None:
        self._view = view
        self._query = query
        self._as_of_ms = as_of_ms
        self._limit = max(limit, 0)
        self._table = table
        self._clauses = clauses_of(query)
        self._said = Filters(filter(is_said, self._clauses), table, as_of_ms)
        self._others = Filters(filterfalse(is_said, self._clauses), table, as_of_ms)
        self._searched = self._matched = 0
        self._reading = Reading([each.part for each in view.slices])

    def results(self) -> Results:
        """Do it."""
        query, clauses = self._query, self._clauses
        looked = self._looked()
        if not query.words.strip() and not query.phrases:
            return self._newest_first(looked)
        ask = compile_query(query, statistics(self._view, self._as_of_ms))
        if not query.phrases and any(map(asks_for_words, clauses)):
            return self._with_or_without_words(ask, looked)
        if query.meaning and not query.phrases and not any(map(is_said, clauses)):
            # Kernels do both, without the interpreter's lock: each may have a core.
            rows_near = _threads(os.getpid()).submit(self._nearest, looked)
            found = self._matching(ask, looked)
            found = [_with(*each) for each in zip(found, rows_near.result(), strict=True)]
        else:
            found = self._matching(ask, looked)
        return self._ranked(found, WEIGHTS, matched=sum(len(part.rows) for part in found))

    def _newest_first(self, looked: Sequence[Looked]) -> Results:
        """Answer a query without words to rank by."""
        weights = Weights(words=0.0, engagement=0.0, trust=0.0)
        return self._ranked([self._newest(each) for each in looked], weights, self._matched)

    def _with_or_without_words(self, ask: Ask | None, looked: Sequence[Looked]) -> Results:
        """Answer `fire OR from:ann`: the best by words, and the newest of those without."""
        found = self._matching(ask, looked)
        for part, each in list(zip(found, looked, strict=True)):
            assert each.allowed is not None, "there are clauses"
            each.allowed[part.rows] = False
            found.append(self._newest(each))
        return self._ranked(found, WEIGHTS, self._matched)

    def _nearest(self, looked: Sequence[Looked]) -> list[Rows]:
        """Return of each slice the rows that are among the nearest of all to what is asked."""
        (query,) = meaning.codes(pack([self._query.meaning]))
        found = nearest(list(map(self._place, looked)), query, _NEAREST)
        self._reading.ahead(
            (part.at, row)
            for part, rows in zip(looked, found, strict=True)
            for row in rows.tolist()
        )
        return found

    def _place(self, looked: Looked) -> Place:
        """Return where to look for what posts mean."""
        history, row_count = looked.part.history, looked.rows

        def shows(rows: Rows) -> Mask:
            shown = rows < row_count
            shown[shown] = history.shows(rows[shown], self._view.rows, self._as_of_ms)
            return shown

        lists, allowed = looked.part.codes.lists(row_count), looked.allowed
        if allowed is not None and len(allowed) < lists.size:  # it was sealed since the view
            allowed = np.append(allowed, np.zeros(lists.size - len(allowed), bool))
        return Place(lists, allowed, shows)

    def _newest(self, looked: Looked) -> Found:
        """Return the newest allowed posts of a slice."""
        at, part, _, row_count, allowed = looked
        if allowed is None:
            allowed = part.history.shown(row_count, self._view.rows, self._as_of_ms)
        rows = np.flatnonzero(allowed)
        rows = rows[part.history.shows(rows, self._view.rows, self._as_of_ms)]
        if len(rows) > self._limit:
            made_ms = part.columns.made_ms[rows]
            rows = rows[rank.best_first(np.zeros(len(rows)), made_ms)[: self._limit]]
        return Found(at, rows, np.zeros(len(rows)))

    def _matching(self, ask: Ask | None, looked: Sequence[Looked]) -> list[Found]:
        """Return the posts that match words best, at least `limit` of all if there are.

        One in a slice each, also where nothing was found.
        """
        if ask is None or not self._limit:
            return [Found(each.at, np.zeros(0, np.int64), np.zeros(0)) for each in looked]
        depth = max(_DEPTH, 2 * self._limit)
        while True:
            best = self._best(ask, depth, looked)
            found = [self._shown(*each) for each in zip(best, looked, strict=True)]
            shown_count = sum(len(part.rows) for part in found)
            if shown_count >= self._limit or sum(len(part.rows) for part in best) < depth:
                return found
            depth *= 4

    def _best(self, ask: Ask, depth: int, looked: Sequence[Looked]) -> list[Found]:
        """Return the rows of each slice that are among the `depth` best of all."""
        parts = [Part(each.run, part.rows, part.allowed) for part in looked for each in part.runs]
        ranked = iter(postings.rank(parts, ask.terms, ask.mean_length, depth))
        found: list[Found] = []
        for part in looked:
            mine = list(islice(ranked, len(part.runs)))
            rows = np.concatenate([np.zeros(0, np.int64), *(each.rows for each in mine)])
            scores = np.concatenate([np.zeros(0), *(each.scores for each in mine)])
            found.append(Found(part.at, rows, scores / ask.perfect))
        return found

    def _shown(self, found: Found, looked: Looked) -> Found:
        """Leave out what does not show, or not any more since a mask was made."""
        if not len(found.rows):
            return found
        history = looked.part.history
        shown = history.shows(found.rows, self._view.rows, self._as_of_ms)
        return found if shown.all() else Found(found.at, found.rows[shown], found.words[shown])

    def _looked(self) -> list[Looked]:
        """Return the slices that hold something which the moment and the clauses allow."""
        looked: list[Looked] = []
        for at, (part, runs, row_count) in enumerate(self._view.slices):
            if self._others.leave_out(part):
                continue
            if self._shows_all(part):
                looked.append(Looked(at, part, runs, row_count, None))
                continue
            allowed = self._allowed(part, runs, row_count)
            if allowed is not None:
                looked.append(Looked(at, part, runs, row_count, allowed))
        return looked

    def _is_past(self, part: Slice) -> bool:
        """Return whether the moment is one at which a slice looked otherwise than now."""
        return self._as_of_ms is not None and self._as_of_ms < part.history.latest_ms

    def _shows_all(self, part: Slice) -> bool:
        """Return whether all that shows now is allowed, and then count it."""
        if self._clauses or self._is_past(part):
            return False
        self._searched += part.history.visible
        self._matched += part.history.visible
        return True

    def _allowed(self, part: Slice, runs: Runs, row_count: int) -> Mask | None:
        """Return what clauses allow, None for nothing, and count it."""
        visible, lasting = part.history.visible, self._others.lasting

        def fresh() -> tuple[Mask, int]:
            mask = part.history.shown(row_count, self._view.rows, self._as_of_ms)
            return mask, self._others.narrow(mask, part, runs)

        if lasting and part.is_frozen and not self._said and not self._is_past(part):
            allowed, searched, *_ = part.masks.get(lasting, visible, self._view.rows, fresh)
        else:
            allowed, searched = fresh()
        matched = self._said.narrow(allowed, part, runs) if self._said and searched else searched
        self._searched += searched
        self._matched += matched
        return allowed if matched else None

    def _ranked(self, found: Sequence[Found], weights: Weights, matched: int) -> Results:
        found = [part for part in found if len(part.rows)]
        if not found:
            return Results((), matched, self._searched)
        made_ms = np.concatenate([self._column(part, "made_ms") for part in found])
        reach = np.concatenate([self._reactions(part, weights) for part in found])
        quality = np.concatenate([self._column(part, "quality") for part in found])
        words_worth = np.concatenate([part.words for part in found])
        places = [(part.at, row) for part in found for row in part.rows.tolist()]
        parts = rank.score(Candidates(words_worth, made_ms, reach, quality), weights)
        if self._query.meaning and weights.words:
            near = np.concatenate([_near_of(part) for part in found])
            self._weigh_meaning(parts, places, words_worth, made_ms, near)
        total = parts.sum(axis=1)
        hits: list[Hit] = []
        for chosen in rank.best_first(total, made_ms).tolist():
            if len(hits) >= self._limit or total[chosen] == -np.inf:
                break
            at, row = places[chosen]
            part = self._view.slices[at].part
            post = self._reading.post((at, row))
            if post is not None:
                post = as_of(post, part, row, self._as_of_ms)
                score, cluster = float(total[chosen]), int(part.columns.cluster[row])
                words = float(words_worth[chosen])
                floods = bool(part.history.marks.flags[row] & AUTHOR_FLOODS)
                each = Parts(*parts[chosen].tolist())
                hits.append(Hit(post, score, each, cluster, words, floods))
        return Results(
            tuple(hits),
            matched,
            self._searched,
            newest_ms=int(made_ms.max()),
            best_words=float(words_worth.max()),
        )

    def _weigh_meaning(
        self,
        parts: NDArray[np.float64],
        places: Sequence[tuple[int, int]],
        words_worth: NDArray[np.float64],
        made_ms: NDArray[np.int64],
        near: NDArray[np.bool_],
    ) -> None:
        """Put into `parts` what words and meaning are worth together; -inf for what is unrelated.

        The texts of the best so far, and of the nearest, are read for it; all others rank behind.
        """
        first = rank.best_first(parts.sum(axis=1), made_ms)[:_REREAD]
        read = np.union1d(first, np.flatnonzero(near))
        texts = self._reading.texts([places[i] for i in read.tolist()])
        like = meaning.alike(self._query.meaning, texts)
        best = words_worth.max()
        fused = fusion.fuse(words_worth[read], like, best=best)
        by_words, by_meaning = map(Parts._fields.index, ("words", "meaning"))
        parts[:, by_words] = words_worth / max(best, 1e-6) - 1.0
        parts[read, by_words], parts[read, by_meaning] = fused.words, fused.meaning
        # What clauses allow stays, whatever it says; what only its code found has to mean the same.
        parts[read[near[read] & ~fusion.related(words_worth[read], like.cosine)]] = -np.inf

    def _column(self, found: Found, name: str) -> NDArray[np.int64]:
        column: NDArray[np.int64] = getattr(self._view.slices[found.at].part.columns, name)
        return column[found.rows]

    def _reactions(self, found: Found, weights: Weights) -> NDArray[np.float64]:
        part = self._view.slices[found.at].part
        return rank.reactions(part.history.counts(found.rows, self._as_of_ms), weights)


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return where a process looks codes through; a fork has none of its parent's threads."""
    return ThreadPoolExecutor(os.cpu_count(), f"nearest of {process}")


def _with(found: Found, nearest_rows: Rows) -> Found:
    """Mark which rows are near, and add those that no word found."""
    by_words, near = found.rows.tolist(), nearest_rows.tolist()
    known, is_near = set(by_words), set(near)
    new = [row for row in near if row not in known]
    marks = [row in is_near for row in by_words]
    return Found(
        found.at,
        np.array(by_words + new, np.int64),
        np.concatenate([found.words, np.zeros(len(new))]),
        np.array(marks + [True] * len(new), bool),
    )


def _near_of(found: Found) -> NDArray[np.bool_]:
    return np.zeros(len(found.rows), bool) if found.near is None else found.near


def as_of(post: Post, part: Slice, row: int, moment_ms: int | None) -> Post:
    """Return the post of a row with its engagement as of a moment."""
    engagement = part.history.engagement(row, moment_ms, post.engagement)
    if engagement == post.engagement:
        return post
    return msgspec.structs.replace(post, engagement=engagement)
