"""A mask that lasts allows nothing that went since, and its counts are those of now."""

from collections.abc import Callable
from pathlib import Path

from fairwitness.index import LiveIndex, Query
from fairwitness.posts.post import Deleted, Edited, Event, Post, Posted

Make = Callable[..., Post]
LANGS = ("en", "es")


def text_of(number: int) -> str:
    return f"fire number {number} seen by word{number}"


def fill(index: LiveIndex, post: Make) -> None:
    """Put 20 posts into slices of 8, in two languages by turns."""
    posts = [post(str(n), text_of(n), 1_000 + n, lang=LANGS[n % 2]) for n in range(20)]
    index.apply([Posted(each) for each in posts], 1)
    index.checkpoint()


def found(index: LiveIndex, query: Query, as_of_ms: int | None = None) -> tuple[set[str], int]:
    results = index.search(query, as_of_ms=as_of_ms)
    return {hit.post.id for hit in results.hits}, results.searched


def hold(index: LiveIndex, lang: str, ids: set[str]) -> None:
    """Ask by words, by words and meaning, and for the newest, each twice."""
    for _ in range(2):
        assert found(index, Query(words="fire", langs=(lang,))) == (ids, len(ids))
        asked = Query(words="fire", meaning="fire seen", langs=(lang,))
        assert found(index, asked) == (ids, len(ids))
        assert found(index, Query(langs=(lang,))) == (ids, len(ids))


def test_what_goes_or_changes_is_as_it_is_now(index: LiveIndex, post: Make) -> None:
    fill(index, post)
    english = {str(n) for n in range(0, 20, 2)}
    hold(index, "en", english)
    seen_ms = 5_000
    index.apply([Deleted("2", seen_ms)], 2)
    hold(index, "en", english - {"2"})
    index.apply([Edited(post("4", "fire seen anew", seen_ms, lang="es"))], 3)
    index.refresh()
    hold(index, "en", english - {"2", "4"})
    spanish = {str(n) for n in range(1, 20, 2)} | {"4"}
    hold(index, "es", spanish)
    before, count = found(index, Query(words="fire", langs=("en",)), as_of_ms=seen_ms - 1)
    assert (before, count) == (english - {"2"}, 9), "as of a moment it had not changed"


def test_a_reader_finds_nothing_that_the_writer_deleted(tmp_path: Path, post: Make) -> None:
    writer = LiveIndex.open(tmp_path / "index", slice_rows=8)
    fill(writer, post)
    reader = LiveIndex.open(tmp_path / "index", read_only=True)
    asked = Query(words="fire", meaning="fire seen", langs=("es",))
    assert len(found(reader, asked)[0]) == 10
    events: list[Event] = [Deleted(str(n), 5_000) for n in (1, 9, 19)]
    writer.apply(events, 2)
    writer.refresh()
    for query in (asked, Query(langs=("es",))):
        assert found(reader, query)[0] == {str(n) for n in (3, 5, 7, 11, 13, 15, 17)}
    reader.close()
    writer.close()
