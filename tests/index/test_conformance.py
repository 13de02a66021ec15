"""One index is like another: the same cases on one folder and on a cluster of processes.

The cluster is real: three shards in Ray actors, each a process, fed by a nats-server. `restart`
kills what there is and opens it again, as a home would: from the position that the index kept.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="NO RAY HERE: pip install -e '.[dev]'")

from fairwitness.index import Hit, LiveIndex, Query
from fairwitness.index.protocol import Searchable
from fairwitness.index.shards import Cluster, Plan
from fairwitness.index.shards.local import NatsServer
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.ingest import Ingest
from fairwitness.posts.log import Log
from fairwitness.posts.post import AccountGone, Deleted, Edited, Engagement, Event, Post, Posted
from fairwitness.posts.source import SourceBatch

Make = Callable[..., Post]
HOUR_MS = 3_600_000
_case = itertools.count()


class Kept:
    """An index, and a log of what it was told. `kill` ends what `open` made, without a warning."""

    def __init__(self, open: Callable[[], Searchable], kill: Callable[[Searchable], None]) -> None:
        self._open, self._kill = open, kill
        self.index = open()
        self.told: list[tuple[list[Event], int]] = []

    def put(self, *events: Event) -> list[Event]:
        """Take events down the road of a post: novel, log, index. Returns what was new."""
        fresh = self.index.novel(events)
        self.tell(*fresh)
        return fresh

    def tell(self, *events: Event) -> None:
        """Log and apply events, whether they are new or not."""
        self.told.append((list(events), len(self.told) + 1))
        self.index.apply(*self.told[-1])
        self.index.refresh()

    def restart(self) -> None:
        """Kill it, open it, and tell it what its log has more."""
        self._kill(self.index)
        self.index = self._open()
        for events, position in self.told[self.index.position :]:
            self.index.apply(events, position)
        self.index.refresh()

    def ids(self, words: str = "", as_of_ms: int | None = None, **filters: object) -> list[str]:
        return [hit.post.id for hit in self.hits(words, as_of_ms, **filters)]

    def hits(
        self, words: str = "", as_of_ms: int | None = None, **filters: object
    ) -> tuple[Hit, ...]:
        query = Query(words=words, **filters)  # type: ignore[arg-type]
        while True:
            results = self.index.search(query, as_of_ms=as_of_ms)
            # On a busy machine a process may be late; the test's own time limit bounds this.
            if results.coverage.complete:
                return results.hits


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Kept]:
    # Closed without a checkpoint it forgets what came after the last one.
    kept = Kept(
        lambda: LiveIndex.open(tmp_path / "index", slice_rows=8), lambda index: index.close()
    )
    yield kept
    kept.index.close()


@pytest.fixture
def many(
    tmp_path: Path, nats: NatsServer, one_node: None, whole: Callable[[Cluster], float]
) -> Iterator[Kept]:
    plan = Plan(
        servers=(nats.url,),
        folder=str(tmp_path),
        shards=3,
        replicas=1,
        name=f"case{next(_case)}",
        slice_rows=8,
    )

    def opened() -> Cluster:
        cluster = Cluster(plan, deadline_s=20)
        whole(cluster)
        return cluster

    def kill(cluster: Cluster) -> None:
        pids = [each.pid for each in cluster.standing().values() if each is not None]
        assert len(pids) == 3
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        cluster.close()

    kept = Kept(opened, kill)
    yield kept
    kept.index.end()


@pytest.fixture(params=["embedded", "many"])
def kept(request: pytest.FixtureRequest) -> Kept:
    found: Kept = request.getfixturevalue(request.param)
    return found


def test_nothing_is_found_where_nothing_is(kept: Kept) -> None:
    assert kept.ids() == kept.ids("flood") == kept.ids(phrases=("flood in",)) == []
    assert kept.index.get("a") is None
    assert kept.index.newest_seen_ms() == kept.index.stats().posts == 0
    assert kept.index.frequencies(["flood"]) == [0]


def test_posts_are_found_by_words_in_every_script(kept: Kept, post: Make) -> None:
    kept.put(
        *(Posted(post(f"a{n}", f"flood number {n} in Alberta")) for n in range(20)),
        Posted(post("ja", "津波警報が出ました", lang="ja")),
        Posted(post("zh", "北京今天下雨", lang="zh")),
        Posted(post("th", "น้ำท่วมใหญ่", lang="th")),
        Posted(post("ar", "فيضان كبير في المدينة", lang="ar")),
        Posted(post("ru", "Наводнение в городе", lang="ru")),
        Posted(post("tag", "run #Tsunami 🌊 @Ann")),
    )
    assert sorted(kept.ids("flood")) == sorted(f"a{n}" for n in range(20))
    for words, id_ in [
        ("津波", "ja"), ("下雨", "zh"), ("น้ำท่วม", "th"), ("فيضان", "ar"),
        ("наводнение", "ru"), ("#tsunami", "tag"), ("number 7", "a7"),
    ]:  # fmt: skip
        assert kept.ids(words)[0] == id_
    assert kept.ids("nowhere") == kept.ids("?!") == []


def test_who_holds_more_of_what_is_asked_comes_first(kept: Kept, post: Make) -> None:
    kept.put(
        *(Posted(post(f"one{n}", f"bridge {n}")) for n in range(12)),
        *(Posted(post(f"two{n}", f"bridge collapse {n}")) for n in range(12)),
    )
    found = kept.ids("bridge collapse")
    assert len(found) == 24
    assert {id_[:3] for id_ in found[:12]} == {"two"}


def test_hits_are_limited_and_counted(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n:02}", "same", n)) for n in range(30)))
    results = kept.index.search(Query(), limit=7)
    assert [hit.post.id for hit in results.hits] == [f"{n:02}" for n in range(29, 22, -1)]
    assert (results.matched, results.searched) == (30, 30)
    assert kept.index.search(Query(words="same"), limit=0).hits == ()


def test_age_counts_from_the_newest_post_of_all(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n:02}", "old", (n + 1) * HOUR_MS)) for n in range(30)))
    for hits in (kept.hits(), kept.hits("old")):
        assert [hit.post.id for hit in hits] == [f"{n:02}" for n in range(29, -1, -1)]
        for age_h, hit in enumerate(hits):
            assert hit.parts.recency == pytest.approx(0.3 * 2 ** (-age_h / 6))
            assert hit.score == pytest.approx(sum(hit.parts))


def test_an_edit_takes_the_place_of_what_was(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n}", f"storm one {n}")) for n in range(9)))
    kept.put(*(Edited(post(f"{n}", f"calm two {n}", 2_000)) for n in range(9)))
    assert kept.ids("storm") == []
    assert len(kept.ids("calm")) == len(kept.ids()) == 9
    found = kept.index.get("4")
    assert found is not None
    assert found.text == "calm two 4"
    assert kept.index.stats().versions == 18


def test_a_deletion_holds_for_the_past_and_for_good(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n}", "secret", 10)) for n in range(9)))
    kept.put(*(Deleted(f"{n}", 30) for n in range(8)))
    for moment_ms in (None, 20, 40):
        assert kept.ids("secret", moment_ms) == ["8"]
        assert kept.index.get("3", as_of_ms=moment_ms) is None
    again = [Posted(post("3", "secret once more", 40))]
    assert kept.put(*again) == []
    kept.tell(*again)
    assert kept.index.get("3") is None


def test_a_deletion_may_come_before_its_post(kept: Kept, post: Make) -> None:
    ids = [f"{n}" for n in range(9)]
    kept.put(*(Deleted(id_, 30) for id_ in ids))
    kept.tell(*(Posted(post(id_, "never to be seen", 10)) for id_ in ids))
    assert kept.ids("never") == kept.ids() == []
    assert kept.index.stats().posts == 0


def test_an_account_takes_its_posts_along_wherever_they_are(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"a{n}", "hello", n)) for n in range(20)))
    kept.put(Posted(post("b", "hello", author_id="bob")), Posted(post("c", "hello", network="y")))
    gone = AccountGone("x", "ann", 50)
    assert kept.put(gone) == [gone]
    assert sorted(kept.ids("hello")) == sorted(kept.ids()) == ["b", "c"]
    assert kept.index.stats().networks == {"x": 1, "y": 1}
    assert kept.put(gone) == []
    kept.put(Posted(post("a3", "back again", 60)))
    assert kept.ids("back") == ["a3"]


def test_novel_keeps_what_changes_something_in_order(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n}", "one")) for n in range(6)))
    likes = {"engagement": Engagement(likes=5)}
    told: list[Event] = [
        Posted(post("0", "one")),
        Posted(post("1", "one", 2_000, **likes)),
        Posted(post("2", "two", 3_000)),
        Posted(post("new", "new")),
        Posted(post("new", "new")),
        AccountGone("y", "nobody", 3_000),
        Deleted("3", 3_000),
        Deleted("3", 3_000),
        AccountGone("x", "ann", 4_000),
        Posted(post("4", "back", 5_000)),
    ]
    edit = Edited(post("2", "two", 3_000))
    assert kept.index.novel(told) == [told[1], edit, told[3], told[6], told[8], told[9]]


def test_each_moment_has_its_posts_versions_and_engagement(kept: Kept, post: Make) -> None:
    for seen_ms, text, likes in [(10, "old fire", 1), (20, "old fire", 7), (30, "new fire", 9)]:
        kept.put(Posted(post("a", text, seen_ms, engagement=Engagement(likes=likes))))
    kept.put(*(Posted(post(f"{n}", "other fire", n)) for n in range(15, 25)))
    seen = {}
    for moment_ms in (9, 10, 20, 30, None):
        hits = kept.hits("fire", moment_ms)
        mine = [hit.post for hit in hits if hit.post.id == "a"]
        assert [kept.index.get("a", as_of_ms=moment_ms)] == (mine or [None])
        seen[moment_ms] = [(p.text, p.engagement.likes) for p in mine], len(hits)
    assert seen == {
        9: ([], 0),
        10: ([("old fire", 1)], 1),
        20: ([("old fire", 7)], 7),
        30: ([("new fire", 9)], 11),
        None: ([("new fire", 9)], 11),
    }
    newest = [kept.index.newest_seen_ms(as_of_ms=moment_ms) for moment_ms in (9, 17, None)]
    assert newest == [0, 17, 30]


def test_filters(kept: Kept, post: Make) -> None:
    kept.put(
        Posted(post("en", "rain", 1_000, lang="en")),
        Posted(post("de", "rain", 2_000, lang="de", network="y", author="@Bob", author_id="b1")),
        Posted(post("fr", "rain", 3_000, lang="fr", author="Eve", author_id="e1")),
        Posted(post("late", "rain", 4_000, lang="en", created_ms=2_500)),
    )
    for words in ("", "rain"):
        found = {
            "lang": kept.ids(words, langs=("en",)),
            "langs": kept.ids(words, langs=("de", "fr", "xx")),
            "network": kept.ids(words, networks=("y",)),
            "handle": kept.ids(words, authors=("bob",)),
            "account": kept.ids(words, authors=("e1",)),
            "window": kept.ids(words, since_ms=2_000, until_ms=3_000),
            "both": kept.ids(words, langs=("en",), since_ms=2_000),
            "none": kept.ids(words, networks=("z",)),
        }
        assert {name: sorted(ids) for name, ids in found.items()} == {
            "lang": ["en", "late"],
            "langs": ["de", "fr"],
            "network": ["de"],
            "handle": ["de"],
            "account": ["fr"],
            "window": ["de", "late"],
            "both": ["late"],
            "none": [],
        }


def test_phrases_stand_word_for_word(kept: Kept, post: Make) -> None:
    kept.put(
        *(Posted(post(f"yes{n}", f"the power is out in town {n}")) for n in range(6)),
        *(Posted(post(f"no{n}", f"out of power, the town is dark {n}")) for n in range(6)),
        Posted(post("ja", "今日は東京で地震がありました")),
        Posted(post("ja2", "京東の地と震")),
    )
    assert sorted(kept.ids(phrases=("power is out",))) == [f"yes{n}" for n in range(6)]
    assert kept.ids(phrases=("東京で地震",)) == ["ja"]
    assert kept.ids("town", phrases=("is dark",))[0].startswith("no")


def test_engagement_is_updated_in_place(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n}", "score")) for n in range(9)))
    kept.put(Posted(post("5", "score", 2_000, engagement=Engagement(likes=90_000))))
    best = kept.hits("score")[0]
    assert (best.post.id, best.post.engagement.likes) == ("5", 90_000)
    assert best.parts.engagement > 0.09
    assert kept.index.stats().versions == 9


def test_what_is_delivered_twice_counts_once(kept: Kept, post: Make) -> None:
    events: list[Event] = [
        *(Posted(post(f"{n}", "twice", n)) for n in range(9)),
        Edited(post("3", "thrice", 20)),
        Deleted("4", 30),
        Posted(post("5", "twice", 25, engagement=Engagement(likes=3))),
    ]
    for _ in range(3):
        kept.tell(*events)
    kept.index.apply(events, len(kept.told))  # said again by a publisher that was not answered
    kept.index.refresh()
    assert sorted(kept.ids()) == ["0", "1", "2", "3", "5", "6", "7", "8"]
    assert kept.ids("thrice") == ["3"]
    stats = kept.index.stats()
    assert (stats.posts, stats.versions) == (8, 10)


def test_times_may_be_out_of_order_by_days(kept: Kept, post: Make) -> None:
    day_ms = 24 * HOUR_MS
    seen = [5, 1, 9, 3, 7]
    kept.put(*(Posted(post(f"{day}", "when", day * day_ms)) for day in seen))
    kept.put(Posted(post("ahead", "when", 4 * day_ms, created_ms=400 * day_ms)))
    assert kept.ids() == ["9", "7", "5", "ahead", "3", "1"]
    assert kept.ids("when") == ["9", "7", "5", "ahead", "3", "1"]
    assert kept.ids("when", 4 * day_ms) == ["ahead", "3", "1"]
    assert kept.ids(since_ms=3 * day_ms, until_ms=6 * day_ms) == ["5", "ahead", "3"]
    stats = kept.index.stats()
    assert (stats.oldest_seen_ms, stats.newest_seen_ms) == (day_ms, 9 * day_ms)


def test_words_are_counted(kept: Kept, post: Make) -> None:
    kept.put(
        *(Posted(post(f"{n}", "storm warning" if n % 2 else "storm")) for n in range(10)),
        Posted(post("ja", "津波警報")),
    )
    assert kept.index.frequencies(["storm", "warning", "津波", "calm", "?!"]) == [10, 5, 1, 0, 0]


def test_a_restart_brings_back_all_that_was_told(kept: Kept, post: Make) -> None:
    kept.put(*(Posted(post(f"{n}", f"before {n}", 10)) for n in range(30)))
    kept.put(Deleted("7", 20), Edited(post("8", "changed", 20)))
    kept.index.checkpoint()
    position = kept.index.position
    assert position == 2
    kept.put(*(Posted(post(f"after{n}", f"later {n}", 30)) for n in range(10)), Deleted("9", 30))
    kept.restart()
    assert kept.index.position >= position
    gone = {"7", "8", "9"}
    assert set(kept.ids("before")) == {f"{n}" for n in range(30)} - gone
    assert kept.ids("changed") == ["8"]
    assert len(kept.ids("later")) == 10
    assert kept.put(Posted(post("7", "before 7", 10))) == []
    kept.put(Posted(post("last", "still taking in", 40)))
    assert kept.ids("taking") == ["last"]
    stats = kept.index.stats()
    assert (stats.posts, stats.versions) == (39, 42)


class Feed:
    """A source that ends."""

    name = "test:feed"

    def __init__(self, batches: list[SourceBatch]) -> None:
        self._batches = batches

    async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
        for batch in self._batches[int(cursor or 0) :]:
            yield batch


def test_the_road_of_a_post_ends_in_it(kept: Kept, post: Make, tmp_path: Path) -> None:
    batches = [
        SourceBatch(
            (*(Posted(post(f"{at}-{n}", f"flood {n}", at + 1)) for n in range(6)),),
            cursor=str(at + 1),
        )
        for at in range(10)
    ]
    log = Log(tmp_path / "log")
    ingest = Ingest(log, kept.index, VirtualClock(1))
    asyncio.run(ingest.run([Feed(batches)]))
    assert kept.index.stats().posts == 60
    assert kept.index.position == log.position
    assert kept.index.search(Query(words="flood"), limit=10).searched == 60
    log.close()
