"""Each operator, alone and in every combination, finds what a plain loop over real posts finds."""

import gzip
import importlib.resources
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.index import Condition, LiveIndex, Query, SyntaxProblem, parse, tokens
from fairwitness.index.query import clauses_of
from fairwitness.kernels import words
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Post, Posted
from fairwitness.posts.sources import captures

EVERY = 12
"""Of the sample each 12th row: 1,500 posts of all its parts."""
STEP_MS = 1_000
LINKS = (
    "https://www.example.org/fire/@nobody",
    "https://News.Example.org/2012",
    "http://user@deep.news.example.org:8080/?q=$site.example.com",
    "https://example.com",
    "https://notexample.org/#example.org",
)


@dataclass
class Version:
    """A text of a post, from when until when it stood, and its words."""

    post: Post
    from_ms: int
    until_ms: int = 2**62
    reports: list[tuple[int, Engagement]] = field(default_factory=list)

    @cached_property
    def said(self) -> tuple[list[str], list[str]]:
        """Its tokens in the text and beside it."""
        (beside,) = words.of_asides([tokens.aside(self.post)]).joined
        return tokens.of_question(self.post.text), beside.split()

    def engagement(self, as_of_ms: int | None) -> Engagement:
        known = [e for at, e in self.reports if as_of_ms is None or at <= as_of_ms]
        return known[-1] if known else Engagement()


class Sampled:
    """The same posts in an index and as versions."""

    def __init__(self, folder: Path) -> None:
        self.posts = [_with_more(n, post) for n, post in enumerate(_sample())]
        third = len(self.posts) // 3
        self.moments_ms = (self.posts[third].seen_ms, self.posts[2 * third].seen_ms)
        self.end_ms = self.posts[-1].seen_ms
        self.versions: dict[str, list[Version]] = {}
        events = [Posted(post) for post in self.posts]
        for event in events:
            self._tell(event)
        history = _history(self.posts, self.end_ms)
        for event in history:
            self._tell(event)
        self.moments_ms += (self.end_ms + len(history) * STEP_MS // 2,)
        self.index = LiveIndex.open(folder, slice_rows=400)
        self.index.apply([*events, *history], 1)
        self.index.refresh()

    def expected(self, holds: Callable[[Version, int | None], bool], as_of_ms: int | None) -> list:
        """Return the ids of posts whose version of a moment satisfies a predicate."""
        return sorted(
            version.post.id
            for versions in self.versions.values()
            for version in versions
            if _shows(version, as_of_ms) and holds(version, as_of_ms)
        )

    def found(self, query: Query, as_of_ms: int | None) -> list[str]:
        results = self.index.search(query, as_of_ms=as_of_ms, limit=100_000)
        return sorted(hit.post.id for hit in results.hits)

    def _tell(self, event: Event) -> None:
        match event:
            case Deleted():
                del self.versions[event.id]
            case Edited(post) | Posted(post):
                before = self.versions.setdefault(post.id, [])
                if not before or before[-1].post.text != post.text:
                    version = Version(post, post.seen_ms)
                    if before:
                        before[-1].until_ms = post.seen_ms
                        version.reports += before[-1].reports[-1:]
                    before.append(version)
                if post.engagement != Engagement():
                    before[-1].reports.append((post.seen_ms, post.engagement))


def holds(query: Query, version: Version, as_of_ms: int | None) -> bool:
    """Whether a version satisfies the clauses and the window of a query."""
    return all(
        any(is_so(condition, version, as_of_ms) for condition in clause)
        for clause in clauses_of(query)
    )


def is_so(condition: Condition, version: Version, as_of_ms: int | None) -> bool:
    """Whether one condition holds of a version, read off the post itself."""
    post, value = version.post, str(condition.value)
    match condition.kind:
        case "word" | "phrase":
            so = _says(condition, *version.said)
        case "to":
            so = value.lower() in _spoken_to(post)
        case "site":
            so = any(f".{host}".endswith(f".{value}") for host in map(_host, post.links))
        case "from":
            so = value.lower() == post.author.lower() or value == post.author_id
        case "lang":
            so = post.lang == value
        case "network":
            so = post.network == value
        case "link":
            so = bool(post.links)
        case "reply":
            so = bool(post.reply_to)
        case "repost":
            so = bool(post.repost_of)
        case "since":
            so = min(post.created_ms, version.post.seen_ms) >= int(condition.value)
        case kind:
            so = max(getattr(version.engagement(as_of_ms), kind), 0) >= int(condition.value)
    return so != condition.negated


def _says(condition: Condition, text: Sequence[str], aside: Sequence[str]) -> bool:
    value = str(condition.value)
    if condition.kind == "word" and value[0] in "#@$":
        return all(sign in aside for sign in tokens.signs_of(value))
    wanted: list[str | None] = []
    for piece in value.split():
        wanted += [None] if piece == "*" else tokens.of_question(piece)
    while wanted and wanted[-1] is None:
        wanted.pop()
    while wanted and wanted[0] is None:
        wanted.pop(0)
    if not wanted:
        return False
    stands = any(
        all(want in (None, text[at + n]) for n, want in enumerate(wanted))
        for at in range(len(text) - len(wanted) + 1)
    )
    beside = condition.kind == "word" and all(want in aside for want in wanted)
    return stands or beside


def _spoken_to(post: Post) -> set[str]:
    if post.text.startswith("@") and post.mentions:
        return {post.mentions[0].lower()}
    return {post.mentions[0].lower()} if post.reply_to and post.mentions else set()


def _host(link: str) -> str:
    host = urlsplit(link).hostname
    assert host is not None
    return host.removeprefix("www.")


def _shows(version: Version, as_of_ms: int | None) -> bool:
    if as_of_ms is None:
        return version.until_ms == 2**62
    return version.from_ms <= as_of_ms < version.until_ms


def _sample() -> list[Post]:
    capture = captures.Capture("sample")
    resource = importlib.resources.files("fairwitness.data") / "sample.jsonl.gz"
    with importlib.resources.as_file(resource) as path, gzip.open(path, "rt") as lines:
        rows = [msgspec.json.decode(line) for n, line in enumerate(lines) if n % EVERY == 0]
    read = [captures.read(row, capture, captures.time_of(row) or 0) for row in rows]
    events = captures.events_in(read)
    posts = {event.post.id: event.post for event in events if isinstance(event, Posted)}
    return sorted(posts.values(), key=lambda post: post.seen_ms)


def _with_more(number: int, post: Post) -> Post:
    """Give a post what this sample lacks: answers to others, links to sites, engagement."""
    more: dict[str, object] = {}
    if post.text.startswith("@") or number % 40 == 0:
        more["reply_to"] = "x:1"
    if number % 9 == 0:
        more["links"] = (*post.links, LINKS[number % len(LINKS)])
    if number % 3 == 0:
        more["engagement"] = Engagement(number % 17, number % 5, number % 7)
    return msgspec.structs.replace(post, **more)


def _history(posts: Sequence[Post], start_ms: int) -> list[Event]:
    """Tell of more engagement, of edits and of deletions, each a second after the last."""
    told: list[Event] = []
    for number, post in enumerate(posts):
        seen_ms = start_ms + (len(told) + 1) * STEP_MS
        if number % 11 == 3:
            grown = Engagement(number % 29 + 20, number % 9, number % 13)
            told.append(Posted(msgspec.structs.replace(post, engagement=grown, seen_ms=seen_ms)))
        elif number % 23 == 5:
            text = f"Corrected: {post.text[::-1] if number % 2 else post.text}"
            told.append(Edited(msgspec.structs.replace(post, text=text, seen_ms=seen_ms)))
        elif number % 31 == 7:
            told.append(Deleted(post.id, seen_ms))
    return told


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sampled]:
    made = Sampled(tmp_path_factory.mktemp("sampled") / "index")
    yield made
    made.index.close()


def agree(sampled: Sampled, query: Query) -> list[list[str]]:
    """Compare index and loop at each moment; return what was found."""
    found = []
    for moment_ms in (*sampled.moments_ms, None):
        expected = sampled.expected(lambda v, at: holds(query, v, at), moment_ms)
        found.append(sampled.found(query, moment_ms))
        assert found[-1] == expected, moment_ms
    return found


@pytest.mark.parametrize(
    "text",
    [
        "terremoto OR earthquake",
        "earthquake costa rica",
        '"costa rica"',
        '"off * coast"',
        "女子 OR 台风",
        "#temblorcr",
        "#TemblorCR -terremoto",
        "$site.example.org OR fire",
        "from:unknown",
        "-from:unknown",
        "from:unknown OR from:U18248860506C fire",
        "to:ddlovato OR to:@THENOTORIOUSMMA",
        "url:example.org",
        "-url:t.co filter:links",
        "url:example.com",
        "url:site.example.com",
        "@nobody",
        "@reuters",
        "network:weibo OR lang:it",
        "filter:replies",
        "filter:reposts -filter:links",
        "filter:has_engagement",
        "-filter:has_engagement",
        "min_faves:20",
        "-min_faves:20 min_retweets:2 min_replies:3",
        "since:2013-01-01 until:2017-01-01",
        "until:2013-01-01 OR since:2017-01-01",
        "(fire lang:en) OR (lang:es -filter:reposts) OR min_faves:40",
        "-(fire OR lang:en OR filter:reposts)",
        "fire OR from:u18248860506c OR url:example.org",
        "-fire OR lang:it",
        "🔥 OR 😭 OR ❤",
    ],
)
def test_an_operator_finds_what_a_loop_finds(sampled: Sampled, text: str) -> None:
    found = agree(sampled, parse(text, 0))
    nothing = {"url:site.example.com", "@nobody"}  # only other links seem to say these
    assert any(found) != (text in nothing)


class Tree(NamedTuple):
    """A condition, or parts joined by `OR`, by nothing, or excluded."""

    join: str
    parts: tuple

    def text(self) -> str:
        match self.join:
            case "":
                return self.parts[0]
            case "-":
                return f"-{self.parts[0].text()}"
            case _:
                return f"({self.join.join(part.text() for part in self.parts)})"

    def so(self, version: Version, as_of_ms: int | None) -> bool:
        match self.join:
            case "":
                return is_so(_condition(self.parts[0]), version, as_of_ms)
            case "-":
                return not self.parts[0].so(version, as_of_ms)
            case " OR ":
                return any(part.so(version, as_of_ms) for part in self.parts)
        return all(part.so(version, as_of_ms) for part in self.parts)


@cache
def _condition(text: str) -> Condition:
    """Return one operator as a condition, also where `parse` makes a window of it."""
    name, _, _ = text.partition(":")
    if name in ("since", "until"):
        query = parse(text, 0)
        moment_ms = query.since_ms if name == "since" else query.until_ms
        return Condition("since", moment_ms, name == "until")
    ((condition,),) = parse(text, 0).clauses
    return condition


WORDS = "fire the terremoto Costa rica 女子 state-of-the-art rt flood.. #temblorcr @reuters lluvia"
PHRASES = ('"costa rica"', '"the fire"', '"of the"', '"de *"', '"in * of"', '"中国"', '"rt"')
OPERATORS = (
    "from:unknown from:u18248860506c from:@U2750EC8841B1 to:ddlovato to:thenotoriousmma lang:en"
    " lang:es lang:zh lang:xx network:x network:weibo url:t.co url:example.org url:news.example.org"
    " filter:links filter:replies filter:reposts min_faves:5 min_faves:30 min_retweets:3"
    " min_replies:4 min_replies:0 since:2012-09-05 since:2013-06-01 until:2013-11-08"
    " until:2025-07-19T00:00Z"
)
leaves = st.sampled_from((*WORDS.split(), *PHRASES, *OPERATORS.split())).map(
    lambda text: Tree("", (text,))
)


def _grown(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    parts = st.lists(trees, min_size=2, max_size=4).map(tuple)
    joined = st.builds(Tree, st.sampled_from((" ", " OR ")), parts)
    return joined | st.builds(Tree, st.just("-"), st.tuples(trees.filter(lambda t: t.join != "-")))


@settings(max_examples=80, deadline=None)
@given(tree=st.recursive(leaves, _grown, max_leaves=8), moment=st.integers(0, 3))
def test_any_combination_finds_what_a_loop_finds(sampled: Sampled, tree: Tree, moment: int) -> None:
    moment_ms = (*sampled.moments_ms, None)[moment]
    expected = sampled.expected(tree.so, moment_ms)
    try:
        found = sampled.found(parse(tree.text(), 0), moment_ms)
    except SyntaxProblem as problem:
        found = [] if "no post is made since" in str(problem) else [str(problem)]
    assert found == expected


@settings(max_examples=30, deadline=None)
@given(
    langs=st.lists(st.sampled_from(["en", "es", "zh", "xx"]), max_size=2),
    networks=st.lists(st.sampled_from(["x", "weibo"]), max_size=2),
    authors=st.lists(st.sampled_from(["unknown", "@U18248860506C", "u2750ec8841b1"]), max_size=3),
    clause=st.lists(st.sampled_from([Condition("link"), Condition("likes", 9)]), max_size=2),
    moment=st.integers(0, 3),
)
def test_fields_filter_as_clauses_do(
    sampled: Sampled, langs, networks, authors, clause, moment
) -> None:
    moment_ms = (*sampled.moments_ms, None)[moment]
    query = Query(
        langs=tuple(langs),
        networks=tuple(networks),
        authors=tuple(authors),
        clauses=(tuple(clause),) if clause else (),
    )
    bare = [author.removeprefix("@").lower() for author in authors]

    def so(version: Version, as_of_ms: int | None) -> bool:
        post = version.post
        return (
            (not langs or post.lang in langs)
            and (not networks or post.network in networks)
            and (not authors or post.author.lower() in bare)
            and (not clause or any(is_so(c, version, as_of_ms) for c in clause))
        )

    assert sampled.found(query, moment_ms) == sampled.expected(so, moment_ms)


def test_words_rank_what_clauses_find(sampled: Sampled) -> None:
    either = sampled.index.search(parse("earthquake OR from:unknown", 0), limit=300)
    with_word = [hit.parts.words > 0 for hit in either.hits]
    assert with_word[0]
    assert not all(with_word)
    newest_ms = max(post.seen_ms for post in sampled.posts if post.author == "unknown")
    assert any(hit.post.seen_ms == newest_ms for hit in either.hits), "found without the word"
    assert either.matched == either.searched
    both = sampled.index.search(parse("earthquake costa", 0), limit=5)
    assert both.hits[0].score == pytest.approx(sum(both.hits[0].parts))
    assert [hit.score for hit in both.hits] == sorted((h.score for h in both.hits), reverse=True)


def test_a_thousand_terms_are_answered(sampled: Sampled) -> None:
    said = (token.lower() for post in sampled.posts for token in post.text.split())
    words = sorted({token for token in said if token.isalpha()})
    assert len(sampled.found(parse(" OR ".join(words[:1000]), 0), None)) > 500
    assert sampled.found(parse(" ".join(words[:1000]), 0), None) == []
    excluded = " ".join(f"-from:{word}" for word in words[:1000])
    assert len(sampled.found(parse(excluded, 0), None)) > 500
