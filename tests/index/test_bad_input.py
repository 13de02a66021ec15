"""What nobody should send, and what disks do: kept, found where it can be, or named."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, LiveIndex, Query
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Post, Posted

Make = Callable[..., Post]
DAY_MS = 86_400_000
UNSAID = Engagement()


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


SEALED = "frozen ids texts blocks words meanings meanings.sums marks changes reports rest".split()


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose first slice is sealed and has all that a slice may have, closed in order."""
    folder = tmp_path_factory.mktemp("rest") / "index"
    index = LiveIndex.open(folder, slice_rows=300)
    said = [_post(f"{n}", f"storm number {n} over the harbour") for n in range(310)]
    put(index, *map(Posted, said))
    liked = _post("3", said[3].text, engagement=Engagement(likes=9))
    put(index, Posted(liked), Edited(_post("4", "calm again")), Deleted("5", 5_000))
    index.checkpoint()
    index.close()
    _open_and_read(folder)
    return folder


def _post(id: str, text: str, engagement: Engagement = UNSAID) -> Post:
    return Post(
        id=id, network="x", author="ann", author_id="7", text=text, created_ms=1, seen_ms=1,
        engagement=engagement,
    )  # fmt: skip


def _read_copy(at_rest: Path, tmp_path: Path) -> list[Post | None]:
    return _open_and_read(Path(shutil.copytree(at_rest, tmp_path / "whole")))


def _open_and_read(folder: Path) -> list[Post | None]:
    index = LiveIndex.open(folder)
    try:
        ids(index, "storm", meaning="storm")
        return [index.get(f"{n}") for n in range(310)]
    finally:
        index.close()


def test_each_file_of_a_sealed_slice_is_flipped(at_rest: Path) -> None:
    sealed = at_rest / "slices" / "000000000000"
    assert {path.name for path in sealed.iterdir()} == set(SEALED)


@pytest.mark.parametrize("name", SEALED)
def test_a_flipped_bit_is_noticed(tmp_path: Path, at_rest: Path, name: str) -> None:
    dice, whole = random.Random(name), _read_copy(at_rest, tmp_path)
    for turn in range(5):
        folder = tmp_path / f"{turn}"
        shutil.copytree(at_rest, folder)
        path = folder / "slices" / "000000000000" / name
        path = next(path.iterdir()) if path.is_dir() else path
        data = bytearray(path.read_bytes())
        used = [at for at, byte in enumerate(data) if byte]
        data[dice.choice(used)] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            read = _open_and_read(folder)
        except IndexCorrupt as error:
            assert "rebuilt from the log" in str(error)  # noqa: PT017
            continue
        # A block that is said to be longer than it is ends where it ends.
        assert name == "blocks"
        assert read == whole
