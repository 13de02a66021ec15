"""What a status of Mastodon means: a post, or nothing because its author did not offer it.

Pure. Ids are `mastodon:<host>:<local id>`, the id on the server that we listen to. A status has a
global `uri` too, but a deletion and a reply name only the local id, and a deletion must reach its
post for ever, restarts included. The price is that one status heard from two servers is two posts;
they share `url` and words, which is how copies are found.

What authors offer: only `public` statuses are taken, since `unlisted` means "not for discovery".
Accounts with `noindex` are left out, and so are those whose `indexable` is false, which is what it
is until somebody opts in to search. Where a server has no such setting (`indexable` is absent)
nobody was asked, and `noindex` alone decides.

Entities: https://docs.joinmastodon.org/entities/Status/, /Account/ and /Instance/.
"""

import html
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from fairwitness.posts import clean
from fairwitness.posts.clean import Cleaned
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import Parts
from fairwitness.posts.post import Engagement

NETWORK = "mastodon"

_LOCAL_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_TAG_PATH = re.compile(r"/tags?/([^/]+)/?$")


class Unreadable(ValueError):
    """Something that is not what the API specifies; the message says why."""


@dataclass(frozen=True)
class Server:
    """The server that we listen to."""

    host: str
    """Of its API: part of every id."""
    domain: str
    """Of its accounts (`@user@domain`), which may differ."""

    def post_id(self, local_id: str) -> str:
        """Return the id of the post with that id on the server. Raises Unreadable."""
        if not _LOCAL_ID.fullmatch(local_id):
            raise Unreadable(f"not an id of a status: {local_id[:80]!r}")
        return f"mastodon:{self.host}:{local_id}"

    def handle(self, acct: str) -> str:
        """Return `user@domain`; the server leaves its own domain out."""
        return acct if "@" in acct else f"{acct}@{self.domain}"


class Account(Struct):
    """Who said it. `indexable` is None where the server has no such setting."""

    acct: str
    uri: str | None = None
    url: str | None = None
    indexable: bool | None = None
    noindex: bool | None = None


class Mention(Struct):
    """Somebody whom a status names."""

    acct: str = ""
    url: str | None = None


class Tag(Struct):
    """A hashtag of a status, without the #."""

    name: str = ""


class Status(Struct):
    """One status, as far as we read it."""

    id: str
    account: Account
    content: str
    visibility: str
    created_at: str = ""
    uri: str = ""
    url: str | None = None
    in_reply_to_id: str | None = None
    spoiler_text: str = ""
    language: str | None = None
    replies_count: int = -1
    reblogs_count: int = -1
    favourites_count: int = -1
    reblog: "Status | None" = None
    mentions: list[Mention] = []
    tags: list[Tag] = []


_decoder = msgspec.json.Decoder(Status)


def read_status(payload: bytes | str) -> Status:
    """Return the status that `payload` holds in JSON. Raises Unreadable."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"not a status: {error}") from error


def is_offered(status: Status, need_indexable: bool) -> bool:
    """Whether its author offers this status to a search engine."""
    if status.reblog is not None and not is_offered(status.reblog, need_indexable):
        return False
    account = status.account
    opted_out = account.noindex is True or (need_indexable and account.indexable is False)
    return status.visibility == "public" and not opted_out


def to_parts(status: Status, server: Server, seen_ms: int, *, is_edit: bool = False) -> Parts:
    """Return the parts of a post; a reblog has the words of what it repeats. Raises Unreadable."""
    said = status.reblog or status
    return Parts(
        cleaned=_cleaned(said),
        id=server.post_id(status.id),
        network=NETWORK,
        author=server.handle(status.account.acct),
        author_id=status.account.uri or status.account.url or server.handle(status.account.acct),
        created_ms=_created_ms(status.created_at, seen_ms),
        seen_ms=seen_ms,
        url=next(filter(_is_web, (status.url or "", status.uri)), ""),
        claimed_lang=said.language or "",
        reply_to=server.post_id(status.in_reply_to_id) if status.in_reply_to_id else "",
        repost_of=server.post_id(status.reblog.id) if status.reblog else "",
        hashtags=tuple(tag.name for tag in said.tags if tag.name),
        mentions=tuple(server.handle(each.acct) for each in said.mentions if each.acct),
        engagement=Engagement(said.favourites_count, said.reblogs_count, said.replies_count),
        is_edit=is_edit,
    )


def _cleaned(said: Status) -> Cleaned:
    """Return the words: a content warning is the author's too, and comes first."""
    warning = f"<p>{html.escape(said.spoiler_text)}</p>" if said.spoiler_text else ""
    cleaned = clean.from_html(warning + said.content)
    people = {each.url for each in said.mentions}
    tags = {tag.name.lower() for tag in said.tags}
    links = (
        link for link in cleaned.links if link not in people and _tag_of(link).lower() not in tags
    )
    return msgspec.structs.replace(cleaned, links=tuple(links))


def _tag_of(link: str) -> str:
    """Return the hashtag that a link leads to on some server, or nothing."""
    found = _TAG_PATH.search(urlsplit(link).path)
    return unquote(found[1]) if found else ""


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _created_ms(claimed: str, seen_ms: int) -> int:
    try:
        return from_iso(claimed)
    except ValueError:
        return seen_ms
