"""What several shards say as what one index would say. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log1p
from typing import NamedTuple

import numpy as np

from fairwitness.index import fusion, meaning, tokens
from fairwitness.index.query import Coverage, Hit, IndexStats, Lag, Query, Results
from fairwitness.index.search import WEIGHTS
from fairwitness.kernels.texts import pack

LATE_MS = 2_000
"""A shard that is fresh up to so long ago is called behind. The house promises one second; a
refresh and a look at the stream may each have just missed the last message."""


_ASKED_CHARS = 2_000
_ASKED_WORDS = 96


class Found(NamedTuple):
    """What one shard found, and what it takes to compare that with other shards."""

    results: Results
    counts: dict[str, int]
    """In how many posts of the shard each asked word occurs."""
    posts: int
    """How many there are."""


def asked_words(query: Query) -> list[str]:
    """Return the words of a query; of a script that does not space them, pairs of neighbours."""
    text = " ".join((query.words, *query.phrases))[:_ASKED_CHARS]
    words = list(tokens.words_of(text))
    for run in tokens.runs_of(text):
        words += ["".join(pair) for pair in pairwise(run)] or ["".join(run)]
    return list(dict.fromkeys(words))[:_ASKED_WORDS]


def merged(found: Sequence[Found], limit: int, coverage: Coverage, *, meant: str = "") -> Results:
    """Return the best of all shards' hits, ranked by what is true of all shards.

    Age is counted from each shard's newest post: it is counted here from the newest of all. What
    words are worth is a share of the words that the shard knows at all: it is made here a share of
    those that any shard knows. Where it was asked what is `meant`, words and meaning are fused
    again, by the best of all. Of a shard that gave `limit` hits and whose order changes by this, a
    hit may be missing that ranked lower there.
    """
    newest_ms = max((each.results.newest_ms for each in found if each.results.hits), default=0)
    known = {word for each in found for word, count in each.counts.items() if count}
    shares = [_share(each, known) for each in found]
    best_words = max(
        (each.results.best_words * share for each, share in zip(found, shares, strict=True)),
        default=0.0,
    )
    hits: list[Hit] = []
    for each, share in zip(found, shares, strict=True):
        half_lives = (newest_ms - each.results.newest_ms) / WEIGHTS.half_life_ms
        fade = 2.0 ** -max(half_lives, 0.0)
        hits += [_scaled(hit, share, fade) for hit in each.results.hits]
    if meant and any(hit.parts.meaning for hit in hits):
        hits = _fused(hits, meant, best_words)
    hits.sort(key=_best_first)
    return Results(
        hits=tuple(hits[: max(limit, 0)]),
        matched=sum(each.results.matched for each in found),
        searched=sum(each.results.searched for each in found),
        newest_ms=newest_ms,
        coverage=coverage,
        best_words=best_words,
    )


def _share(found: Found, known: set[str]) -> float:
    """Return how much of all known words the words are worth that this shard knows, by rarity."""
    here = sum(_idf(count, found.posts) for count in found.counts.values() if count)
    away = sum(1 for word in known if not found.counts.get(word))
    if not away:
        return 1.0
    return here / (here + away * _idf(0, found.posts))


def _idf(count: int, posts: int) -> float:
    # BM25's, as `Statistics.idf` takes it in one index.
    return log1p(max(posts - count + 0.5, 0.0) / (count + 0.5))


def _scaled(hit: Hit, share: float, fade: float) -> Hit:
    if share == fade == 1.0:
        return hit
    parts = hit.parts._replace(words=hit.parts.words * share, recency=hit.parts.recency * fade)
    return Hit(hit.post, sum(parts), parts, words=hit.words * share, floods=hit.floods)


def _fused(hits: Sequence[Hit], meant: str, best_words: float) -> list[Hit]:
    """Return hits as one index that had found them all would score them."""
    like = meaning.alike(meant, pack([hit.post.text for hit in hits]))
    fused = fusion.fuse(np.array([hit.words for hit in hits]), like, best=best_words)
    again: list[Hit] = []
    for hit, words, meant_part in zip(hits, *map(np.ndarray.tolist, fused), strict=True):
        parts = hit.parts._replace(words=words, meaning=meant_part)
        again.append(Hit(hit.post, sum(parts), parts, words=hit.words, floods=hit.floods))
    return again


def _best_first(hit: Hit) -> tuple[float, int, str]:
    return -hit.score, -min(hit.post.created_ms, hit.post.seen_ms), hit.post.id


def covered(
    fresh_ms: Mapping[int, int], known_ms: Mapping[int, int], shards: int, now_ms: int
) -> Coverage:
    """Return what answers stand for.

    `fresh_ms` tells how fresh each answer was, by shard; `known_ms` how fresh each shard was when
    it last said.
    """
    lags = []
    for shard in range(shards):
        if shard not in fresh_ms:
            lags.append(Lag(shard, answered=False, fresh_ms=known_ms.get(shard, 0)))
        elif now_ms - fresh_ms[shard] > LATE_MS:
            lags.append(Lag(shard, answered=True, fresh_ms=fresh_ms[shard]))
    return Coverage(len(fresh_ms), shards, tuple(lags))


def counted(stats: Sequence[IndexStats]) -> IndexStats:
    """Return the stats of shards as of one index."""
    networks: Counter[str] = Counter()
    for each in stats:
        networks.update(each.networks)
    oldest_ms = [each.oldest_seen_ms for each in stats if each.oldest_seen_ms]
    return IndexStats(
        posts=sum(each.posts for each in stats),
        versions=sum(each.versions for each in stats),
        slices=sum(each.slices for each in stats),
        newest_seen_ms=max((each.newest_seen_ms for each in stats), default=0),
        oldest_seen_ms=min(oldest_ms, default=0),
        size_bytes=sum(each.size_bytes for each in stats),
        networks=dict(networks),
        copies=sum(each.copies for each in stats),
        author_floods=sum(each.author_floods for each in stats),
        copy_floods=sum(each.copy_floods for each in stats),
        low_quality=sum(each.low_quality for each in stats),
    )
