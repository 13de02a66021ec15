"""What nobody should send, and what disks do: kept, found where it can be, or named."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, LiveIndex, Query, manifest
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
GROWING = "columns texts blocks words codes centres marks changes reports rest".split()
FILES = [f"000000000000/{name}" for name in SEALED] + [f"000000000300/{name}" for name in GROWING]
HELD_AFTER_A_KILL = [
    path
    for path in FILES
    if path.partition("/")[2] not in {"marks", "changes", "reports", "rest", "codes", "centres"}
]
Said = list[Post | None]


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose slices, one sealed and one that grows, have all that they may have, closed in
    order."""
    folder = tmp_path_factory.mktemp("rest") / "index"
    index = LiveIndex.open(folder, slice_rows=300)
    said = [_post(f"{n}", f"storm number {n} over the harbour") for n in range(310)]
    put(index, *map(Posted, said))
    for first in (0, 300):
        text = said[first + 3].text
        liked = _post(f"{first + 3}", text, engagement=Engagement(likes=9))
        edited = Edited(_post(f"{first + 4}", "calm again"))
        put(index, Posted(liked), edited, Deleted(f"{first + 5}", 5_000))
    index.checkpoint()
    index.close()
    _open_and_read(folder)
    return folder


@pytest.fixture(scope="module")
def whole(at_rest: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    return _open_and_read(Path(shutil.copytree(at_rest, tmp_path_factory.mktemp("whole") / "it")))


def _post(id: str, text: str, engagement: Engagement = UNSAID) -> Post:
    return Post(
        id=id, network="x", author="ann", author_id="7", text=text, created_ms=1, seen_ms=1,
        engagement=engagement,
    )  # fmt: skip


def _open_and_read(folder: Path) -> Said:
    index = LiveIndex.open(folder)
    try:
        ids(index, "storm", meaning="storm")
        return [index.get(f"{n}") for n in range(310)]
    finally:
        index.close()


def _flipped(path: Path, dice: random.Random) -> None:
    """Turn over a bit of a byte that is in use."""
    path = next(path.iterdir()) if path.is_dir() else path
    data = bytearray(path.read_bytes())
    used = [at for at, byte in enumerate(data) if byte]
    data[dice.choice(used)] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def _is_noticed(folder: Path, name: str, whole: Said) -> None:
    try:
        read = _open_and_read(folder)
    except IndexCorrupt as error:
        assert "rebuilt from the log" in str(error)  # noqa: PT017
    else:  # A block that is said to be longer than it is ends where it ends.
        assert name.endswith("/blocks")
        assert read == whole


def test_each_file_of_the_slices_is_flipped(at_rest: Path) -> None:
    slices = at_rest / "slices"
    assert {str(path.relative_to(slices)) for path in slices.glob("*/*")} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_noticed(tmp_path: Path, at_rest: Path, name: str, whole: Said) -> None:
    dice = random.Random(name.partition("/")[2])
    for turn in range(5):
        folder = Path(shutil.copytree(at_rest, tmp_path / f"{turn}"))
        _flipped(folder / "slices" / name, dice)
        _is_noticed(folder, name, whole)


@pytest.mark.parametrize("name", HELD_AFTER_A_KILL)
def test_a_flipped_bit_is_noticed_after_a_kill(
    tmp_path: Path, at_rest: Path, name: str, whole: Said
) -> None:
    folder = Path(shutil.copytree(at_rest, tmp_path / "killed"))
    for rest in folder.glob("slices/*/rest"):  # all that a writer leaves that ends in order
        rest.unlink()
    _flipped(folder / "slices" / name, random.Random(name))
    _is_noticed(folder, name, whole)


@pytest.mark.parametrize("name", ["marks", "codes", "centres"])
def test_a_file_that_is_gone_is_noticed(tmp_path: Path, at_rest: Path, name: str) -> None:
    folder = Path(shutil.copytree(at_rest, tmp_path / "lost"))
    (folder / "slices" / "000000000300" / name).unlink()
    with pytest.raises(IndexCorrupt, match=f"{name}: is not there"):
        LiveIndex.open(folder)


def test_a_flipped_bit_anywhere_in_a_manifest_is_noticed(at_rest: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(at_rest / "manifest.json", tmp_path))
    data, dice = path.read_bytes(), random.Random(1)
    for at in range(len(data)):
        for bit in (dice.randrange(7), 7):  # the last makes what is no UTF-8
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            with pytest.raises(IndexCorrupt, match="rebuilt from the log"):
                manifest.read(tmp_path)


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_what_readers_follow_sends_them_to_the_checkpoint(
    at_rest: Path, tmp_path: Path, bit: int
) -> None:
    shutil.copy(at_rest / "manifest.json", tmp_path)
    data, told = (at_rest / "live.json").read_bytes(), manifest.read(tmp_path)
    for at in range(0, len(data), 5):
        flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        (tmp_path / "live.json").write_bytes(flipped)
        assert manifest.read_live(tmp_path) == told
