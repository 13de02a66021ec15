"""A record is the same whether its events were encoded before or with it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts import records
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.log import Batch, Log, read
from fairwitness.posts.post import (
    AccountGone,
    Cut,
    Deleted,
    Edited,
    Engagement,
    Event,
    Post,
    Posted,
)
from fairwitness.posts.source import Gap, SourceBatch

TEXTS = st.text(max_size=20)
POSTS = st.builds(
    Post,
    id=TEXTS,
    network=TEXTS,
    author=TEXTS,
    author_id=TEXTS,
    text=TEXTS,
    created_ms=st.integers(-(2**63), 2**63 - 1),
    seen_ms=st.integers(0, 2**62),
    lang_confidence=st.sampled_from([0.0, 0.5, 1]),
    links=st.lists(TEXTS, max_size=3).map(tuple),
    engagement=st.sampled_from([Engagement(), Engagement(1, 2, 3, 4)]),
    cuts=st.sampled_from([(), (Cut(1, "url", "x"),)]),
)
EVENTS = st.one_of(
    st.builds(Posted, POSTS),
    st.builds(Edited, POSTS),
    st.builds(Deleted, TEXTS, st.integers(0, 2**62)),
    st.builds(AccountGone, TEXTS, TEXTS, st.integers(0, 2**62)),
)


@given(st.lists(EVENTS, max_size=6), st.booleans())
def test_a_batch_of_encoded_events_is_that_batch_byte_for_byte(
    events: list[Event], has_more: bool
) -> None:
    more = {"virtual": True, "gaps": (Gap(1, 2, "why"),), "dropped": 3} if has_more else {}
    told = records.storable(events)
    assert told.events == events
    batch = Batch("s", "c", tuple(events), 5, **more)
    packed = records.packed(batch, told.encoded)
    assert packed == records.packed(batch) == msgspec.msgpack.encode(batch)
    assert records.decode(packed) == batch


@pytest.mark.parametrize(
    "wrong",
    [{"text": "\ud83d"}, {"created_ms": 2**64}, {"seen_ms": 1.5}, {"url": None}, {"links": ["x"]}],
)
def test_one_event_that_cannot_be_written_takes_no_other_along(wrong: dict[str, object]) -> None:
    good = Posted(
        Post(id="1", network="n", author="a", author_id="a", text="t", created_ms=1, seen_ms=1)
    )
    bad = Posted(msgspec.structs.replace(good.post, **wrong))
    told = records.storable([good, bad, Deleted("x", 1), Deleted("x", True), good])
    assert told.events == [good, Deleted("x", 1), good]
    assert msgspec.msgpack.decode(told.encoded, type=list[Event]) == told.events


def test_the_log_gives_back_what_was_appended_encoded(tmp_path) -> None:
    log = Log(tmp_path)
    told = records.storable([Deleted("x", 1), Deleted("y", 2)])
    batch = Batch("s", "c", tuple(told.events), 5)
    log.append(batch, told.encoded)
    log.append(batch)
    log.close()
    assert [each for _, each in read(tmp_path)] == [batch, batch]


@pytest.mark.parametrize(
    "wrong",
    [
        {"links": ("x", 1)},
        {"hashtags": (b"x",)},
        {"mentions": (None,)},
        {"engagement": Engagement(likes=1.5)},
        {"engagement": Engagement(views="9")},
        {"cuts": (Cut(1, "url", "x"), Cut("1", "url", "x"))},
        {"cuts": ("x",)},
    ],
)
def test_what_is_of_a_wrong_type_inside_a_field_takes_no_other_along(
    tmp_path, wrong: dict[str, object]
) -> None:
    good = Posted(
        Post(id="1", network="n", author="a", author_id="a", text="t", created_ms=1, seen_ms=1)
    )
    bad = Posted(msgspec.structs.replace(good.post, **wrong))
    told = records.storable([good, bad])
    assert told.events == [good]
    log = Log(tmp_path)
    log.append(Batch("s", "c", tuple(told.events), 5), told.encoded)
    log.close()
    assert [each.events for _, each in read(tmp_path)] == [(good,)]


@given(st.lists(st.tuples(st.lists(EVENTS, max_size=20), st.booleans()), min_size=1, max_size=4))
def test_batches_are_gathered_as_one(parts: list[tuple[list[Event], bool]]) -> None:
    batches = []
    for events, apart in parts:
        encoded = Encoded(msgspec.msgpack.encode(events), len(events))
        batches.append(SourceBatch(encoded if apart else tuple(events), "c"))
    told = records.gathered(batches)
    said = [event for events, _ in parts for event in events]
    assert told.events == said
    assert told.encoded == msgspec.msgpack.encode(said)
