"""A post of X, as API v2 gives it, becomes an event.

Facts: repository xdevplatform/docs: x-api/fundamentals/data-dictionary.mdx (fields),
x-api/fundamentals/edit-posts.mdx (each edit has a new id; the history is oldest first), and a
stream message in x-api/posts/filtered-stream. Texts come with `&`, `<`, `>` as entities and with
links shortened to t.co. The offsets in `entities.urls` count code points, but whether before or
after entities are decoded is nowhere said, so links are found by their own unique text instead.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.compose import Parts
from fairwitness.posts.markup import MAX_CUTS
from fairwitness.posts.post import Cut, Engagement
from fairwitness.posts.sources.captures_values import moment_of


class Url(msgspec.Struct, frozen=True, gc=False):
    """A link in a text."""

    url: str = ""
    """As it stands in the text: `https://t.co/…`."""
    expanded_url: str | None = None
    """As its author wrote it."""
    unwound_url: str | None = None
    """Where it leads after redirects."""


class Mention(msgspec.Struct, frozen=True, gc=False):
    """An account named in a text."""

    username: str = ""


class Entities(msgspec.Struct, frozen=True, gc=False):
    """What X found in a text."""

    urls: tuple[Url, ...] = ()
    mentions: tuple[Mention, ...] = ()


class Note(msgspec.Struct, frozen=True, gc=False):
    """The whole of a text that is longer than 280 characters."""

    text: str = ""
    entities: Entities = Entities()


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A post that this one stands in relation to."""

    id: str
    type: str = ""
    """`replied_to`, `quoted` or `retweeted`."""


class Metrics(msgspec.Struct, frozen=True, gc=False):
    """Public counts; -1 where X says nothing."""

    like_count: int = -1
    retweet_count: int = -1
    reply_count: int = -1
    impression_count: int = -1


class XPost(msgspec.Struct, frozen=True, gc=False):
    """A post object of API v2."""

    id: str
    text: str = ""
    author_id: str = ""
    created_at: str = ""
    lang: str = ""
    conversation_id: str = ""
    edit_history_tweet_ids: tuple[str, ...] = ()
    referenced_tweets: tuple[Reference, ...] = ()
    entities: Entities = Entities()
    note_tweet: Note | None = None
    public_metrics: Metrics = Metrics()

    @property
    def whole(self) -> "XPost | Note":
        """What holds the text at its full length, with its entities."""
        return self.note_tweet if self.note_tweet and self.note_tweet.text else self

    @property
    def raw(self) -> str:
        """The text as it was sent: `clean.from_escaped` cleans it."""
        return self.whole.text


class User(msgspec.Struct, frozen=True, gc=False):
    """An account, in its default fields."""

    id: str
    username: str = ""


class Includes(msgspec.Struct, frozen=True, gc=False):
    """Objects that a message's post refers to."""

    users: tuple[User, ...] = ()


class Problem(msgspec.Struct, frozen=True, gc=False):
    """An error, alone as an answer or in a stream's `errors`."""

    title: str = ""
    detail: str = ""
    type: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One line of the stream: a post, or errors, or a problem by itself."""

    data: XPost | None = None
    includes: Includes = Includes()
    errors: tuple[Problem, ...] = ()
    title: str = ""
    detail: str = ""
    type: str = ""

    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong with the stream; errors beside a post are about parts of it.

        A message of a kind that does not exist yet is no problem: new ones may come at any time.
        """
        if self.data is not None:
            return ()
        alone = Problem(self.title, self.detail, self.type)
        return self.errors or ((alone,) if alone.title else ())


class StreamLine(Message, frozen=True, kw_only=True, gc=False):
    """A message that is told from any other JSON by the rules that it matched."""

    matching_rules: msgspec.Raw


def read_post(post: XPost, users: Iterable[User], seen_ms: int, cleaned: Cleaned) -> Parts | None:
    """Return the parts of `post`, seen at `seen_ms`; None when it says nothing.

    `cleaned` is its `raw` text. A post keeps the id of its first version, so that an edit
    supersedes what it edits.
    """
    first_id = post.edit_history_tweet_ids[0] if post.edit_history_tweet_ids else post.id
    entities = post.whole.entities
    urls, named, quoted = entities.urls, entities.mentions, ""
    cleaned = _with_full_links(cleaned, urls) if urls else cleaned
    if not cleaned.text:
        return None
    reply_to = repost_of = ""
    for each in post.referenced_tweets:
        match each.type:
            case "replied_to":
                reply_to = _id(each.id)
            case "retweeted":
                repost_of = _id(each.id)
            case "quoted":
                quoted = each.id
    author = ""
    for user in users:
        if user.id == post.author_id:
            author = user.username
    created_ms = moment_of(post.created_at)
    counts = post.public_metrics
    return Parts(
        cleaned=cleaned,
        id=f"x:{first_id}",
        network="x",
        author=author or post.author_id or "unknown",
        author_id=post.author_id,
        created_ms=seen_ms if created_ms is None else created_ms,
        seen_ms=seen_ms,
        url=_page(post.id),
        claimed_lang=post.lang,
        reply_to=reply_to,
        repost_of=repost_of,
        thread=_id(post.conversation_id),
        links=_links(urls, quoted) if urls or quoted else (),
        mentions=tuple([each.username for each in named if each.username]) if named else (),
        engagement=Engagement(
            counts.like_count, counts.retweet_count, counts.reply_count, counts.impression_count
        ),
        is_edit=len(post.edit_history_tweet_ids) > 1,
    )


def _page(id: str) -> str:
    return f"https://x.com/i/status/{id}"


def _id(id: str) -> str:
    return f"x:{id}" if id else ""


def _links(urls: tuple[Url, ...], quoted: str) -> tuple[str, ...]:
    leading = [each.unwound_url for each in urls if each.unwound_url and _is_link(each.unwound_url)]
    return tuple(leading + ([_page(quoted)] if quoted else []))


def _is_link(url: str) -> bool:
    """Return whether `url` may stand in a cleaned text as it is."""
    return (
        url.startswith(("http://", "https://"))
        and not re.search(r"\s", url)
        and clean.from_plain(url).text == url
    )


def _with_full_links(cleaned: Cleaned, urls: tuple[Url, ...]) -> Cleaned:
    """Return the text with t.co links written as their authors wrote them, and that recorded.

    Only as many are as a text may have cuts: a hostile one holds 20,000.
    """
    full = {
        each.url: each.expanded_url
        for each in urls
        if each.url and each.expanded_url and _is_link(each.expanded_url)
    }
    if not full:
        return cleaned
    pieces: list[str] = []
    cuts = list(cleaned.cuts)
    done = grown = 0
    for start, was in islice(_places(cleaned.text, tuple(full)), MAX_CUTS):
        now, end = full[was], start + len(was)
        pieces += [cleaned.text[done:start], now]
        done, at = end, end + grown
        grown += len(now) - len(was)
        cuts = [_moved(cut, at, len(now) - len(was)) for cut in cuts]
        cuts.append(Cut(at - len(was), "url", was[:80]))
    text = "".join([*pieces, cleaned.text[done:]])
    return Cleaned(text, tuple(sorted(cuts, key=lambda cut: cut.at)), cleaned.links)


def _places(text: str, links: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield where each of `links` stands in a text, from left to right; the first of two there.

    To compile a regular expression for each post takes as long as all else that is read of ten.
    """
    at = 0
    starts = [text.find(link) for link in links]
    while found := [(start, number) for number, start in enumerate(starts) if start >= 0]:
        start, number = min(found)
        yield start, links[number]
        at = start + len(links[number])
        starts = [
            text.find(link, at) if 0 <= before < at else before
            for link, before in zip(links, starts, strict=True)
        ]


def _moved(cut: Cut, beyond: int, by: int) -> Cut:
    return Cut(cut.at + by, cut.kind, cut.was) if cut.at >= beyond else cut
