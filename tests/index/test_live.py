"""What goes in comes out: at once from columns, after a refresh by words, for every moment."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from fairwitness.index import LiveIndex, Query
from fairwitness.posts.post import AccountGone, Deleted, Edited, Engagement, Event, Post, Posted

Make = Callable[..., Post]


def put(index: LiveIndex, *events: Event) -> None:
    index.apply(index.novel(events), index.position + 1)
    index.refresh()


def ids(
    index: LiveIndex, words: str = "", as_of_ms: int | None = None, **filters: object
) -> list[str]:
    query = Query(words=words, **filters)  # type: ignore[arg-type]
    return [hit.post.id for hit in index.search(query, as_of_ms=as_of_ms).hits]


def test_a_post_is_found_after_the_refresh_and_known_before(index: LiveIndex, post: Make) -> None:
    index.apply([Posted(post("a", "flood in Alberta"))], 1)
    assert ids(index, "flood") == []
    assert index.get("a") == post("a", "flood in Alberta")
    index.refresh()
    assert ids(index, "flood") == ["a"]


def test_novel_keeps_what_changes_something(index: LiveIndex, post: Make) -> None:
    likes = {"engagement": Engagement(likes=5)}
    put(index, Posted(post("a", "one")))
    told: list[Event] = [
        Posted(post("a", "one")),
        Posted(post("a", "one", 2_000, **likes)),
        Posted(post("a", "one", 3_000, **likes)),
        Posted(post("a", "two", 4_000)),
        Edited(post("a", "two", 5_000)),
        Posted(post("b", "new")),
        Posted(post("b", "new")),
        Deleted("b", 6_000),
        Deleted("b", 6_000),
        Posted(post("b", "new", 7_000)),
        Deleted("never heard of", 7_000),
        Posted(post("never heard of", "comes after its deletion", 8_000)),
    ]
    edit = Edited(post("a", "two", 4_000))
    assert index.novel(told) == [told[1], edit, told[5], told[7], told[10]]


def test_novel_follows_an_account_that_goes_within_the_batch(index: LiveIndex, post: Make) -> None:
    put(index, Posted(post("a", "one")))
    gone = AccountGone("x", "ann", 2_000)
    told: list[Event] = [
        AccountGone("y", "ann", 2_000),
        gone,
        gone,
        Edited(post("a", "two", 3_000)),
        Posted(post("b", "back", 3_000)),
        gone,
    ]
    assert index.novel(told) == [gone, told[3], told[4], gone]


def test_applying_again_changes_nothing(index: LiveIndex, post: Make) -> None:
    events: list[Event] = [
        Posted(post("a", "A")),
        Edited(post("a", "B", 2_000)),
        Edited(post("a", "A", 3_000)),
        Posted(post("b", "b", engagement=Engagement(likes=1))),
        Posted(post("b", "b", 2_000, engagement=Engagement(likes=2))),
    ]
    first = index.apply(events, 1)
    assert (first.posted, first.edited, first.reported) == (2, 2, 1)
    again = index.apply(events, 1)
    assert (again.nothing, again.posted, again.edited, again.reported) == (5, 0, 0, 0)
    assert index.stats().versions == 4


def test_each_moment_has_its_version_and_its_engagement(index: LiveIndex, post: Make) -> None:
    for seen_ms, text, likes in [(10, "old fire", 1), (20, "old fire", 7), (30, "new fire", 9)]:
        put(index, Posted(post("a", text, seen_ms, engagement=Engagement(likes=likes))))
    seen = {}
    for moment_ms in (9, 10, 19, 20, 29, 30, None):
        hits = index.search(Query(words="fire"), as_of_ms=moment_ms).hits
        assert [index.get("a", as_of_ms=moment_ms)] == ([h.post for h in hits] or [None])
        seen[moment_ms] = [(h.post.text, h.post.engagement.likes) for h in hits]
    old, older = [("old fire", 7)], [("old fire", 1)]
    new = [("new fire", 9)]
    assert seen == {9: [], 10: older, 19: older, 20: old, 29: old, 30: new, None: new}


def test_an_edit_shows_in_one_version_only(index: LiveIndex, post: Make) -> None:
    put(index, Posted(post("a", "storm one")))
    index.apply([Edited(post("a", "storm two", 2_000))], 2)
    before = index.search(Query(words="storm")).hits
    index.refresh()
    after = index.search(Query(words="storm")).hits
    assert [h.post.text for h in before] == ["storm one"]
    assert [h.post.text for h in after] == ["storm two"]


def test_a_deletion_holds_at_once_and_for_the_past_and_for_good(
    index: LiveIndex, post: Make
) -> None:
    put(index, Posted(post("a", "secret", 10)), Edited(post("a", "secret again", 20)))
    index.apply([Deleted("a", 30)], 2)
    for moment_ms in (None, 15, 25):
        assert ids(index, "secret", moment_ms) == []
        assert index.get("a", as_of_ms=moment_ms) is None
    assert index.novel([Posted(post("a", "secret once more", 40))]) == []


def test_what_is_deleted_leaves_the_disk(tmp_path: Path, post: Make) -> None:
    folder = tmp_path / "index"
    index = LiveIndex.open(folder, slice_rows=2)
    put(index, *(Posted(post(str(n), f"Xyzzy{n}plugh and more")) for n in range(5)))
    index.checkpoint()
    assert holding(folder, b"Xyzzy1plugh") == ["texts"]
    put(index, Deleted("1", 2_000), Deleted("4", 2_000))
    assert sorted(ids(index, "more")) == ["0", "2", "3"]
    index.checkpoint()
    assert holding(folder, b"Xyzzy1plugh") == holding(folder, b"Xyzzy4plugh") == []
    index.close()
    again = LiveIndex.open(folder)
    assert sorted(ids(again, "more")) == ["0", "2", "3"]
    assert again.novel([Posted(post("1", "Xyzzy1plugh and more"))]) == []
    again.close()


def holding(folder: Path, text: bytes) -> list[str]:
    """Return the names of the files that hold a text, as it is or in a compressed block."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if text in path.read_bytes() + decompressed(path)]


def decompressed(path: Path) -> bytes:
    if path.name != "texts":
        return b""
    stored = path.read_bytes()
    starts = [match.start() for match in re.finditer(re.escape(b"\x28\xb5\x2f\xfd"), stored)]
    return b"".join(zstandard.decompress(stored[start:]) for start in starts)


def test_an_account_takes_all_its_posts_along(index: LiveIndex, post: Make) -> None:
    mine = [Posted(post(f"a{n}", "hello", n)) for n in range(20)]
    put(index, *mine, Posted(post("b", "hello", author_id="bob")))
    put(index, Posted(post("c", "hello", network="y")))
    assert index.apply([AccountGone("x", "ann", 50)], 3).deleted == 20
    assert sorted(ids(index, "hello")) == sorted(ids(index)) == ["b", "c"]
    assert index.stats().networks == {"x": 1, "y": 1}


def test_filters(index: LiveIndex, post: Make) -> None:
    put(
        index,
        Posted(post("a", "rain", 10, lang="en", author="Ann@Example.org", author_id="1")),
        Posted(post("b", "rain", 20, lang="de", network="y", author="Bob", author_id="2")),
        Posted(post("c", "rain", 30, lang="fr", created_ms=5)),
        Posted(post("d", "rain", 40, lang="fr", created_ms=99_999)),
    )
    for words in ("rain", ""):
        assert set(ids(index, words, langs=("en", "de", "xx"))) == {"a", "b"}
        assert ids(index, words, networks=("y",)) == ["b"]
        assert ids(index, words, networks=("nowhere",)) == []
        assert ids(index, words, authors=("@ann@EXAMPLE.org",)) == ["a"]
        assert ids(index, words, authors=("2",)) == ["b"]
        assert set(ids(index, words, since_ms=10, until_ms=40)) == {"a", "b"}
        assert ids(index, words, until_ms=10) == ["c"], "a post is as old as it says"
        assert ids(index, words, since_ms=40) == ["d"], "but not from the future"
        assert index.search(Query(words=words, langs=("fr",))).searched == 2


def test_filters_that_pass_few_of_many_find_all_that_pass(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path / "index", slice_rows=7_000)
    put(
        index,
        *(
            Posted(post(f"{n:05}", "rain " * (1 + n % 9), n, lang="en" if n % 3 else "de"))
            for n in range(9_000)
        ),
    )
    half = Query(words="rain", langs=("de",))
    some = Query(words="rain", since_ms=100, until_ms=5_100, langs=("de",))
    assert len(index.search(half, limit=5_000).hits) == 3_000
    assert len(index.search(some, limit=5_000).hits) == 1_666
    assert len(index.search(Query(words="rain"), as_of_ms=10, limit=99).hits) == 11
    assert len(index.search(Query(words="rain"), as_of_ms=7_999, limit=9_999).hits) == 8_000
    # Only the posts that words rank last pass: all better ones must be looked through.
    assert len(index.search(Query(words="rain", langs=("de",)), limit=2_999).hits) == 2_999
    index.close()


def test_no_words_lists_the_newest(index: LiveIndex, post: Make) -> None:
    put(index, *(Posted(post(str(n), "", 100 - n if n % 2 else 100 + n)) for n in range(20)))
    newest = [hit.post.seen_ms for hit in index.search(Query(), limit=5).hits]
    assert newest == [118, 116, 114, 112, 110]
    assert index.search(Query(words=" "), limit=0).searched == 20
    assert ids(index, "?!") == []


def test_recency_and_reach_lift_equal_words(index: LiveIndex, post: Make) -> None:
    day_ms = 86_400_000
    put(
        index,
        Posted(post("old", "quake", day_ms)),
        Posted(post("new", "quake", 3 * day_ms)),
        Posted(post("known", "quake", day_ms, engagement=Engagement(likes=50_000))),
        Posted(post("long", "quake " + "and so on " * 30, 3 * day_ms)),
    )
    hits = index.search(Query(words="quake")).hits
    assert [hit.post.id for hit in hits][:3] == ["new", "known", "old"]
    assert all(hit.score == pytest.approx(sum(hit.parts)) for hit in hits)


def test_who_said_nothing_before_is_trusted_less(index: LiveIndex, post: Make) -> None:
    hour_ms = 3_600_000
    nothing = [post(f"n{n}", f"🔥🔥🔥🔥 {n}", n, author_id="loud") for n in range(40)]
    poor = "$$$ >>> !!! *** harbour 1000% !!! >>> $$$"
    said = [
        post("heard", poor, hour_ms, author_id="loud"),
        post("unheard", poor, hour_ms, author_id="calm"),
        post("flood", "harbour #a #b #c #d #e #f #g @a @b @c https://t.co/x", hour_ms),
    ]
    put(index, *map(Posted, [*nothing, *said]))
    hits = {hit.post.id: hit for hit in index.search(Query(words="harbour")).hits}
    trust = {id: hit.parts.trust for id, hit in hits.items()}
    assert trust["unheard"] == pytest.approx(0.1)
    assert 0 < trust["flood"] < trust["heard"] < trust["unheard"]
    apart = hits["unheard"].score - hits["heard"].score
    assert apart == pytest.approx(trust["unheard"] - trust["heard"])


def test_odd_posts(index: LiveIndex, post: Make) -> None:
    big = "abcdefghi " * 100_000 + "needle"
    odd = "\x00 \u202e a\u0301 👍🏽 ﷽ \U000e0001 İstanbul"
    put(
        index,
        Posted(post("big", big)),
        Posted(post("odd", odd)),
        Posted(post("empty", "")),
        Posted(post("long word", "x" * 100_000)),
        Posted(post("views", "v", created_ms=-(2**63), engagement=Engagement(views=2**64 - 1))),
    )
    assert ids(index, "needle") == ["big"]
    assert ids(index, "istanbul") == ids(index, "ISTANBUL") == ["odd"]
    assert index.get("big") == post("big", big)
    assert index.get("empty") == post("empty", "")
    assert len(ids(index)) == 5


def test_stats(index: LiveIndex, post: Make) -> None:
    assert index.stats().posts == index.newest_seen_ms() == 0
    put(index, *(Posted(post(str(n), "word 津波", n + 1)) for n in range(20)))
    put(index, Edited(post("3", "other", 50)), Deleted("4", 60), Deleted("19", 60))
    stats = index.stats()
    assert (stats.posts, stats.versions, stats.slices) == (18, 21, 3)
    assert (stats.oldest_seen_ms, stats.newest_seen_ms) == (1, 50)
    assert stats.size_bytes > 1_000
    assert index.newest_seen_ms() == 50
    assert index.newest_seen_ms(as_of_ms=20) == 19, "the post seen at 20 is gone"
    assert index.frequencies(["other", "津波", "津", "nothing", "!"])[2:] == [20, 0, 0]


def test_a_deletion_that_is_heard_before_its_post_holds(index: LiveIndex, post: Make) -> None:
    put(index, Deleted("a", 1_000))
    assert index.stats().posts == 0
    late: list[Event] = [Posted(post("a", "too late", 2_000))]
    assert index.novel(late) == []
    put(index, *late)
    assert index.get("a") is None
    assert index.search(Query(words="late")).hits == ()


def test_an_account_that_returns_may_say_its_posts_again(index: LiveIndex, post: Make) -> None:
    put(index, Posted(post("a", "one")), Posted(post("b", "two")))
    put(index, Deleted("b", 2_000), AccountGone("x", "ann", 3_000))
    assert index.stats().posts == 0
    told: list[Event] = [Posted(post("a", "one", 4_000)), Posted(post("b", "two", 4_000))]
    assert index.novel(told) == told[:1]
    put(index, *told[:1])
    assert index.get("a") == post("a", "one", 4_000)
    assert index.get("a", as_of_ms=3_500) is None
    assert index.get("b") is None


def test_what_was_deleted_after_its_account_went_does_not_return(
    index: LiveIndex, post: Make
) -> None:
    put(index, Posted(post("a", "one")), AccountGone("x", "ann", 2_000), Deleted("a", 3_000))
    again: list[Event] = [Posted(post("a", "one", 4_000))]
    assert index.novel(again) == []
    put(index, *again)
    assert index.get("a") is None


def test_words_of_many_deleted_posts_do_not_drown_the_rest(index: LiveIndex, post: Make) -> None:
    put(index, *(Posted(post(f"p{n}", "fire in Oldtown")) for n in range(10)))
    put(index, *(Deleted(f"p{n}", 2_000) for n in range(5)))
    index.checkpoint()
    index.refresh()
    hits = index.search(Query(words="fire Oldtown")).hits
    assert len(hits) == 5
    assert all(0 <= hit.parts.words <= 2 for hit in hits)
