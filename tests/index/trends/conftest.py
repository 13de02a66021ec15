"""A small stream of posts about nothing in particular, for something to burst in."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator

import pytest

from fairwitness.index.trends import Bounds, Trends, items_in
from fairwitness.posts import clean
from fairwitness.posts.post import Post

SMALL = Bounds(slots=1 << 16, pair_bits=1 << 20, recent_items=1 << 16, recent_posts=1 << 14)
START_MS = 1_700_000_000_000
WORDS = [f"w{n}" for n in range(3_000)]
OFTEN = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(WORDS))))


class Stream:
    """Posts go in and are remembered, as the index would."""

    def __init__(self, seed: int = 1) -> None:
        self.posts: list[Post | None] = []
        self.langs: list[str] = []
        self.random = random.Random(seed)
        self.bounds = SMALL
        self.trends = Trends(self.look, self.langs.__getitem__, SMALL)
        self.now_ms = START_MS

    def look(self, ordinal: int) -> Post | None:
        return self.posts[ordinal]

    def lang_number(self, lang: str) -> int:
        if lang not in self.langs:
            self.langs.append(lang)
        return self.langs.index(lang)

    def post(self, text: str, author: str = "", at_ms: int | None = None, **more: object) -> Post:
        number = next(_NUMBERS)
        fields = {"network": "x", "author": author or f"a{number}", "lang": "en"} | more
        fields.setdefault("author_id", fields["author"])
        fields.setdefault("hashtags", clean.hashtags_in(text))
        at_ms = self.now_ms if at_ms is None else at_ms
        return Post(id=f"x:{number}", text=text, created_ms=at_ms, seen_ms=at_ms, **fields)

    def say(self, posts: Iterable[Post], copies: object = None) -> None:
        some = list(posts)
        first = len(self.posts)
        self.posts += some
        self.trends.see(items_in(some, first, self.lang_number, copies))

    def chatter(self, count: int) -> Iterator[Post]:
        """Yield posts of one tick by many people, of common and rare words."""
        for _ in range(count):
            words = self.random.choices(WORDS, cum_weights=OFTEN, k=10)
            text = " ".join(words)
            yield self.post(text, at_ms=self.now_ms + self.random.randrange(5_000))

    def tick(self, *more: Post, chatter: int = 40) -> None:
        """Let five seconds pass with some chatter, and what is given."""
        posts = [*self.chatter(chatter), *more]
        self.say(sorted(posts, key=lambda post: post.seen_ms))
        self.now_ms += 5_000

    def warm(self, ticks: int = 40) -> "Stream":
        for _ in range(ticks):
            self.tick()
        return self

    def names(self, *langs: str) -> list[str]:
        self.trends.advance(self.now_ms)
        return [trend.name for trend in self.trends.top(20, langs)]


_NUMBERS = itertools.count()


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture(scope="session")
def new_stream() -> Callable[..., Stream]:
    return Stream
