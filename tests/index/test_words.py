"""Which words find which posts, in scripts of every kind, and what no question can do."""

import random
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from fairwitness.index import LiveIndex, Query
from fairwitness.index import words as words_module
from fairwitness.posts.post import Post, Posted

Make = Callable[..., Post]

TEXTS = {
    "italian": "Forte terremoto: café distrutto a L'Aquila",
    "japanese": "津波警報が発表されました。高台へ避難してください",
    "chinese": "宁波妇儿医院今天下午发生火灾，消防员到场",
    "thai": "น้ำท่วมกรุงเทพ",
    "korean": "지진이 발생했다",
    "hindi": "दिल्ली में भूकंप",
    "russian": "Пожар в Москве",
    "fight": "what a #fight tonight $TSLA",
    "tag": "round ten",
    "link": "look at this",
}


@pytest.fixture
def filled(index: LiveIndex, post: Make) -> LiveIndex:
    more = {
        "tag": {"hashtags": ("MayweatherMcGregor", "津波")},
        "fight": {"hashtags": ("fight",), "mentions": ("espn.com",)},
        "link": {"links": ("https://www.reuters.example/world/volcano-erupts",)},
        "korean": {"author": "kbs.news.kr"},
    }
    events = [Posted(post(id, text, **more.get(id, {}))) for id, text in TEXTS.items()]
    index.apply(events, 1)
    index.refresh()
    return index


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("TERREMOTO", ["italian"]),
        ("terrémoto cafe", ["italian"]),
        ("津波", ["japanese"]),
        ("今日的津波警报 消息？", ["japanese"]),
        ("宁波哪家医院发生了火灾？", ["chinese"]),
        ("กรุงเทพ", ["thai"]),
        ("지진이", ["korean"]),
        ("भूकंप", ["hindi"]),
        ("пожар", ["russian"]),
        ("fight", ["fight"]),
        ("#Fight", ["fight"]),
        ("#round", ["tag"]),
        ("#mayweathermcgregor", ["tag"]),
        ("mcgregor", ["tag"]),
        ("#津波", ["tag", "japanese"]),
        ("$tsla", ["fight"]),
        ("@espn.com", ["fight"]),
        ("@kbs.news.kr", ["korean"]),
        ("kbs", ["korean"]),
        ("volcano", ["link"]),
        ("reuters", ["link"]),
        ("nothing of the kind", []),
    ],
)
def test_words_find(filled: LiveIndex, words: str, expected: list[str]) -> None:
    found = [hit.post.id for hit in filled.search(Query(words=words)).hits]
    assert sorted(set(found) & set(expected)) == sorted(expected)
    assert set(found) <= {*expected, "tag"}


def test_a_word_in_the_text_outranks_one_beside_it(index: LiveIndex, post: Make) -> None:
    beside = post("beside", "look who is here", author="volcano")
    index.apply([Posted(beside), Posted(post("in", "the volcano is erupting"))], 1)
    index.refresh()
    assert [h.post.id for h in index.search(Query(words="volcano")).hits] == ["in", "beside"]


def test_phrases_must_stand_word_for_word(index: LiveIndex, post: Make) -> None:
    texts = {"a": "state of emergency declared", "b": "emergency of the state", "c": "Emergency!"}
    index.apply([Posted(post(id, text)) for id, text in texts.items()], 1)
    index.refresh()

    def found(*phrases: str, words: str = "") -> list[str]:
        query = Query(words=words, phrases=phrases)
        return sorted(hit.post.id for hit in index.search(query).hits)

    assert found("State of EMERGENCY") == ["a"]
    assert found("emergency") == ["a", "b", "c"]
    assert found("emergency", "the state", words="declared") == ["b"]
    assert found("state declared") == []
    assert index.search(Query(phrases=("emergency",), words="declared")).hits[0].post.id == "a"


def test_all_words_beat_some_and_rare_beat_common(index: LiveIndex, post: Make) -> None:
    texts = ["big fire", "big storm", "big win", "fire in turin", "big day"]
    index.apply([Posted(post(text, text)) for text in texts], 1)
    index.refresh()
    hits = index.search(Query(words="big fire turin")).hits
    assert hits[0].post.id == "fire in turin"
    assert hits[1].post.id == "big fire"
    assert hits[0].parts.words > hits[2].parts.words


@pytest.mark.parametrize(
    "words",
    [
        'text:fire AND (OR "',
        "row:[0 TO 9}",
        "~ ^ * ? \\ /.*/",
        "\x00\x01",
        "\ud800 broken",
        "#",
        "# @ $",
        "'; DROP TABLE posts; --",
        "a" * 100_000,
        "津" * 100_000,
        "\u0301\u0301",
    ],
)
def test_no_question_raises(filled: LiveIndex, words: str) -> None:
    for query in (Query(words=words), Query(phrases=(words,)), Query(authors=(words[:99],))):
        assert filled.search(query).searched <= len(TEXTS)
    assert filled.get(words) is None


def test_a_huge_question_is_bounded_and_keeps_its_rarest_words(
    filled: LiveIndex, post: Make
) -> None:
    many = [Posted(post(str(n), " ".join(f"w{i}" for i in range(900)))) for n in range(8)]
    filled.apply(many, 2)
    filled.refresh()
    words = " ".join(f"w{i}" for i in range(900)) + " terremoto " + "more " * 20_000
    started_s = time.perf_counter()
    hits = filled.search(Query(words=words)).hits
    assert time.perf_counter() - started_s < 2
    assert "italian" in [hit.post.id for hit in hits]
    assert filled.search(Query(words=" ".join(f"q{i}" for i in range(10_000)))).hits == ()


@pytest.mark.parametrize("rows_max", [1, 200, 10_000])
def test_runs_stay_few_and_words_are_seldom_written_again(rows_max: int) -> None:
    """In an hour of four commits a second a question never asks many: its tail is flat."""
    dice, sizes, written, most = random.Random(rows_max), list[int](), 0, 0
    for _ in range(14_400):
        sizes.append(dice.randint(1, rows_max))
        runs = [SimpleNamespace(run=SimpleNamespace(rows=rows)) for rows in sizes]
        merged = len(words_module._of_like_size(tuple(runs)))  # type: ignore[arg-type]
        if merged:
            sizes[-merged:] = [sum(sizes[-merged:])]
            written += sizes[-1]
        most = max(most, len(sizes))
    levels = len(np.base_repr(sum(sizes), words_module.FAN_IN))
    assert most < words_module.FAN_IN * levels
    assert written < levels * sum(sizes)
