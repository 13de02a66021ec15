"""Odd posts of X's stream, read all at once or one by one: on either road they are found."""

import asyncio
import json

import pytest
from places import Place

from fairwitness.index.syntax import parse
from fairwitness.kernels import native, stream
from fairwitness.posts.clean import MAX_CHARS
from fairwitness.posts.clock import VirtualClock, from_iso
from fairwitness.posts.language import TONGUES
from fairwitness.posts.post import Edited, Post, Posted
from fairwitness.posts.sources.jsonl import JsonlFile

NOW_MS = from_iso("2026-11-23T12:00:00Z")
LINKS = [f"https://t.co/{name}" for name in "abc"]


def line(id: int, text: str, at: str = "2026-11-23T11:59:59.000Z") -> bytes:
    """Return a post as X's API v2 streams it."""
    urls = [{"url": link, "expanded_url": f"https://site{link[-1]}.example/"} for link in LINKS]
    post = {"id": f"{id}", "author_id": "9", "created_at": at, "text": text}
    if LINKS[0] in text:
        post["entities"] = {"urls": urls}
    users = [{"id": "9", "username": "ann"}]
    told = {"data": post, "includes": {"users": users}, "matching_rules": [{"id": "1"}]}
    return json.dumps(told, ensure_ascii=False).encode()


LONG = "needle " + "the haystack is high " * 4_760
FAMILY = "👩\u200d👩\u200d👧"
TOLD = {
    1: "🔥",
    2: LONG,
    3: " ".join(LINKS),
    4: "pay \u202egnp.exe\u202c for \u2067abc\u2069 in שלום",
    5: FAMILY,
    6: "می\u200cخواهم بروم",
    7: "co\u200bver\u2060ed harbour",
    8: "the ferry \u200d\u200d\u200d sails",
    9: "ordinary words about a quay",
}
"""By id."""


@pytest.fixture(params=["at once", "one by one"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "one by one":
        monkeypatch.setattr(stream, "read", lambda *_: None)
    elif native.library() is None:
        pytest.skip("NO NATIVE KERNELS: lines are read one by one")
    return str(request.param)


def taken_in(place: Place, *lines: bytes) -> None:
    path = place.folder / "lines.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    place.ingest.clock = VirtualClock(NOW_MS)
    asyncio.run(place.ingest.run([JsonlFile(path, place.ingest.clock, name="lines")]))


def found(place: Place, typed: str) -> list[int]:
    hits = place.index.search(parse(typed, NOW_MS)).hits
    return sorted(int(hit.post.id.rpartition(":")[2]) for hit in hits)


def post(place: Place, id: int) -> Post:
    known = place.index.get(f"x:{id}")
    assert known is not None
    return known


def test_what_is_odd_is_found(place: Place, road: str) -> None:
    taken_in(place, *(line(id, text) for id, text in TOLD.items()))
    assert len(LONG) > 99_000
    assert found(place, "") == list(TOLD)
    for typed, ids in {
        "🔥": [1],
        "needle": [2],
        "url:siteb.example": [3],
        "filter:links": [3],
        "שלום": [4],
        "gnp.exe": [4],
        FAMILY: [5],
        "می\u200cخواهم": [6],
        "خواهم": [6],
        "covered": [7],
        "ferry sails": [8],
        "quay": [9],
    }.items():
        assert (typed, found(place, typed)) == (typed, ids)
    assert [post(place, id).text for id in (1, 5, 6, 8)] == [TOLD[id] for id in (1, 5, 6, 8)]
    assert post(place, 3).links == tuple(f"https://site{name}.example/" for name in "abc")
    assert (len(post(place, 2).text), post(place, 2).cuts[0].kind) == (MAX_CHARS, "length")
    assert (post(place, 4).text, post(place, 7).text) == (
        "pay gnp.exe for abc in שלום",
        "covered harbour",
    )
    assert {cut.kind for id in (4, 7) for cut in post(place, id).cuts} == {"control"}


@pytest.mark.skipif(native.library() is None, reason="no native kernels")
def test_what_is_odd_and_plain_is_read_at_once() -> None:
    told = stream.read([line(id, text) for id, text in TOLD.items()], [NOW_MS] * 9, TONGUES)
    assert told is not None
    assert [list(TOLD)[at] for at in told.left] == [2, 4, 7], "these have to be cut"


def test_days_out_of_order_and_another_text_for_an_id(place: Place, road: str) -> None:
    days = {1: "2026-11-22T12:00:00.000Z", 2: "2026-11-23T11:00:00.000Z"}
    later = "2026-11-24T12:00:00.000Z"
    taken_in(
        place,
        line(2, "the quay is open", days[2]),
        line(1, "the quay is shut", days[1]),
        line(3, "the quay of tomorrow", later),
        line(2, "the mole is open", days[2]),
    )
    kinds = [type(event) for event in place.logged()]
    assert kinds == [Posted, Posted, Posted, Edited]
    assert [post(place, id).created_ms for id in days] == [from_iso(days[id]) for id in days]
    assert post(place, 3).created_ms == from_iso(later)
    assert (found(place, "quay"), found(place, "mole")) == ([1, 3], [2])
    assert found(place, "since:2026-11-23 until:2026-11-24") == [2, 3], (
        "nothing was made after it was heard"
    )
    assert found(place, "until:2026-11-23") == [1]
