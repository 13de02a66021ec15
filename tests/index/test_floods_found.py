"""Who floods is marked and can be left out; nothing is dropped."""

from collections.abc import Callable

from fairwitness.index import LiveIndex
from fairwitness.index.syntax import parse
from fairwitness.posts.post import Deleted, Post, Posted

Make = Callable[..., Post]


def test_floods_are_marked_and_only_left_out_where_it_is_asked_for(
    index: LiveIndex, post: Make
) -> None:
    shouting = [Posted(post(f"bot{n}", f"win a prize today number {n}", 50 * n)) for n in range(60)]
    calm = [
        Posted(post(f"p{n}", f"the prize was won by runner {n}", 50 * n, author_id=f"a{n}"))
        for n in range(5)
    ]
    index.apply([*shouting, *calm], 1)
    index.refresh()

    def found(line: str) -> set[str]:
        hits = index.search(parse(line, 10_000), limit=100).hits
        return {hit.post.id for hit in hits}

    assert len(found("prize")) == 65, "nothing is dropped"
    floods = found("prize filter:floods")
    # The bucket leaks a little meanwhile.
    assert {f"bot{n}" for n in range(32, 60)} <= floods <= {f"bot{n}" for n in range(30, 60)}
    assert found("prize -filter:floods") == found("prize") - floods
    assert {f"p{n}" for n in range(5)} <= found("prize min_quality:200")
    assert found("prize min_quality:200").isdisjoint(floods)


def test_what_is_noticed_is_counted_of_what_is_there(index: LiveIndex, post: Make) -> None:
    text = "The bridge over the Elbe was closed last night after the flood, officials said"
    copies = [Posted(post(f"c{n}", text, n, author_id=f"a{n}")) for n in range(100)]
    again = Posted(post("again", text, 100, author_id="b", repost_of="c0"))
    poor = Posted(post("poor", "😂😂😂😂", 100, author_id="c"))
    bot = [
        Posted(post(f"bot{n}", f"{n} more birds of the north were seen by {n * n} people", 100))
        for n in range(40)
    ]
    index.apply([*copies, again, poor, *bot], 1)
    stats = index.stats()
    assert (stats.posts, stats.copies, stats.low_quality) == (142, 99, 1)
    assert (stats.author_floods, stats.copy_floods) == (10, 38)
    index.apply([Deleted("c99", 200), Deleted("bot39", 200)], 2)
    stats = index.stats()
    assert (stats.posts, stats.copies) == (140, 98)
    assert (stats.author_floods, stats.copy_floods) == (9, 37)
