"""Events that are bytes are those events, to whoever looks at them."""

import itertools
from pathlib import Path

import msgspec
import pytest

from fairwitness.index import LiveIndex
from fairwitness.posts.encoded import Encoded
from fairwitness.posts.health import SourceHealth
from fairwitness.posts.log import Batch
from fairwitness.posts.post import Deleted, Edited, Event, Post, Posted


def post(number: int, **fields: object) -> Post:
    said = {
        "author": f"user{number % 5}",
        "author_id": f"{number % 5}",
        "text": f"word{number} said",
    }
    made = {"created_ms": 1_000 + number * 7 % 90, "seen_ms": 1_050 + number}
    return Post(**{"id": f"x:{number}", "network": "x", **said, **made, **fields})  # type: ignore[arg-type]


def encoded(events: list[Event]) -> Encoded:
    return Encoded(msgspec.msgpack.encode(events), len(events))


ODD = {"author": "ann.b", "hashtags": ("FightNight",), "mentions": ("bob",), "reply_to": "x:1"}
EVENTS: list[Event] = [
    *(Posted(post(number)) for number in range(30)),
    Edited(post(40, text="pay $TSLA", links=("https://a.example/",))),
    Posted(post(41, **ODD)),
]
MIXED = [*EVENTS, Deleted("x:3", 2_000), Posted(post(50)), Edited(post(4, text="corrected"))]


def test_they_are_a_sequence_of_themselves() -> None:
    told = encoded(EVENTS)
    assert (len(told), told[3], told[-1], told[1:3]) == (
        32,
        EVENTS[3],
        EVENTS[-1],
        tuple(EVENTS[1:3]),
    )
    assert told == EVENTS
    assert tuple(EVENTS) == told
    assert told != EVENTS[1:]
    assert told == encoded(list(told))
    assert hash(told) == hash(tuple(EVENTS))


def test_posts_are_made_when_they_are_asked_for() -> None:
    posts = encoded(EVENTS).posts
    assert posts is not None
    said = [event.post for event in EVENTS if isinstance(event, Posted | Edited)]
    assert list(posts) == said
    assert [posts[at] for at in range(-32, 32)] == said + said
    assert posts[3:1] == []
    assert posts[5:50:2] == said[5:50:2]
    with pytest.raises(IndexError):
        posts[32]
    assert encoded(MIXED).posts is None


@pytest.mark.parametrize("events", [[], EVENTS[:1], EVENTS, MIXED])
def test_health_is_told_the_same(events: list[Event]) -> None:
    one, other = SourceHealth("s"), SourceHealth("s")
    for start in range(0, len(events), 7):
        some = events[start : start + 7]
        record = Batch("s", "", tuple(some), 3_000)
        one.told(some, record)
        other.told(encoded(some), record)
    assert one == other


@pytest.mark.parametrize("slice_rows", [7, 1_000])
@pytest.mark.parametrize("events", [EVENTS, MIXED])
def test_an_index_takes_them_as_it_takes_objects(
    events: list[Event], slice_rows: int, tmp_path: Path
) -> None:
    one = LiveIndex.open(tmp_path / "one", slice_rows=slice_rows)
    other = LiveIndex.open(tmp_path / "other", slice_rows=slice_rows)
    for position, start in enumerate(itertools.chain(range(0, len(events), 9), [0]), start=1):
        some = events[start : start + 9]
        assert list(one.novel(some)) == list(other.novel(encoded(some)))
        assert one.apply(some, position) == other.apply(encoded(some), position)
        ids = [event.post.id for event in events if not isinstance(event, Deleted)]  # type: ignore[union-attr]
        assert [one.get(id_) for id_ in ids] == [other.get(id_) for id_ in ids]
    for index in (one, other):
        index.checkpoint()
    for folder in ("words", "texts", "columns"):
        files = sorted(p for p in (tmp_path / "one").rglob("*") if folder in str(p) and p.is_file())
        assert files
        for path in files:
            twin = tmp_path / "other" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == twin.read_bytes(), path.name
    for index in (one, other):
        index.close()
