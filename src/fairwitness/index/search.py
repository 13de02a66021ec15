"""A query in, hits out: the reading side of the index.

A search works on a view that was taken in one piece: runs of words, and how many rows count. What
the writer does meanwhile shows only in columns, where each store is whole: a row is either gone or
not, and an edited post is seen in its old version until the view has the new one.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import filterfalse, repeat
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwitness.index import fusion, meaning, rank
from fairwitness.index.ask import Ask, Statistics, compile_query
from fairwitness.index.filters import Filters, Mask
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
from fairwitness.index.slice import Slice
from fairwitness.index.table import Table
from fairwitness.index.words import Runs
from fairwitness.kernels.hamming import Near
from fairwitness.kernels.postings import Run
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
    runs: list[tuple[Run, int]] = []
    for part, runs_of_slice, row_count in view.slices[::-1]:
        end = row_count
        if not runs and as_of_ms is not None and part.history.latest_ms > as_of_ms:
            until = part.columns.since_ms[:row_count] <= as_of_ms
            if not until.any():
                continue
            end -= int(until[::-1].argmax())
        runs += ((each.run, end) for each in runs_of_slice)
    return Statistics(runs)


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
        self._slices = range(len(view.slices))
        self._clauses = clauses_of(query)
        self._said = Filters(filter(is_said, self._clauses), table, as_of_ms)
        self._others = Filters(filterfalse(is_said, self._clauses), table, as_of_ms)
        self._searched = self._matched = 0

    def results(self) -> Results:
        """Do it."""
        query, clauses = self._query, self._clauses
        allowed = [self._allowed(at) for at in self._slices]
        if not query.words.strip() and not query.phrases:
            return self._newest_first(allowed)
        ask = compile_query(query, statistics(self._view, self._as_of_ms))
        if not query.phrases and any(map(asks_for_words, clauses)):
            return self._with_or_without_words(ask, allowed)
        found = self._matching(ask, allowed)
        if query.meaning and not query.phrases and not any(map(is_said, clauses)):
            found = self._with_nearest(found, allowed)
        return self._ranked(found, WEIGHTS, matched=sum(len(part.rows) for part in found))

    def _newest_first(self, allowed: Sequence[Mask | None]) -> Results:
        """Answer a query without words to rank by."""
        weights = Weights(words=0.0, engagement=0.0, trust=0.0)
        found = [self._newest(at, mask) for at, mask in enumerate(allowed)]
        return self._ranked(found, weights, self._matched)

    def _with_or_without_words(self, ask: Ask | None, allowed: Sequence[Mask | None]) -> Results:
        """Answer `fire OR from:ann`: the best by words, and the newest of those without."""
        found = self._matching(ask, allowed)
        for part, mask in list(zip(found, allowed, strict=True)):
            assert mask is not None, "there are clauses"
            mask[part.rows] = False
            found.append(self._newest(part.at, mask))
        return self._ranked(found, WEIGHTS, self._matched)

    def _with_nearest(self, found: Sequence[Found], allowed: Sequence[Mask | None]) -> list[Found]:
        """Mark which posts are the nearest to what is asked, and add those that no word found."""
        (query,) = meaning.codes(pack([self._query.meaning]))
        nearest: list[tuple[int, int, int]] = []
        for at in self._slices:
            near = self._near(at, query, allowed[at])
            nearest += zip(near.distances.tolist(), near.rows.tolist(), repeat(at), strict=False)
        by_slice: dict[int, list[int]] = defaultdict(list)
        for _, row, at in sorted(nearest)[:_NEAREST]:
            by_slice[at].append(row)
        marked: list[Found] = []
        for part in found:
            rows = np.array(by_slice[part.at], np.int64)
            new = rows[~np.isin(rows, part.rows)]
            marked.append(part._replace(near=np.isin(part.rows, rows)))
            marked.append(Found(part.at, new, np.zeros(len(new)), np.ones(len(new), bool)))
        return marked

    def _near(self, at: int, query: NDArray[np.uint8], allowed: Mask | None) -> Near:
        part, _, row_count = self._view.slices[at]
        if allowed is not None:
            return part.codes.near(query, _NEAREST, row_count, allowed)
        near = part.codes.near(query, 2 * _NEAREST, row_count, None)
        inside = np.flatnonzero(near.rows < row_count)
        shown = inside[part.history.shows(near.rows[inside], self._view.rows, self._as_of_ms)]
        return Near(near.rows[shown], near.distances[shown])

    def _newest(self, at: int, allowed: Mask | None) -> Found:
        """Return the newest allowed posts of a slice."""
        if allowed is None:
            part, _, row_count = self._view.slices[at]
            allowed = part.history.shows(slice(0, row_count), self._view.rows, self._as_of_ms)
        rows = np.flatnonzero(allowed)
        if len(rows) > self._limit:
            made_ms = self._view.slices[at].part.columns.made_ms[rows]
            rows = rows[rank.best_first(np.zeros(len(rows)), made_ms)[: self._limit]]
        return Found(at, rows, np.zeros(len(rows)))

    def _matching(self, ask: Ask | None, allowed: Sequence[Mask | None]) -> list[Found]:
        """Return the posts that match words best, at least `limit` of all if there are.

        One in a slice each, also where nothing was found.
        """
        if ask is None or not self._limit:
            return [Found(at, np.zeros(0, np.int64), np.zeros(0)) for at in self._slices]
        depth = max(_DEPTH, 2 * self._limit)
        while True:
            best = self._best(ask, depth, allowed)
            found = [self._shown(part, allowed[part.at]) for part in best]
            shown_count = sum(len(part.rows) for part in found)
            if shown_count >= self._limit or sum(len(part.rows) for part in best) < depth:
                return found
            depth *= 4

    def _best(self, ask: Ask, depth: int, allowed: Sequence[Mask | None]) -> list[Found]:
        """Return the rows of each slice that are among the `depth` best of all, and perhaps more.

        The newest are ranked first: what comes after has to be better than the best so far.
        """
        found: list[Found] = []
        best, floor = np.zeros(0), 0.0
        for at in self._slices[::-1]:
            _, runs, row_count = self._view.slices[at]
            mask = allowed[at]
            is_empty = mask is not None and not mask.any()
            ranked = []
            for each in () if is_empty else runs[::-1]:
                ranked.append(
                    each.run.rank(ask.terms, ask.mean_length, depth, row_count, mask, floor)
                )
                best = np.sort(np.concatenate([best, ranked[-1].scores]))[-depth:]
                floor = float(best[0]) if len(best) == depth else 0.0
            rows = np.concatenate([np.zeros(0, np.int64), *(each.rows for each in ranked)])
            scores = np.concatenate([np.zeros(0), *(each.scores for each in ranked)])
            found.append(Found(at, rows, scores / ask.perfect))
        return found[::-1]

    def _shown(self, found: Found, allowed: Mask | None) -> Found:
        """Leave out what does not show; a mask of what is allowed has done so already."""
        if allowed is not None:
            return found
        history = self._view.slices[found.at].part.history
        shown = history.shows(found.rows, self._view.rows, self._as_of_ms)
        return Found(found.at, found.rows[shown], found.words[shown])

    def _allowed(self, at: int) -> Mask | None:
        """Return which rows the moment and the clauses allow; None for all that show now."""
        part, runs, row_count = self._view.slices[at]
        if not self._clauses and (
            self._as_of_ms is None or self._as_of_ms >= part.history.latest_ms
        ):
            self._searched += part.history.visible
            self._matched += part.history.visible
            return None
        if self._others.leave_out(part):
            return np.zeros(row_count, np.bool_)
        allowed = part.history.shows(slice(0, row_count), self._view.rows, self._as_of_ms)
        self._others.narrow(allowed, part, runs)
        self._searched += int(allowed.sum())
        self._said.narrow(allowed, part, runs)
        self._matched += int(allowed.sum())
        return allowed

    def _ranked(self, found: Sequence[Found], weights: Weights, matched: int) -> Results:
        if not any(len(part.rows) for part in found):
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
            post = post_as_of(part, row, self._as_of_ms)
            if post is not None:
                score, cluster = float(total[chosen]), int(part.columns.cluster[row])
                words = float(words_worth[chosen])
                hits.append(Hit(post, score, Parts(*parts[chosen].tolist()), cluster, words))
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
        posts = [self._view.slices[at].part.post_at(row) for at, row in (places[i] for i in read)]
        like = meaning.alike(
            self._query.meaning, pack([post.text if post else "" for post in posts])
        )
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


def _near_of(found: Found) -> NDArray[np.bool_]:
    return np.zeros(len(found.rows), bool) if found.near is None else found.near


def post_as_of(part: Slice, row: int, as_of_ms: int | None) -> Post | None:
    """Return the post of a row with its engagement as of a moment; None when it is gone."""
    post = part.post_at(row)
    if post is None:
        return None
    engagement = part.history.engagement(row, as_of_ms)
    if engagement == post.engagement:
        return post
    return msgspec.structs.replace(post, engagement=engagement)
