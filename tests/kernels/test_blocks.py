"""A block gives back the posts that went into it; native and plain agree to the byte."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import blocks, native
from fairwitness.kernels.blocks import BlockDamaged
from fairwitness.kernels.fields import head
from fairwitness.kernels.texts import unpack
from fairwitness.posts.post import Cut, Engagement, Post

TEXTS = st.text(max_size=20) | st.text("aZ@é津 #", max_size=40)
COUNTS = st.integers(-1, 2**53) | st.sampled_from([127, 128, 255, 256, 2**16, 2**32, 2**63, -33])
MOMENTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [-129, -32_769, 2**31, 1_700_000_000_000]
)
NAMES = st.lists(TEXTS, max_size=4).map(tuple)
ACCOUNTS = st.sampled_from(["did:plc:abcdefgh", "9684", "ab", "", "https://mas.to/users/ann"])
IDS = TEXTS | st.builds(
    "{}{}{}".format,
    st.sampled_from(["x:", "at://did:plc:abcdefgh/app.bsky.feed.post/3k", "x:00", "9684/", ""]),
    st.integers(0, 10**20),
    st.sampled_from(["", "", "/", "0"]),
)
CONFIDENCES = st.floats(allow_nan=False) | st.integers(0, 256).map(lambda part: part / 256)
POINTERS = IDS | st.builds("https://x.com/{}/status/{}".format, ACCOUNTS, IDS)
POSTS = st.lists(
    st.builds(
        Post,
        id=IDS,
        network=TEXTS,
        author=TEXTS | st.builds("user{}".format, ACCOUNTS),
        author_id=ACCOUNTS | TEXTS,
        text=TEXTS,
        created_ms=MOMENTS,
        seen_ms=MOMENTS,
        url=POINTERS,
        lang=st.sampled_from(["und", "en", "ja"]),
        lang_confidence=CONFIDENCES,
        reply_to=POINTERS,
        repost_of=POINTERS,
        thread=POINTERS,
        links=NAMES,
        hashtags=NAMES,
        mentions=NAMES,
        engagement=st.builds(Engagement, COUNTS, COUNTS, COUNTS, COUNTS),
        cuts=st.lists(st.builds(Cut, COUNTS, TEXTS, TEXTS), max_size=2).map(tuple),
    ),
    max_size=5,
)
decode = msgspec.msgpack.Decoder(list[Post]).decode

native_only = pytest.mark.skipif(native.library() is None, reason="no native library")


def encoded(posts: list[Post]) -> bytes:
    return msgspec.msgpack.encode(posts)[len(head(len(posts))) :]


def pointing(post: Post) -> Post:
    """Return a post whose URL and thread repeat what is said elsewhere in it."""
    url = f"https://x.com/{post.author}/{post.author_id}/{post.id}"
    return msgspec.structs.replace(post, url=url, thread=post.id)


@native_only
@given(POSTS, st.integers(0, 11), st.integers(0, 11))
@settings(max_examples=100, deadline=None)
def test_a_block_gives_back_its_posts(posts: list[Post], first: int, count: int) -> None:
    posts = [*posts, *map(pointing, posts)]
    block = blocks.by_field(encoded(posts), len(posts))
    assert block == blocks._by_field_plainly(encoded(posts), len(posts))
    told = blocks.by_post(block, first, count)
    assert told == blocks._by_post_plainly(block, first, count)
    assert decode(told) == posts[first : first + count]


def test_the_fields_are_those_of_a_post() -> None:
    assert Post.__struct_fields__ == blocks.NAMES


def test_what_repeats_is_written_once() -> None:
    account = "did:plc:z72i7hdynmk6r22z27h6tvur"
    post = Post(
        id=f"at://{account}/app.bsky.feed.post/3l6oveex3ii2l",
        network="bluesky",
        author="bsky.app",
        author_id=account,
        text="",
        created_ms=0,
        seen_ms=0,
        url="https://bsky.app/profile/bsky.app/post/3l6oveex3ii2l",
        lang_confidence=0.5,
    )
    block = blocks.by_field(encoded([post]), 1)
    assert block.count(account.encode()) == block.count(b"3l6oveex3ii2l") == 1
    assert len(block) < 140


@pytest.mark.parametrize("length", [31, 32, 255, 256, 65_535, 65_536, 200_000])
def test_long_texts_and_many_posts(length: int) -> None:
    post = Post(
        id="x:1",
        network="x",
        author="",
        author_id="",
        text="é" * (length // 2),
        created_ms=0,
        seen_ms=0,
    )
    posts = [post] * 20
    block = blocks.by_field(encoded(posts), len(posts))
    assert block == blocks._by_field_plainly(encoded(posts), len(posts))
    told = blocks.by_post(block, 0, 20)
    assert told == blocks._by_post_plainly(block, 0, 20)
    assert decode(told) == posts


@pytest.mark.parametrize("damage", [b"", b"\x05", b"\x01\x01\x7f", b"\xff" * 40, b"\x01\xff"])
def test_what_is_no_block_is_refused(damage: bytes) -> None:
    with pytest.raises(BlockDamaged):
        blocks.by_post(damage, 0, 1)
    with pytest.raises(BlockDamaged):
        blocks._by_post_plainly(damage, 0, 1)


@given(POSTS, st.data())
@settings(max_examples=50, deadline=None)
def test_flipped_bytes_are_read_without_harm(posts: list[Post], data: st.DataObject) -> None:
    block = bytearray(blocks.by_field(encoded(posts), len(posts)))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= data.draw(st.integers(1, 255))
    try:
        blocks.by_post(bytes(block), 0, len(posts))
    except BlockDamaged:
        return


@settings(max_examples=60, deadline=None)
@given(batches=st.lists(POSTS.filter(len), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_texts_of_many_blocks_are_those_of_their_posts(
    batches: list[list[Post]], seed: int
) -> None:
    made = [blocks.by_field(encoded(posts), len(posts)) for posts in batches]
    which = [seed % len(posts) for posts in batches]
    told = [posts[at].text for posts, at in zip(batches, which, strict=True)]
    for is_native in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not is_native:
                patch.setattr(native, "library", lambda: None)
            assert unpack(blocks.texts(made, which)) == told
            assert unpack(blocks.texts([], [])) == []
            with pytest.raises(BlockDamaged):
                blocks.texts([*made, made[0]], [*which, len(batches[0])])
            with pytest.raises(BlockDamaged):
                blocks.texts([made[0], b"\xff"], [which[0], 0])
