"""Readers in other threads see whole states while one writes."""

import threading
from collections.abc import Callable
from pathlib import Path

from fairwitness.index import LiveIndex, Query
from fairwitness.posts.post import Deleted, Edited, Event, Post, Posted

Make = Callable[..., Post]
READERS = 3
ROUNDS = 40


def test_readers_never_see_a_torn_state(tmp_path: Path, post: Make) -> None:
    """Each round edits all of ten posts, so any search must find each in exactly one version."""
    index = LiveIndex.open(tmp_path, slice_rows=100)
    names = [f"post{n}" for n in range(10)]
    index.apply([Posted(post(name, f"round 0 {name}", 1)) for name in names], 1)
    index.refresh()
    stop, troubles, searches = threading.Event(), list[str](), list[int]()

    def read() -> None:
        last_round, count = 0, 0
        while not stop.is_set():
            found = index.search(Query(words="round"), limit=100).hits
            kept = [hit for hit in found if hit.post.id in names]
            rounds = {hit.post.text.split()[1] for hit in kept}
            if sorted(hit.post.id for hit in kept) != names or len(rounds) > 1:
                troubles.append(f"{[hit.post.text for hit in kept]}")
            elif int(rounds.pop()) < last_round:
                troubles.append("went back")
            else:
                last_round = int(kept[0].post.text.split()[1])
            count += 1
        searches.append(count)

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for number in range(1, ROUNDS):
        passing = f"passing{number}"
        events: list[Event] = [
            *(Edited(post(name, f"round {number} {name}", number + 1)) for name in names),
            Posted(post(passing, f"round {number} {passing}", number + 1)),
            Deleted(f"passing{number - 3}", number + 1),
        ]
        index.apply(index.novel(events), number + 1)
        index.refresh()
        if number % 10 == 0:
            index.checkpoint()
    stop.set()
    for reader in readers:
        reader.join()
    assert troubles == []
    assert min(searches) > 10
    assert index.stats().slices > 3
    index.close()
