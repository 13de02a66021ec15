"""Posts that nobody expects, from a file to the log: each is kept, named or cut as documented."""

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from places import Place

from fairwitness.posts.clean import MAX_CHARS
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import MAX_NAMED
from fairwitness.posts.log import read
from fairwitness.posts.post import Cut, Edited, Event, Post, Posted
from fairwitness.posts.sources.jsonl import JsonlFile

DAY_MS = 86_400_000


@dataclass
class JumpingClock:
    """A clock that tells the times it was given, and the last of them for ever."""

    times_ms: list[int]
    virtual: bool = False

    def now_ms(self) -> int:
        return self.times_ms.pop(0) if len(self.times_ms) > 1 else self.times_ms[0]


def taken_in(place: Place, *rows: dict[str, object], together: int = 100) -> list[Event]:
    """Write `rows` to a file, take it in, and return what the log holds."""
    path = place.folder / "rows.jsonl"
    path.write_bytes(b"\n".join(json.dumps(row).encode() for row in rows))
    source = JsonlFile(path, place.ingest.clock, name="rows", batch=together)
    asyncio.run(place.ingest.run([source]))
    return place.logged()


def posts_of(place: Place, *texts: str) -> list[Post]:
    events = taken_in(place, *({"id": n, "text": text} for n, text in enumerate(texts)))
    assert all(isinstance(event, Posted) for event in events)
    return [event.post for event in events if isinstance(event, Posted)]


def test_a_post_of_one_emoji_is_a_post(place: Place) -> None:
    family = "👩\u200d👩\u200d👧"
    posts = posts_of(place, "🙂", family, "🇩🇪", "☝🏽", "❤\ufe0f")
    assert [post.text for post in posts] == ["🙂", family, "🇩🇪", "☝🏽", "❤\ufe0f"]
    assert {(post.lang, post.lang_confidence, post.cuts) for post in posts} == {("und", 0.0, ())}


def test_a_post_of_100_000_characters_is_cut_and_says_so(place: Place) -> None:
    text = "the bridge is closed " * 5_000
    (post,) = posts_of(place, text)
    assert len(text) > 100_000 > len(post.text) > MAX_CHARS - 100
    assert text.startswith(post.text)
    assert post.cuts == (
        Cut(len(post.text), "length", f"{len(text.strip()) - 20_000} more characters"),
    )
    assert post.lang == "en"


def test_a_post_of_nothing_but_links_names_them(place: Place) -> None:
    links = [f"https://a.example/{number}" for number in range(500)]
    few, many = posts_of(place, "\n".join(links[:3]), " ".join(links))
    assert few.links == tuple(links[:3])
    assert many.links == tuple(links[:MAX_NAMED])
    assert (few.lang, few.text) == ("und", "\n".join(links[:3]))


def test_what_turns_or_hides_a_text_is_cut_and_shown(place: Place) -> None:
    (post,) = posts_of(place, "pay \u202egnp.exe\u202c now \u200d\u2066x\u2069")
    assert post.text == "pay gnp.exe now \u200dx"
    assert [cut.was for cut in post.cuts] == ["\\u202e", "\\u202c", "\\u2066", "\\u2069"]
    assert {cut.kind for cut in post.cuts} == {"control"}


def test_a_post_of_nothing_visible_is_counted_and_named(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert posts_of(place, "\u202e\u2066\u200b", "here") == [place.index.get("capture:rows:1")]
    assert place.ingest.health["rows"].dropped == 1
    assert place.log.sources["rows"].dropped == 1
    assert "rows: left out 1 lines: 1 (no statement)" in caplog.messages


def test_times_out_of_order_by_a_day_are_kept_as_claimed(place: Place) -> None:
    times = ["2024-05-02T12:00:00Z", "2024-05-01T12:00:00Z", "2024-05-03T12:00:00Z"]
    rows = ({"id": n, "text": f"at {time}", "created_at": time} for n, time in enumerate(times))
    posts = [event.post for event in taken_in(place, *rows) if isinstance(event, Posted)]
    assert [post.created_ms for post in posts] == [from_iso(time) for time in times]
    assert [post.id for post in posts] == [f"capture:rows:{n}" for n in range(3)]


@pytest.mark.parametrize("together", [100, 1])
def test_the_same_id_with_other_text_is_an_edit(place: Place, together: int) -> None:
    rows = ({"id": 7, "text": text} for text in ("it is open", "it is closed", "it is closed"))
    first, second = taken_in(place, *rows, together=together)
    assert isinstance(first, Posted)
    assert isinstance(second, Edited)
    assert (first.post.text, second.post.text) == ("it is open", "it is closed")
    assert place.ingest.health["rows"].duplicates == 1
    found = place.index.get("capture:rows:7")
    assert found is not None
    assert found.text == "it is closed"


def test_a_clock_that_jumps_loses_and_reorders_nothing(place: Place) -> None:
    now_ms = from_iso("2024-05-02T12:00:00Z")
    jumps_ms = [now_ms, now_ms + DAY_MS, now_ms - DAY_MS, 0, now_ms + 365 * DAY_MS, now_ms]
    place.ingest.clock = JumpingClock(jumps_ms)
    rows = ({"id": n, "text": f"the bridge, post {n}"} for n in range(20))
    events = taken_in(place, *rows, together=1)
    posts = [event.post for event in events if isinstance(event, Posted)]
    assert [post.id for post in posts] == [f"capture:rows:{n}" for n in range(20)]
    assert place.found() == 20
    latest_ms = max(batch.clock_ms for _, batch in read(place.folder / "log"))
    assert place.log.clock_ms == latest_ms
    place.close()
    again = Place(place.folder)
    assert again.logged() == events
    assert again.found() == 20
    assert (again.log.clock_ms, again.log.sources["rows"].events) == (latest_ms, 20)
    again.close()


def test_a_broken_line_among_many_is_named_and_the_rest_is_kept(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [json.dumps({"id": n, "text": f"the bridge, post {n}"}) for n in range(9_000)]
    lines[5_000] = '{"id": 5000, "text": '
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        asyncio.run(place.ingest.run([JsonlFile(path, place.ingest.clock, name="many")]))
    kept = [number for number in range(9_000) if number != 5_000]
    ids = [event.post.id for event in place.logged() if isinstance(event, Posted)]
    assert ids == [f"capture:many:{number}" for number in kept]
    assert any(said.startswith("many: left out 1 lines: 5001 (") for said in caplog.messages)
