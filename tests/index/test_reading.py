"""Many texts at once are those of the posts read one by one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, LiveIndex, Query
from fairwitness.index.reading import Reading
from fairwitness.kernels import native
from fairwitness.kernels.texts import unpack
from fairwitness.posts.post import Deleted, Edited, Post, Posted

Make = Callable[..., Post]
TEXTS = ("fire", "", "🔥 津波 " * 30, "पानी", "x" * 70_000)


def fill(index: LiveIndex, post: Make) -> None:
    """Put posts into several slices, delete one and edit another."""
    posts = [post(str(n), f"{TEXTS[n % 5]}{n}"[: 70_000 * (n % 5)]) for n in range(30)]
    for batch in (posts[:11], posts[11:12], posts[12:]):
        index.apply([Posted(each) for each in batch], index.versions + 1)
        index.refresh()
    index.apply([Deleted("3", 2_000), Edited(post("12", "new", 2_000))], 100)
    index.checkpoint()


@pytest.mark.parametrize("is_native", [True, False])
def test_texts_are_those_of_the_posts(
    index: LiveIndex, post: Make, is_native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index, post)
    if not is_native:
        monkeypatch.setattr(native, "library", lambda: None)
    slices = index._table.slices
    places = [(at, row) for at, part in enumerate(slices) for row in range(part.rows)][::-1]
    one_by_one = [slices[at].post_at(row) for at, row in places]
    reading = Reading(slices)
    assert unpack(reading.texts(places)) == [each.text if each else "" for each in one_by_one]
    assert [reading.post(place) for place in places] == one_by_one
    assert one_by_one.count(None) == 1
    assert unpack(reading.texts([])) == []
    for number in (0, 1):  # what goes later is gone from blocks that were opened, too
        index.apply([Deleted(str(number), 3_000)], 101 + number)
    assert unpack(reading.texts([(0, 0), (0, 2), (0, 1)])) == ["", one_by_one[-3].text, ""]
    assert reading.post((0, 0)) is None


def test_a_reader_finds_a_block_that_was_moved(tmp_path: Path, post: Make) -> None:
    writer = LiveIndex.open(tmp_path / "index", slice_rows=500)
    writer.apply([Posted(post(str(n), f"same words {n}")) for n in range(64)], 1)
    writer.checkpoint()
    reader = LiveIndex.open(tmp_path / "index", read_only=True)
    (part,) = reader._table.slices
    places = [(0, row) for row in range(64)]
    before = unpack(Reading([part]).texts(places))
    # One that is blank among equals takes more bytes, so that the block goes to the end.
    writer.apply([Deleted("20", 2_000), Deleted("41", 2_000)], 2)
    size_bytes = writer._table.hot.texts.size_bytes
    writer.checkpoint()
    assert writer._table.hot.texts.size_bytes > size_bytes
    after = unpack(Reading([part]).texts(places))
    assert after == ["" if row in (20, 41) else text for row, text in enumerate(before)]
    assert part.post_at(40) is not None
    reader.close()
    writer.close()


def test_a_damaged_block_is_named(tmp_path: Path, post: Make) -> None:
    with_fire = tmp_path / "index"
    writer = LiveIndex.open(with_fire, slice_rows=500)
    writer.apply([Posted(post(str(n), f"fire {n}")) for n in range(200)], 1)
    writer.checkpoint()
    (path,) = with_fire.glob("slices/*/texts")
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    reader = LiveIndex.open(with_fire, read_only=True)
    with pytest.raises(IndexCorrupt, match="texts"):
        reader.search(Query(words="fire", meaning="fire"), limit=200)
    reader.close()
    writer.close()
