"""Any road through apply, refresh, checkpoint, kill and reopen shows what a plain model shows."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairwitness.index import LiveIndex, Query
from fairwitness.posts.post import (
    AccountGone,
    Deleted,
    Edited,
    Engagement,
    Event,
    Post,
    Posted,
)
from fairwitness.posts.post import (
    seen_ms as moment_of,
)

WORDS = ("fire", "flood", "storm")
IDS = [f"id{n}" for n in range(6)]
FOREVER_MS = 2**62
MOMENTS_MS = (0, 7, 15, 23, 31, None)


@dataclass
class Story:
    """All that happened to one id: (from, until, text) and (when, likes), by the book."""

    author: str
    versions: list[tuple[int, int, str]]
    likes: list[tuple[int, int, int]] = field(default_factory=list)
    gone: bool = False
    with_account: bool = False
    gone_ms: int = 0

    def at(self, moment_ms: int | None) -> tuple[str, int] | None:
        now_ms = FOREVER_MS - 1 if moment_ms is None else moment_ms
        for number, (from_ms, until_ms, text) in enumerate(self.versions):
            if from_ms <= now_ms < until_ms and not self.gone:
                known = [c for v, at, c in self.likes if v == number and at <= now_ms]
                return text, (known or [-1])[-1]
        return None


class Book:
    """The plain model: stories by id."""

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}

    def tell(self, event: Event) -> None:
        match event:
            case Deleted():
                story = self.stories.setdefault(event.id, Story("", [(0, FOREVER_MS, "")]))
                story.gone, story.with_account = True, False
            case AccountGone():
                for story in self.stories.values():
                    if story.author == event.author_id and not story.gone:
                        story.gone = story.with_account = True
                        story.gone_ms = event.seen_ms
            case Posted(post) | Edited(post):
                self._say(post)

    def _say(self, post: Post) -> None:
        likes, seen_ms = post.engagement.likes, post.seen_ms
        story = self.stories.get(post.id)
        back = story and story.gone and story.with_account and seen_ms > story.gone_ms
        if story is None or back:
            story = Story(post.author_id, [(seen_ms, FOREVER_MS, post.text)])
            self.stories[post.id] = story
            story.likes += [(0, seen_ms, likes)] if likes >= 0 else []
            return
        if story.gone:
            return
        newest_from_ms, _, newest_text = story.versions[-1]
        last = story.likes[-1] if story.likes else (0, 0, -1)
        had_before = any(text == post.text for _, _, text in story.versions)
        old_news = had_before and seen_ms <= newest_from_ms
        fresh = likes >= 0 and seen_ms >= last[1]
        if post.text == newest_text or old_news:
            likes = max(likes, last[2]) if seen_ms == last[1] else likes
            if fresh and likes != last[2]:
                story.likes.append((len(story.versions) - 1, seen_ms, likes))
            return
        from_ms = max(seen_ms, newest_from_ms)
        story.versions[-1] = (newest_from_ms, from_ms, newest_text)
        story.versions.append((from_ms, FOREVER_MS, post.text))
        likes = max(likes, last[2]) if seen_ms == last[1] else likes
        carried = (seen_ms, likes) if fresh else last[1:]
        if carried[1] >= 0:
            story.likes.append((len(story.versions) - 1, *carried))

    def showing(self, moment_ms: int | None) -> dict[str, tuple[str, int]]:
        told = {id: story.at(moment_ms) for id, story in self.stories.items()}
        return {id: what for id, what in told.items() if what is not None}


posts = st.builds(
    lambda id, words, seen_ms, likes: Post(
        id=id,
        network="x",
        author="a",
        author_id=f"author{int(id[2:]) % 3}",
        text=" ".join(words),
        created_ms=seen_ms,
        seen_ms=seen_ms,
        engagement=Engagement(likes=likes),
    ),
    st.sampled_from(IDS),
    st.lists(st.sampled_from(WORDS), max_size=2),
    st.integers(1, 30),
    st.integers(-1, 2),
)
events = st.one_of(
    posts.map(Posted),
    posts.map(Edited),
    st.builds(Deleted, st.sampled_from(IDS), st.integers(1, 30)),
    st.builds(
        AccountGone, st.just("x"), st.sampled_from(["author0", "author1"]), st.integers(1, 30)
    ),
)
said = st.one_of(posts.map(Posted), posts.map(Edited))


def in_order(batch: list[Event]) -> bool:
    """Whether a batch tells of moments in their order, as a log of one clock does."""
    moments = [moment_of(event) for event in batch]
    return moments == sorted(moments)


def says_each_once(batch: list[Event]) -> bool:
    """Whether a batch holds at most one event of each post, and of no whole account."""
    if any(isinstance(event, AccountGone) for event in batch):
        return False
    ids = [event.id if isinstance(event, Deleted) else event.post.id for event in batch]
    return len(ids) == len(set(ids))


class IndexMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="index-machine-"))
        self.index = LiveIndex.open(self.folder, slice_rows=3)
        self.log: list[list[Event]] = []
        self.book = Book()
        self.refreshed = True

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.one_of(st.lists(said, max_size=6), st.lists(events, max_size=6)))
    def hear(self, batch: list[Event]) -> None:
        logged = self.index.novel(batch)
        before = repr(self.book.stories)
        for event in logged:
            told = repr(self.book.stories)
            self.book.tell(event)
            assert repr(self.book.stories) != told, f"{event} changes nothing"
        after = repr(self.book.stories)
        self.book = replayed([*self.log, batch])
        assert repr(self.book.stories) == after, f"something was lost since {before}"
        self.log.append(logged)
        self.index.apply(logged, len(self.log))
        self.refreshed = False

    @precondition(
        lambda self: self.log and (in_order(self.log[-1]) or says_each_once(self.log[-1]))
    )
    @rule()
    def hear_the_last_batch_again(self) -> None:
        """A stream that delivers at least once says it twice: the invariant sees no difference."""
        again = self.index.apply(self.log[-1], len(self.log))
        if says_each_once(self.log[-1]):
            assert (again.posted, again.edited, again.deleted, again.reported) == (0, 0, 0, 0)
        self.refreshed = False

    @rule()
    def refresh(self) -> None:
        self.index.refresh()
        self.refreshed = True

    @rule()
    def checkpoint(self) -> None:
        self.index.checkpoint()
        self.refreshed = True
        assert self.index.position == len(self.log)

    @rule()
    def die_and_come_back(self) -> None:
        self.index.close()
        self.index = LiveIndex.open(self.folder)
        for position in range(self.index.position, len(self.log)):
            self.index.apply(self.log[position], position + 1)
        self.refresh()

    @invariant()
    def shows_what_the_book_shows(self) -> None:
        for moment_ms in MOMENTS_MS:
            expected = self.book.showing(moment_ms)
            got = {id: self.index.get(id, as_of_ms=moment_ms) for id in IDS}
            assert {id: seen(p) for id, p in got.items() if p is not None} == expected
            if self.refreshed:
                self._searches_agree(moment_ms, expected)
        live = self.book.showing(None)
        assert self.index.stats().posts == len(live)

    def _searches_agree(self, moment_ms: int | None, expected: dict[str, tuple[str, int]]) -> None:
        for word in ("", *WORDS):
            results = self.index.search(Query(words=word), as_of_ms=moment_ms)
            shown = [(hit.post.id, seen(hit.post)) for hit in results.hits]
            assert len(shown) == len(dict(shown)) == results.matched
            assert dict(shown) == {
                k: v for k, v in expected.items() if word in v[0].split() or not word
            }
            assert results.searched == len(expected)


def seen(post: Post) -> tuple[str, int]:
    return post.text, post.engagement.likes


def replayed(log: list[list[Event]]) -> Book:
    book = Book()
    for batch in log:
        for event in batch:
            book.tell(event)
    return book


TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
