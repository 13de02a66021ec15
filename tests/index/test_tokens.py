"""What finds a post beside its text, and what a question is taken apart into."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fairwitness.index import LiveIndex, Query, tokens
from fairwitness.kernels import words
from fairwitness.posts.post import Post, Posted

Make = Callable[..., Post]


def test_a_post_is_found_by_who_and_what_it_names(post: Make) -> None:
    made = post(
        "id",
        "Look 🚀 $TSLA https://a.example/b",
        author="nasa.bsky.social",
        hashtags=("BigNews",),
        mentions=("who.example",),
        links=("https://a.example/b", "https://www.reuters.example/World-news"),
    )
    assert tokens.of_question(made.text) == "look 🚀 tsla https a example b".split()
    (aside,) = words.of_asides([tokens.aside(made)]).joined
    who = "@nasa.bsky.social nasa #bignews big news bignews"
    assert aside.startswith(who)
    assert {"@who.example", "$tsla", "reuters", "world", "news"} <= set(aside.split())
    assert "b" not in aside.split(), "a link that the text shows"


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("nasa", "nasa"),
        ("nasa.bsky.social", "nasa"),
        ("nasa@mas.to", "nasa"),
        ("@nasa@mas.to", "nasa"),
        ("a_b.example", "a_b"),
        ("BBC News", "BBC"),
        ("", ""),
        ("@.", ""),
    ],
)
def test_a_handle_begins_with_a_name(handle: str, name: str) -> None:
    assert tokens._name_in(handle) == name


def test_a_question_is_taken_apart() -> None:
    text = "Ist @NASA.gov 今日は #Launch 🚀 bereit?"
    assert tokens.words_of(text) == ["ist", "nasa", "gov", "launch", "🚀", "bereit"]
    assert tokens.signs_of(text) == ["@nasa.gov", "#launch"]
    assert tokens.runs_of(text) == ["今日は"]
    assert tokens.of_question(text)[3:6] == ["今", "日", "は"]


@pytest.mark.parametrize("asked", ["🚀", "🚀🚀", "ຊ້າງ", "ភ្នំពេញ", "မြန်မာ", "ニュース", "👩\u200d🚀"])
def test_emoji_and_unspaced_scripts_can_be_asked_for(
    index: LiveIndex, post: Make, asked: str
) -> None:
    texts = [
        "liftoff 🚀",
        "ເຫັນຊ້າງໃຫຍ່",
        "នៅភ្នំពេញថ្ងៃនេះ",
        "ယနေ့မြန်မာသတင်း",
        "速報ニュースです",
        "she 👩🏽\u200d🚀!",
    ]
    index.apply([Posted(post(text, text)) for text in texts], 1)
    index.refresh()
    first = index.search(Query(words=asked)).hits[0].post.id
    assert asked.strip("🚀") in first.replace("🏽", "")
    assert index.search(Query(words="ab")).hits == ()


def test_posts_of_several_batches_are_found_in_one_go(tmp_path: Path, post: Make) -> None:
    with closing(LiveIndex.open(tmp_path / "index")) as index:
        index.apply([Posted(post(f"id{i}", f"number n{i}")) for i in range(501)], 1)
        index.refresh()
        for i in (0, 499, 500):
            (hit,) = index.search(Query(words=f"n{i}")).hits
            assert hit.post.id == f"id{i}"
