"""A post is put together from what is foreign in every part, and can always be written down."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.clock import to_iso
from fairwitness.posts.compose import MAX_MS, MAX_NAMED, MIN_MS, Parts, compose
from fairwitness.posts.post import Engagement, Post


def composed(text: str = "hello there", **said: object) -> Post:
    fields = {"id": "1", "network": "n", "author": "ann", "author_id": "a", "seen_ms": 5}
    return compose(Parts(cleaned=clean.from_plain(text), **{**fields, "created_ms": 5, **said}))


def as_stored(post: Post) -> Post:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(post), type=Post)


@pytest.mark.parametrize(
    ("claimed_ms", "kept_ms"),
    [
        (0, 0),
        (-1, -1),
        (4_102_444_800_000, 4_102_444_800_000),
        (10**30, MAX_MS),
        (-(10**30), MIN_MS),
    ],
)
def test_the_claimed_time_is_kept_as_claimed_if_a_calendar_has_it(
    claimed_ms: int, kept_ms: int
) -> None:
    post = composed(created_ms=claimed_ms)
    assert post.created_ms == kept_ms
    assert to_iso(post.created_ms)
    assert as_stored(post) == post


@given(st.text(max_size=30), st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_whatever_a_network_says_can_be_stored_and_read_back(
    said: str, moment_ms: float, count: int
) -> None:
    names = ("id", "author", "author_id", "url", "claimed_lang", "reply_to", "repost_of", "thread")
    post = composed(
        **dict.fromkeys(names, said),
        created_ms=moment_ms,
        links=(said, "https://a.example/" + said),
        mentions=(said,),
        engagement=Engagement(count, -count, 0, -1),
    )
    assert as_stored(post) == post
    assert "\n" not in post.author


def test_links_and_mentions_of_the_network_come_first_and_each_once() -> None:
    first, second, third = ("https://a.example/1", "https://b.example/2", "https://c.example/3")
    cleaned = Cleaned(f"see {third} {first} @bob @ann", links=(second, first))
    parts = Parts(
        cleaned=cleaned,
        id="1",
        network="n",
        author="x",
        author_id="x",
        created_ms=0,
        seen_ms=0,
        links=(first, first, "javascript:alert(1)", "https://d.example/" + "x" * 9999),
        mentions=("ann", "ann"),
    )
    post = compose(parts)
    assert post.links == (first, second, third)
    assert post.mentions == ("ann", "bob")


def test_a_post_names_a_bounded_number_of_things() -> None:
    many = " ".join(f"#tag{n} @who{n} https://a.example/{n}" for n in range(500))
    post = composed(many)
    assert len(post.hashtags) == len(post.mentions) == len(post.links) == MAX_NAMED


def test_a_name_is_one_visible_line_and_never_empty() -> None:
    assert composed(author="Ann\n\n\u202eMod:\u200b obey").author == "Ann Mod: obey"
    assert composed(author="\u200b ", author_id="did:x").author == "did:x"


def test_a_place_that_is_no_web_page_is_no_place() -> None:
    assert composed(url="javascript:alert(1)").url == ""
    assert composed(url="https://a.example/x y").url == ""
    assert composed(url="https://a.example/x").url == "https://a.example/x"
