"""One post, explained: what it answers, who denies it, who else reports it.

Every bullet is a quote, or a count of quotes that stand under it. What the post says is asked like
any question, and what comes of it without the post and its copies is what others report.
"""

import re
import time
from collections.abc import Iterator, Sequence

from fairwitness.answers import attitude, quote, weigh, witness
from fairwitness.answers.answer import (
    Answer,
    Citation,
    CitedSource,
    Freshness,
    Kind,
    QuestionError,
    Sentence,
    Standing,
    Timing,
    source_of,
)
from fairwitness.answers.quote import Span
from fairwitness.answers.retrieve import replies, retrieve
from fairwitness.answers.road import Desk
from fairwitness.answers.understand import MAX_QUESTION_CHARS, understand
from fairwitness.index import LiveIndex
from fairwitness.posts.clock import to_iso
from fairwitness.posts.post import Post

OTHERS = 3
"""Quotes under each bullet."""

# Addresses that people copy, and the ids that their posts have here.
_ADDRESSES = (
    (re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/[^/]+/status/(\d+)"), "x:{}"),
    (re.compile(r"https?://news\.ycombinator\.com/item\?id=(\d+)"), "hackernews:{}"),
    (
        re.compile(r"https?://bsky\.app/profile/(did:[^/]+)/post/(\w+)"),
        "at://{}/app.bsky.feed.post/{}",
    ),
)


class UnknownPost(QuestionError):
    """No post has this id or address, or it is gone."""


def explain(desk: Desk, named: str, as_of_ms: int | None = None) -> Answer:
    """Explain the post with the id or address `named`; raises UnknownPost."""
    started_s = time.perf_counter()
    moment_ms = desk.now_ms() if as_of_ms is None else as_of_ms
    post = _find(desk.index, named, moment_ms)
    bullets = _Bullets()
    bullets.say_quotes([Span(post, 0, len(post.text))])
    for told in _thread(desk.index, post, moment_ms):
        bullets.count(*told)
    answers = (hit.post for hit in replies(desk.index, [post], moment_ms))
    answering = [each for each in answers if each.id != post.id]
    deniers = [each for each in answering if attitude.attitude_of(each.text) == "deny"]
    bullets.count("Denied by those who answer: {n}.", _whole(deniers))
    rest = [each for each in answering if each not in deniers]
    bullets.count("Other answers: {n}.", _whole(rest))
    talk = {post.reply_to, post.thread, *(each.id for each in answering)}
    others = [span for span in _others(desk.index, post, moment_ms) if span.post.id not in talk]
    bullets.count("Independent witnesses who report the same: {n}.", others)
    standing: Standing = "denied" if deniers else "agreed" if others else "lone"
    if standing == "lone":
        bullets.say("Nobody else reports it.", "count", bullets.sentences[0].citations)
    return bullets.answer(f"explain {post.id}", post.lang, standing, moment_ms, started_s)


def _find(index: LiveIndex, named: str, as_of_ms: int) -> Post:
    named = named.strip()
    ids = [named]
    for pattern, form in _ADDRESSES:
        if match := pattern.match(named):
            ids.append(form.format(*match.groups()))
    found = next(filter(None, (index.get(id, as_of_ms=as_of_ms) for id in ids)), None)
    if found is None:
        raise UnknownPost(f"no such post: {named[:120]}")
    return found


def _thread(index: LiveIndex, post: Post, as_of_ms: int) -> Iterator[tuple[str, list[Span]]]:
    """Yield what the post refers to: what it answers, what began that, what it repeats."""
    seen = {post.id}
    for id, text in (
        (post.reply_to, "It answers this post."),
        (post.thread, "The conversation began with this post."),
        (post.repost_of, "It repeats this post."),
    ):
        if not id or id in seen:
            continue
        seen.add(id)
        other = index.get(id, as_of_ms=as_of_ms)
        if other is not None and other.text:
            yield text, _whole([other])


def _others(index: LiveIndex, post: Post, as_of_ms: int) -> list[Span]:
    """Return what independent others say of the same matter, one span a witness."""
    own = quote.spans_of(post)
    if not own:
        return []
    try:
        asked = understand(max(own, key=lambda s: len(s.text)).text[:MAX_QUESTION_CHARS], as_of_ms)
    except QuestionError:
        return []
    found = retrieve(index, asked, as_of_ms)
    spans = [span for hit in found.hits for span in quote.spans_of(hit.post)]
    near = [each.span for each in weigh.weigh(asked, spans, found.weights)]
    origins = witness.origins([*own, *near])
    mine = {origin.witness for origin in origins[: len(own)]}
    chosen: dict[int, Span] = {}
    for span, origin in zip(near, origins[len(own) :], strict=True):
        if origin.witness not in mine and span.post.id != post.id:
            chosen.setdefault(origin.witness, span)
    return [span for span in chosen.values() if not attitude.calls_false(span.text)]


def _whole(posts: Sequence[Post]) -> list[Span]:
    return [Span(post, 0, len(post.text)) for post in posts if post.text]


class _Bullets:
    """Sentences with their sources, numbered as they are cited."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self._sources: dict[str, CitedSource] = {}

    def count(self, text: str, spans: Sequence[Span]) -> None:
        """Say how many `spans` there are and quote the first of them; nothing of none."""
        if not spans:
            return
        shown = spans[:OTHERS]
        voices = len({origin.witness for origin in witness.origins(spans)})
        self.say(text.format(n=voices), "count", [self._cite(span) for span in shown])
        self.say_quotes(shown)

    def say_quotes(self, spans: Sequence[Span]) -> None:
        """Quote each span."""
        for span in spans:
            self.say(span.text, "quote", [self._cite(span)])

    def say(self, text: str, kind: Kind, citations: Sequence[Citation]) -> None:
        """Add a sentence."""
        self.sentences.append(Sentence(text, kind, tuple(citations), 1.0))

    def answer(
        self, question: str, lang: str, standing: Standing, as_of_ms: int, started_s: float
    ) -> Answer:
        """Return all bullets as an answer."""
        sources = tuple(self._sources.values())
        taken_ms = round((time.perf_counter() - started_s) * 1000, 1)
        return Answer(
            question=question,
            as_of=to_iso(as_of_ms),
            mode="regular",
            lang=lang,
            model="",
            answer="\n".join(f"- {sentence.text}" for sentence in self.sentences),
            abstained=False,
            standing=standing,
            sentences=tuple(self.sentences),
            sources=sources,
            disputes=(),
            dropped=(),
            freshness=Freshness("", 0.0, 0, ()),
            timing_ms=Timing(0.0, 0.0, taken_ms),
        )

    def _cite(self, span: Span) -> Citation:
        post = span.post
        if post.id not in self._sources:
            self._sources[post.id] = source_of(len(self._sources) + 1, post)
        return Citation(self._sources[post.id].n, span.start, span.end)
