"""What shards say, taken together."""

import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

from fairwitness.index import Coverage, Hit, IndexStats, Lag, Parts, Query, Results, fusion
from fairwitness.index.search import WEIGHTS
from fairwitness.index.shards.gather import Found, asked_words, counted, covered, merged
from fairwitness.posts.post import Post

WHOLE = Coverage()


def hit(id_: str, words: float, recency: float = 0.3, made_ms: int = 1_000) -> Hit:
    post = Post(
        id=id_, network="x", author="", author_id="", text="", created_ms=made_ms, seen_ms=made_ms
    )
    return Hit(post, words + recency, Parts(words, recency, 0.0))


def found(*hits: Hit, newest_ms: int = 1_000, counts: dict[str, int] | None = None) -> Found:
    return Found(Results(hits, len(hits), 10, newest_ms), counts or {}, 100)


def test_the_best_of_all_come_first_and_counts_add_up() -> None:
    first = found(hit("a", 0.9), hit("b", 0.2))
    second = found(hit("c", 0.5), hit("d", 0.1))
    results = merged([first, second], 3, WHOLE)
    assert [each.post.id for each in results.hits] == ["a", "c", "b"]
    assert (results.matched, results.searched, results.newest_ms) == (4, 20, 1_000)


def test_equals_stand_by_time_and_then_by_id() -> None:
    first = found(hit("b", 0.5, made_ms=5), hit("z", 0.5, made_ms=9))
    results = merged([first, found(hit("a", 0.5, made_ms=5))], 9, WHOLE)
    assert [each.post.id for each in results.hits] == ["z", "a", "b"]


def test_age_counts_from_the_newest_of_all() -> None:
    day_ms = 4 * WEIGHTS.half_life_ms
    old = found(hit("old", 0.0, recency=0.3), newest_ms=1_000)
    new = found(hit("new", 0.0, recency=0.3), newest_ms=1_000 + day_ms)
    results = merged([old, new, found(newest_ms=9 * day_ms)], 9, WHOLE)
    assert [each.post.id for each in results.hits] == ["new", "old"]
    assert [each.score for each in results.hits] == pytest.approx([0.3, 0.3 / 16])
    assert results.hits[1].parts.recency == pytest.approx(0.3 / 16)


def test_a_shard_that_lacks_a_word_does_not_gain_by_it() -> None:
    has_both = found(hit("both", 1.0), hit("half", 0.4), counts={"rain": 50, "rare": 1})
    lacks = found(hit("rain only", 1.0), counts={"rain": 50, "rare": 0})
    results = merged([has_both, lacks], 9, WHOLE)
    assert [each.post.id for each in results.hits] == ["both", "half", "rain only"]
    # idf of `rain` ln(1 + 50.5/50.5), of a word that no post holds ln(1 + 100.5/0.5)
    share = 0.693147 / (0.693147 + 5.308268)
    assert results.hits[2].parts.words == pytest.approx(share, rel=1e-5)
    nobody = found(hit("same", 1.0), counts={"rain": 50, "unheard": 0})
    assert merged([nobody, nobody], 9, WHOLE).hits[0].parts.words == 1.0


def test_what_is_meant_is_judged_among_all() -> None:
    def said(id_: str, text: str, words: float, fused: float) -> Hit:
        post = Post(
            id=id_, network="x", author="", author_id="", text=text, created_ms=1, seen_ms=1
        )
        return Hit(post, fused, Parts(fused, 0.0, 0.0, meaning=0.1), words=words)

    quake, rain = "a strong earthquake hit Tokyo", "it rains in Tokyo and it will rain"
    one = Found(Results((said("quake", quake, 2.0, 0.1),), 1, 1, 1, best_words=2.0), {}, 9)
    two = Found(Results((said("rain", rain, 0.5, 0.9),), 1, 1, 1, best_words=0.5), {}, 9)
    for order in ([one, two], [two, one]):
        results = merged(order, 9, WHOLE, meant="big earthquake in Japan")
        assert [each.post.id for each in results.hits] == ["quake", "rain"]
        assert results.best_words == 2.0
        first, second = results.hits
        assert first.parts.words == pytest.approx(fusion.WORDS)
        assert second.parts.words == 0.0
        assert first.parts.meaning > second.parts.meaning > 0.0
        assert first.score == pytest.approx(sum(first.parts))


def test_words_that_are_asked() -> None:
    assert asked_words(Query(words="Flood FLOOD alberta", phrases=("in town",))) == [
        "flood", "alberta", "in", "town",
    ]  # fmt: skip
    assert asked_words(Query(words="津波警 雨")) == ["津波", "波警", "雨"]
    assert asked_words(Query()) == []
    assert len(asked_words(Query(words=" ".join(map(str, range(10_000)))))) == 96


def test_nothing_at_all() -> None:
    assert merged([], 5, WHOLE) == Results((), 0, 0, 0, WHOLE)
    assert counted([]) == IndexStats(0, 0, 0, 0, 0, 0, {}, 0, 0, 0, 0)


def test_coverage_says_who_is_missing_and_who_is_behind() -> None:
    assert covered({0: 9_900, 1: 10_000}, {}, 2, 10_000) == Coverage(2, 2, ())
    told = covered({0: 10_000, 1: 4_000}, {0: 10_000, 1: 5_000, 2: 7_000}, 4, 10_000)
    lags = (Lag(1, True, 4_000), Lag(2, False, 7_000), Lag(3, False, 0))
    assert told == Coverage(2, 4, lags)
    assert not told.complete
    assert Coverage().complete


def test_stats_add_up() -> None:
    one = IndexStats(3, 4, 1, 90, 20, 100, {"x": 2, "y": 1}, 1, 2, 3, 4)
    two = IndexStats(1, 1, 2, 95, 30, 50, {"x": 1}, 0, 1, 0, 1)
    none = IndexStats(0, 0, 1, 0, 0, 10, {}, 0, 0, 0, 0)
    assert counted([one, two, none]) == IndexStats(
        4, 5, 4, 95, 20, 160, {"x": 3, "y": 1}, 1, 3, 3, 5
    )
