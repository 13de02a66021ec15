"""What nobody should send, and what disks do: kept, found where it can be, or named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, LiveIndex, Query
from fairwitness.posts.post import Edited, Event, Post, Posted

Make = Callable[..., Post]
DAY_MS = 86_400_000


def put(index: LiveIndex, *events: Event) -> None:
    index.apply(index.novel(events), 1)
    index.refresh()


def ids(
    index: LiveIndex, words: str = "", as_of_ms: int | None = None, meaning: str = ""
) -> set[str]:
    query = Query(words=words, meaning=meaning)
    return {hit.post.id for hit in index.search(query, as_of_ms=as_of_ms).hits}


ODD = {
    "emoji": "🔥",
    "long": "needle " + "haystack " * 12_000,
    "urls": "https://example.org/a https://example.org/b?x=1 http://例え.jp/",
    "rtl": "safe \u202etxt.exe\u202c \u2067abc\u2069 שלום",
    "joiners": "👩‍👩‍👧‍👦 می‌خواهم क्षि a\u200db\u200cc",
    "nothing": "",
    "marks": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "null": "a\x00b",
}


def test_odd_texts_are_kept_and_found(index: LiveIndex, post: Make) -> None:
    put(index, *(Posted(post(id, text)) for id, text in ODD.items()))
    assert ids(index) == set(ODD)
    for id, text in ODD.items():
        kept = index.get(id)
        assert kept is not None
        assert kept.text == text
    assert ids(index, "🔥") == {"emoji"}
    assert ids(index, "needle") == {"long"}
    assert ids(index, "שלום") == {"rtl"}
    assert ids(index, "می‌خواهم") == {"joiners"}
    for id in ODD:  # whatever is asked, it is an answer
        ids(index, ODD[id], meaning=ODD[id])


@pytest.mark.parametrize(
    "words",
    [
        "?!",
        "the the the",
        " ".join(f"word{n}" for n in range(1_000)),
        '"unbalanced',
        "\ud800",
        "()",
    ],
)
def test_any_question_is_answered(index: LiveIndex, post: Make, words: str) -> None:
    put(index, Posted(post("a", "the word7 and the storm")))
    assert ids(index, words, meaning=words.encode("utf-8", "replace").decode()) <= {"a"}


def test_moments_out_of_order_by_a_day(index: LiveIndex, post: Make) -> None:
    moments = [2 * DAY_MS, DAY_MS, 3 * DAY_MS, 1, 2 * DAY_MS + 1]
    put(index, *(Posted(post(f"p{ms}", "storm", ms)) for ms in moments))
    for at in moments:
        assert ids(index, "storm", at) == {f"p{ms}" for ms in moments if ms <= at}


def test_a_clock_that_jumps_back_edits_all_the_same(index: LiveIndex, post: Make) -> None:
    put(index, Posted(post("a", "storm", 5 * DAY_MS)))
    put(index, Edited(post("a", "calm", 4 * DAY_MS)))
    assert ids(index, "calm") == {"a"}
    assert ids(index, "storm") == set()


@pytest.mark.parametrize("name", ["frozen", "ids", "texts"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, post: Make, name: str) -> None:
    index = LiveIndex.open(tmp_path, slice_rows=4)
    put(index, *(Posted(post(f"{n}", f"storm number {n}")) for n in range(6)))
    index.checkpoint()
    index.close()
    path = tmp_path / "slices" / "000000000000" / name
    data = bytearray(path.read_bytes())
    data[20 if name == "texts" else 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(IndexCorrupt, match=f"{name}.*rebuilt from the log"):  # noqa: PT012
        index = LiveIndex.open(tmp_path)
        try:
            index.get("0")
        finally:
            index.close()
