"""Every event goes to its shard and comes back as it was."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts.post import AccountGone, Deleted, Edited, Event, Post, Posted

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

from fairwitness.index.shards.message import (
    MESSAGE_BYTES,
    Unreadable,
    divide,
    pack,
    shard_of,
    unpack,
)

Make = Callable[..., Post]


def simple(id_: str) -> Post:
    return Post(id=id_, network="x", author="", author_id="", text=id_, created_ms=1, seen_ms=1)


ids = st.text(max_size=8)
events = st.lists(
    st.one_of(
        ids.map(lambda id_: Posted(simple(id_))),
        ids.map(lambda id_: Edited(simple(id_))),
        ids.map(lambda id_: Deleted(id_, 1)),
        ids.map(lambda id_: AccountGone("x", id_, 1)),
    ),
    max_size=30,
)


@given(events, st.integers(1, 7))
def test_each_event_goes_to_its_shard_and_a_gone_account_to_all(
    told: list[Event], shards: int
) -> None:
    places = divide(told, shards)
    for shard, mine in places.items():
        assert mine == sorted(set(mine))
        assert 0 <= shard < shards
    for place, event in enumerate(told):
        homes = {shard for shard, mine in places.items() if place in mine}
        match event:
            case AccountGone():
                assert homes == set(range(shards))
            case Deleted(id_):
                assert homes == {shard_of(id_, shards)}
            case _:
                assert homes == {shard_of(event.post.id, shards)}


def test_posts_spread_evenly_and_stay() -> None:
    counts = [0] * 8
    for number in range(8_000):
        counts[shard_of(f"x:{number}", 8)] += 1
    assert min(counts) > 850
    # A shard that moved would lose its posts: these are fixed for good.
    assert [shard_of(id_, 3) for id_ in ("x:1", "x:2", "津波", "")] == [1, 0, 2, 2]


@given(events)
def test_a_message_comes_back_as_it_was(told: list[Event]) -> None:
    messages = list(pack(told, 7))
    assert [event for each in messages for event in unpack(each.payload)] == told


def test_large_batches_become_several_messages(post: Make) -> None:
    chance = random.Random(1)
    told: list[Event] = [
        Posted(post(f"{n}", "".join(chance.choices("abcdefghijklmnopqrstuvwxyz ", k=50_000))))
        for n in range(60)
    ]
    messages = list(pack(told, 7))
    assert 1 < len(messages) <= 4
    assert all(len(each.payload) <= MESSAGE_BYTES for each in messages)
    assert [event for each in messages for event in unpack(each.payload)] == told
    assert len({each.id for each in messages}) == len(messages)


def test_a_message_is_known_by_what_it_says_and_where_that_ends(post: Make) -> None:
    (one,), (again,) = pack([Posted(post("a", "A"))], 7), pack([Posted(post("a", "A"))], 7)
    (later,), (other,) = pack([Posted(post("a", "A"))], 8), pack([Posted(post("a", "B"))], 7)
    assert one == again
    assert len({one.id, later.id, other.id}) == 3


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x28\xb5\x2f\xfd\x20\x01\x09\x00\x00\x01"])
def test_what_we_did_not_write_is_refused(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack(payload)
