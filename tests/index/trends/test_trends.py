"""What bursts is found, with its first posts; what only looks like it is not."""

import numpy as np
import pytest

from fairwitness.index.trends import Chart, Trends, items_in, names_of, read_chart, write_chart
from fairwitness.index.trends.items import LINK, WORD, item_of


def test_a_quiet_stream_has_no_trends(stream) -> None:
    stream.warm(150)
    assert stream.names() == []


def test_a_burst_is_found_within_two_ticks_with_its_first_post(stream) -> None:
    stream.warm()
    early = stream.post("#quake in the harbour street", author="ana")
    stream.tick(early)
    stream.tick(*(stream.post(f"felt that #quake in harbour {n}") for n in range(15)))
    (trend,) = stream.trends.top(5) if stream.names() else [None]
    assert trend is not None
    assert {"#quake", "quake", "harbour"} <= set(trend.terms)
    assert trend.first.id == early.id
    assert trend.first.author == "ana"
    assert trend.since_ms == early.seen_ms
    assert trend.lang == ""
    assert trend.growth > 10
    assert trend.peak_per_minute >= trend.per_minute > 60
    assert len({shown.author for shown in trend.examples}) == 5


def test_a_burst_in_one_language_is_listed_under_it(stream) -> None:
    stream.warm()
    for _ in range(12):
        stream.tick(*(stream.post("hola amigos que tal", lang="es") for _ in range(10)))
    stream.tick(*(stream.post("terremoto hola amigos", lang="es") for _ in range(20)))
    assert stream.names("es") == ["terremoto"]
    assert stream.names("en") == []
    assert stream.names() == ["terremoto"]


def test_one_author_makes_no_trend(stream) -> None:
    stream.warm()
    for _ in range(6):
        stream.tick(*(stream.post(f"buy #coin {n}", author="bot") for n in range(40)))
    assert stream.names() == []


def test_copies_of_one_text_trend_as_copies_and_its_words_do_not(stream) -> None:
    stream.warm()
    posts = [stream.post("buy the #coin that everybody wants") for _ in range(40)]
    stream.say(posts, np.full(len(posts), 77, np.uint64))
    stream.now_ms += 5_000
    (trend,) = stream.trends.top(5) if stream.names() else [None]
    assert trend is not None
    assert (trend.kind, trend.name) == ("copies", "buy the #coin that everybody wants")


def test_a_link_trends(stream) -> None:
    stream.warm()
    link = "https://example.org/report"
    stream.tick(*(stream.post(f"w{n} w{n + 9}", links=(link,)) for n in range(20)))
    stream.names()
    (trend,) = stream.trends.top(5)
    assert (trend.kind, trend.name) == ("link", link)


def test_what_is_written_without_spaces_trends_as_pairs(stream) -> None:
    stream.warm()
    for _ in range(12):
        stream.tick(*(stream.post("今日は天気がいい", lang="ja") for _ in range(10)))
    texts = ["津波警報が出た", "津波警報です", "また津波警報", "津波警報こわい"]
    stream.tick(*(stream.post(texts[n % 4], lang="ja") for n in range(24)))
    stream.names()
    (trend,) = stream.trends.top(5, ["ja"])
    assert {"津波", "波警", "警報"} <= set(trend.terms)


def test_later_and_other_bursts_are_trends_of_their_own(stream) -> None:
    stream.warm()
    for _ in range(3):
        one = [stream.post("goal by ramos tonight") for _ in range(12)]
        other = [stream.post("fire near station") for _ in range(12)]
        stream.tick(*one, *other)
    stream.names()
    found = stream.trends.top(5)
    assert len(found) == 2
    assert {"goal", "ramos"} <= set().union(*(t.terms for t in found if "goal" in t.terms))
    assert all({"goal", "fire"} - set(trend.terms) for trend in found)


def test_a_trend_ends(stream) -> None:
    stream.warm()
    for _ in range(3):
        stream.tick(*(stream.post(f"flood again {n}") for n in range(20)))
    assert stream.names()
    stream.warm(14)
    assert stream.names() == []


def test_what_lasts_becomes_usual(stream) -> None:
    stream.warm()
    for _ in range(4):
        stream.tick(*(stream.post(f"election {n}") for n in range(10)))
    assert stream.names() == ["election"]
    for _ in range(400):
        stream.tick(*(stream.post("election") for _ in range(6)), chatter=6)
    assert stream.names() == []


def test_a_surge_of_all_that_is_said_is_no_trend(stream) -> None:
    stream.warm()
    for _ in range(4):
        stream.tick(chatter=1_000)
    assert stream.names() == []


def test_a_language_that_wakes_up_is_no_trend(stream) -> None:
    stream.warm()
    for n in range(30):
        words = ["buenos", "dias", "a", "todos", "hola"]
        count = min(2 * n, 40)
        stream.tick(*(stream.post(" ".join(words[m % 3 :]), lang="es") for m in range(count)))
    assert stream.names() == []
    assert stream.names("es") == []


def test_deleted_posts_are_shown_no_more(stream) -> None:
    stream.warm()
    posts = [stream.post(f"quake {n}") for n in range(20)]
    stream.tick(*posts)
    assert stream.names() == ["quake"]
    (trend,) = stream.trends.top(1)
    stream.trends.forget([trend.first.id, trend.examples[0].id])
    (after,) = stream.trends.top(1)
    shown = {after.first.id, *(each.id for each in after.examples)}
    assert shown.isdisjoint({trend.first.id, trend.examples[0].id})
    assert after.first.id == trend.examples[1].id
    stream.trends.forget([post.id for post in posts])
    assert stream.trends.top(1) == []


def test_posts_that_are_gone_before_anybody_looks_are_never_shown(stream) -> None:
    stream.warm()
    posts = [stream.post(f"quake {n}") for n in range(20)]
    stream.tick(*posts)
    gone = {post.id for post in posts[:10]}
    stream.posts = [None if post and post.id in gone else post for post in stream.posts]
    stream.names()
    (trend,) = stream.trends.top(1)
    assert {trend.first.id, *(each.id for each in trend.examples)}.isdisjoint(gone)


def test_going_on_after_a_restart_is_going_on(new_stream) -> None:
    one = new_stream(3).warm(60)
    one.tick(*(one.post(f"quake {n}") for n in range(20)))
    one.say(one.chatter(20))
    saved = {name: array.copy() for name, array in one.trends.arrays().items()}
    other = new_stream(3)
    other.posts, other.langs = one.posts, one.langs
    other.trends = Trends(other.look, other.langs.__getitem__, one.bounds)
    other.trends.restore(saved)
    assert other.trends.chart == one.trends.chart
    for _ in range(30):
        posts = [*one.chatter(30), *(one.post("quake and #flood") for _ in range(8))]
        first = len(one.posts)
        one.say(posts)
        other.posts = one.posts
        other.trends.see(items_in(posts, first, one.lang_number))
        one.now_ms += 5_000
        assert other.trends.chart == one.trends.chart
    assert {name: array.tobytes() for name, array in one.trends.arrays().items()} == {
        name: array.tobytes() for name, array in other.trends.arrays().items()
    }


@pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000, -30_000, 400_000])
def test_a_clock_that_jumps_makes_no_trends_and_hides_none(stream, jump_ms: int) -> None:
    stream.warm()
    stream.now_ms += jump_ms
    for _ in range(10):
        stream.tick()
    assert stream.names() == []
    stream.warm(4)
    for _ in range(3):
        stream.tick(*(stream.post(f"quake {n}") for n in range(20)))
    assert stream.names() == ["quake"]


def test_posts_that_are_late_count_where_they_come(stream) -> None:
    stream.warm()
    late = [
        stream.post(f"quake {n}", at_ms=stream.now_ms - 86_400_000 * (n % 2)) for n in range(20)
    ]
    stream.tick(*late)
    assert stream.names() == ["quake"]


def test_a_chart_on_disk_is_the_chart(tmp_path, stream) -> None:
    stream.warm()
    stream.tick(*(stream.post(f"quake {n}") for n in range(20)))
    stream.names()
    path = tmp_path / "trends.json"
    assert read_chart(path) == Chart(0)
    write_chart(path, stream.trends.chart)
    assert read_chart(path) == stream.trends.chart
    assert len(path.read_bytes()) < 4_000
    path.write_bytes(path.read_bytes()[:-9])
    assert read_chart(path) == Chart(0)


def test_names_are_of_the_items_that_are_counted(stream) -> None:
    post = stream.post(
        "Terremoto 津波警報 ok 👍 #Fight", hashtags=("Fight",), links=("https://example.org/a",)
    )
    said = items_in([post], 0, lambda _: 0)
    items = {item_of(h, WORD) for h in said.words.tolist()}
    items |= {item_of(h, LINK) for h in said.links.tolist()}
    names = names_of(post)
    assert set(names) == items
    assert set(names.values()) == {
        *("terremoto", "津波", "波警", "警報", "ok", "👍", "fight", "#fight"),
        "https://example.org/a",
    }


@pytest.mark.parametrize("text", ["", " ", "👍", "\ud800", "津", "#", "x" * 100_000])
def test_odd_texts_are_taken(stream, text: str) -> None:
    post = stream.post(text)
    stream.tick(post)
    assert isinstance(names_of(post), dict)
