"""Readers in other processes see each refresh; old slices go, and nobody stumbles over it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexBusy, IndexFault, IndexMissing, LiveIndex, Query
from fairwitness.index import live as live_module
from fairwitness.posts.post import Deleted, Edited, Event, Post, Posted

Make = Callable[..., Post]


def put(index: LiveIndex, *events: Event) -> None:
    index.apply(index.novel(events), index.position + 1)
    index.refresh()


def ids(index: LiveIndex, words: str = "", as_of_ms: int | None = None) -> list[str]:
    return sorted(h.post.id for h in index.search(Query(words=words), as_of_ms=as_of_ms).hits)


def test_a_reader_sees_each_refresh_of_a_live_writer(tmp_path: Path, post: Make) -> None:
    folder = tmp_path / "index"
    with pytest.raises(IndexMissing):
        LiveIndex.open(folder, read_only=True)
    writer = LiveIndex.open(folder, slice_rows=3)
    put(writer, Posted(post("a", "sun")), Posted(post("b", "sun")))
    reader = LiveIndex.open(folder, read_only=True)
    assert ids(reader, "sun") == ["a", "b"], "without any checkpoint"
    later = (Posted(post(c, "sun")) for c in "cdefg")
    put(writer, Edited(post("a", "sun and moon", 2_000)), *later)
    assert [h.post.text for h in reader.search(Query(words="sun")).hits] == ["sun", "sun"]
    reader.refresh()
    assert ids(reader, "sun") == sorted("abcdefg")
    assert reader.get("a") == post("a", "sun and moon", 2_000)
    put(writer, Deleted("g", 3_000))
    assert ids(reader, "sun") == sorted("abcdef"), "a deletion needs no refresh"
    with pytest.raises(IndexFault, match="reading only"):
        reader.apply([Deleted("a", 1)], 9)
    with pytest.raises(IndexBusy):
        LiveIndex.open(folder)
    reader.close()
    writer.close()


READING = """
import sys
from pathlib import Path
from fairwitness.index import LiveIndex, Query
index = LiveIndex.open(Path(sys.argv[1]), read_only=True)
print(*sorted(hit.post.id for hit in index.search(Query(words="sun")).hits))
index.close()
"""


def test_another_process_finds_what_was_refreshed(tmp_path: Path, post: Make) -> None:
    writer = LiveIndex.open(tmp_path, slice_rows=4)
    put(writer, *(Posted(post(f"{n}", "sun")) for n in range(9)))
    script = [sys.executable, "-c", READING, str(tmp_path)]
    found = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert found.split() == [f"{n}" for n in range(9)]
    writer.close()


def test_a_reader_lives_on_when_the_writer_was_killed_and_came_back(
    tmp_path: Path, post: Make
) -> None:
    writer = LiveIndex.open(tmp_path, slice_rows=3)
    put(writer, *(Posted(post(c, "sun")) for c in "abcd"))
    writer.checkpoint()
    put(writer, *(Posted(post(c, "sun")) for c in "efgh"))
    reader = LiveIndex.open(tmp_path, read_only=True)
    assert ids(reader, "sun") == sorted("abcdefgh")
    writer.close()  # as of the checkpoint, like a kill
    again = LiveIndex.open(tmp_path)
    reader.refresh()
    assert ids(reader, "sun") == sorted("abcd")
    put(again, *(Posted(post(c, "sun")) for c in "ef"))
    reader.refresh()
    assert ids(reader, "sun") == sorted("abcdef")
    again.close()
    reader.close()


def test_a_reader_at_the_checkpoint_knows_nothing_later(tmp_path: Path, post: Make) -> None:
    writer = LiveIndex.open(tmp_path)
    put(writer, *(Posted(post(c, "sun")) for c in "abcd"))
    reader = LiveIndex.open(tmp_path, read_only=True, at_checkpoint=True)
    assert ids(reader, "sun") == [], "its words are there, and it knows no row"
    reader.close()
    writer.checkpoint()
    put(writer, Posted(post("e", "sun")))
    reader = LiveIndex.open(tmp_path, read_only=True, at_checkpoint=True)
    assert ids(reader, "sun") == sorted("abcd")
    reader.refresh()
    assert ids(reader, "sun") == sorted("abcde")
    reader.close()
    writer.close()


def test_what_readers_follow_counts_only_until_the_machine_starts_again(
    tmp_path: Path, post: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LiveIndex.open(tmp_path)
    put(writer, Posted(post("a", "sun")))
    writer.checkpoint()
    put(writer, Posted(post("b", "sun")))
    writer.close()
    monkeypatch.setattr("fairwitness.index.manifest._boot", lambda: b"another boot")
    reader = LiveIndex.open(tmp_path, read_only=True)
    assert ids(reader, "sun") == ["a"]
    reader.close()


def test_old_slices_are_dropped_whole(
    tmp_path: Path, post: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LiveIndex.open(tmp_path, slice_rows=3)
    put(writer, *(Posted(post(c, "sun", 10 * at)) for at, c in enumerate("abcdefgh")))
    reader = LiveIndex.open(tmp_path, read_only=True)
    assert writer.drop_before(20) == 0, "the first slice ends at 20"
    assert writer.drop_before(21) == 3
    assert ids(writer, "sun") == sorted("defgh")
    assert ids(reader, "sun") == sorted("abcdefgh"), "until it looks again"
    writer.checkpoint()
    assert len(list(tmp_path.glob("slices/*"))) == 2
    assert ids(reader, "sun") == sorted("abcdefgh"), "files that are open are still there"
    reader.refresh()
    assert ids(reader, "sun") == sorted("defgh")
    assert writer.get("a") is None
    put(writer, Posted(post("a", "sun again", 100)), Edited(post("h", "moon", 110)))
    assert ids(writer, "sun") == sorted("adefg")
    assert ids(writer, "sun", as_of_ms=70) == sorted("defgh")
    monkeypatch.setattr(live_module, "_SEARCHED_S", 0.0)
    for index in (writer, reader):
        index.refresh()
    writer.checkpoint()
    writer.close()
    writer = LiveIndex.open(tmp_path)
    assert ids(writer) == sorted("adefgh")
    assert writer.stats().posts == 6
    assert writer.drop_before(10_000) == 5, "the hot slice stays"
    writer.close()
    reader.close()
