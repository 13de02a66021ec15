"""Fields are read from the bytes of posts as they are from the posts; native and plain agree."""

import re

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.index.tokens import aside
from fairwitness.kernels import fields, native
from fairwitness.kernels.fields import Fields
from fairwitness.kernels.texts import Texts, unpack
from fairwitness.posts.post import Cut, Deleted, Edited, Engagement, Event, Post, Posted

PLAIN = re.compile("[A-Za-z0-9_]+")
TEXTS = st.text(max_size=40) | st.text("aZ@é津 #", max_size=300) | st.just("x" * 70_000)
COUNTS = st.integers(-1, 2**53) | st.sampled_from([127, 128, 255, 256, 2**16, 2**32, 2**63, -33])
MOMENTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [-129, -32_769, 2**31, 1_700_000_000_000]
)
NAMES = st.lists(TEXTS, max_size=20).map(tuple)
POSTS = st.lists(
    st.builds(
        Post,
        id=TEXTS,
        network=TEXTS,
        author=TEXTS | st.from_regex("[a-zA-Z0-9_]{1,9}", fullmatch=True),
        author_id=TEXTS,
        text=TEXTS,
        created_ms=MOMENTS,
        seen_ms=MOMENTS,
        url=TEXTS,
        lang=st.sampled_from(["und", "en", "ja"]),
        lang_confidence=st.sampled_from([0.0, 0.5, 1]),
        reply_to=st.sampled_from(["", "x:1"]),
        repost_of=st.sampled_from(["", "x:2"]),
        links=NAMES | st.just(()),
        hashtags=NAMES | st.just(()),
        mentions=NAMES | st.just(()),
        engagement=st.builds(Engagement, COUNTS, COUNTS, COUNTS, COUNTS),
        cuts=st.sampled_from([(), (Cut(1, "url", "x"),) * 20]),
    ),
    max_size=20,
)


def read(posts: list[Post]) -> Fields:
    return fields.read(msgspec.msgpack.encode(posts), len(posts))


def hashed(text: str) -> int:
    return xxhash.xxh64_intdigest(text.encode())


@settings(deadline=None, max_examples=50)
@given(POSTS)
def test_fields_are_what_the_posts_say(posts: list[Post]) -> None:
    said = read(posts)
    assert unpack(said.texts) == [post.text for post in posts]
    assert unpack(said.tags) == [" ".join(f"#{tag}" for tag in post.hashtags) for post in posts]
    for post, known in zip(posts, unpack(said.asides), strict=True):
        beside = post.links or post.hashtags or post.mentions or post.reply_to or "$" in post.text
        is_plain = not beside and PLAIN.fullmatch(post.author)
        assert known == (aside(post) if is_plain else "")
    assert said.id.tolist() == [hashed(post.id) for post in posts]
    assert said.text.tolist() == [hashed(post.text) for post in posts]
    accounts = [f"{post.network}\n{post.author_id}" for post in posts]
    assert said.account.tolist() == list(map(hashed, accounts))
    assert said.network.tolist() == [hashed(post.network) for post in posts]
    langs = [hashed(post.lang) if post.lang != "und" else 0 for post in posts]
    assert said.lang.tolist() == langs
    assert said.created_ms.tolist() == [post.created_ms for post in posts]
    assert said.seen_ms.tolist() == [post.seen_ms for post in posts]
    counts = [msgspec.structs.astuple(post.engagement) for post in posts]
    assert said.counts.T.tolist() == [[min(n, 2**63 - 1) for n in each] for each in counts]
    assert said.links.tolist() == [hashed(link) for post in posts for link in post.links]
    assert np.diff(said.link_starts).tolist() == [len(post.links) for post in posts]
    for bit, name in (
        (fields.LINKS, "links"),
        (fields.REPLY, "reply_to"),
        (fields.REPOST, "repost_of"),
        (fields.ACCOUNT, "author_id"),
    ):
        assert (said.has & bit > 0).tolist() == [bool(getattr(post, name)) for post in posts]
    for post, has, handle in zip(posts, said.has.tolist(), said.handle.tolist(), strict=True):
        assert bool(has & fields.ODD_HANDLE) is not post.author.isascii()
        if post.author.isascii():
            assert handle == hashed(post.author.removeprefix("@").casefold())


@settings(deadline=None, max_examples=50)
@given(POSTS)
def test_the_kernel_gives_what_the_plain_one_gives(posts: list[Post]) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    made = read(posts)
    plain = fields._read_plainly(made.encoded)
    for name in Fields.__dataclass_fields__:
        one, other = getattr(made, name), getattr(plain, name)
        if isinstance(one, Texts):
            assert one.blob == other.blob
            one, other = one.ends, other.ends
        assert np.array_equal(one, other), name


@pytest.mark.parametrize("count", [0, 1, 15, 16, 70_000])
def test_each_post_is_where_its_end_says(count: int) -> None:
    post = Post(id="a", network="n", author="a", author_id="i", text="t", created_ms=1, seen_ms=1)
    said = read([post] * count)
    assert fields.head(count) == said.encoded[: said.begin(0)]
    for at in {0, 1, count // 2, count - 1} & set(range(count)):
        encoded = said.encoded[said.begin(at) : said.ends[at]]
        assert msgspec.msgpack.decode(encoded, type=Post) == post
    assert not count or said.ends[-1] == len(said.encoded)


@settings(deadline=None, max_examples=50)
@given(POSTS, st.data())
def test_events_are_the_posts_that_they_say(posts: list[Post], draw: st.DataObject) -> None:
    kinds = draw.draw(st.lists(st.sampled_from([Posted, Edited]), min_size=20, max_size=20))
    events: list[Event] = [kind(post) for kind, post in zip(kinds, posts, strict=False)]
    encoded = msgspec.msgpack.encode(events)
    told, plain = fields.posts_in(encoded, len(events)), fields._posts_in_plainly(encoded)
    assert told is not None
    assert plain is not None
    assert told.encoded == plain.encoded == msgspec.msgpack.encode(posts)
    for one, other in zip(told[1:], plain[1:], strict=True):
        assert one.tolist() == other.tolist()
    assert told.created_ms.tolist() == [post.created_ms for post in posts]
    assert told.edited.tolist() == [isinstance(event, Edited) for event in events]
    at = draw.draw(st.integers(0, len(events)))
    encoded = msgspec.msgpack.encode([*events[:at], Deleted("x", 1), *events[at:]])
    assert fields.posts_in(encoded, len(events) + 1) is None
    assert fields._posts_in_plainly(encoded) is None
