"""What a Jetstream message means: a post, an edit, a deletion, an account that is gone, or nothing.

Pure. `text` is the author's own words and nothing else; what hangs beside them (link cards, quoted
posts) becomes links, and image descriptions are left out.

What becomes of each kind:

- a create, update or delete of `app.bsky.feed.post` is Posted, Edited, Deleted. Reposts and likes
  are other collections, which we do not ask for: they repeat a post that has its own event.
- `account` that is not active is AccountGone when it was deleted, taken down, suspended or
  deactivated, or gives no reason. Deactivation can be undone, but whoever deactivates withdraws
  what they said from view, and so do we; what they post afterwards is heard again.
  `desynchronized` and `throttled` are troubles of a host and say nothing about the author.
- `sync` (v2 only) says that the server missed a part of a repository, deletions among it, and that
  the records that are really there follow as creates. AccountGone, then: nothing withdrawn
  survives, and what stands is posted again.
- `identity` (a changed handle) means nothing to us: authors are known by DID.

Records: https://github.com/bluesky-social/atproto, lexicons/app/bsky/feed/post.json and
richtext/facet.json; account states: lexicons/com/atproto/sync/subscribeRepos.json#account.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from fairwitness.posts import clean
from fairwitness.posts.clean import Replacement
from fairwitness.posts.clock import from_iso
from fairwitness.posts.compose import Parts
from fairwitness.posts.post import AccountGone, Deleted, Event
from fairwitness.posts.sources.bluesky_frames import POSTS, Message, Unreadable

NETWORK = "bluesky"

_GONE = frozenset(("deleted", "takendown", "suspended", "deactivated", ""))

_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]{1,2000}")
_RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
_URL = re.compile(r"https?://[^\s<>\"\x00-\x20]+", re.IGNORECASE)
_POST_URI = re.compile(rf"at://({_DID.pattern})/{re.escape(POSTS)}/({_RKEY.pattern})")


class _Feature(Struct):
    type: str = msgspec.field(name="$type", default="")
    uri: str = ""
    did: str = ""
    tag: str = ""


class _Index(Struct, rename="camel"):
    byte_start: int
    byte_end: int


class _Facet(Struct):
    index: _Index
    features: list[_Feature]


class _Ref(Struct):
    uri: str = ""


class _Reply(Struct):
    parent: _Ref
    root: _Ref


class _Quoted(Struct):
    """The `record` of an embed: the quoted post itself, or a box around it (`recordWithMedia`)."""

    uri: str = ""
    record: _Ref | None = None


class _Media(Struct):
    external: _Ref | None = None


class _Embed(Struct):
    external: _Ref | None = None
    record: _Quoted | None = None
    media: _Media | None = None


class _Record(Struct, rename="camel"):
    text: str
    created_at: str = ""
    langs: list[str] = []
    reply: _Reply | None = None
    facets: list[_Facet] = []
    embed: _Embed | None = None
    tags: list[str] = []


_decoder = msgspec.json.Decoder(_Record)
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])
_field_types = {each.encode_name: each for each in msgspec.structs.fields(_Record)}


def adapt(message: Message, seen_ms: int) -> Parts | Event | None:
    """Return what `message` means to us, None when nothing; `events_of` makes posts of parts.

    Raises Unreadable when it claims to be about a post and is not what the lexicon says.
    """
    if message.kind == "commit":
        return _about_post(message, seen_ms) if message.collection == POSTS else None
    if message.kind == "sync" or (
        message.kind == "account" and not message.active and message.status in _GONE
    ):
        if not _DID.fullmatch(message.did):
            raise Unreadable(f"not a DID: {message.did[:60]!r}")
        return AccountGone(NETWORK, message.did, seen_ms)
    return None


def _about_post(message: Message, seen_ms: int) -> Parts | Event:
    if not (_DID.fullmatch(message.did) and _RKEY.fullmatch(message.rkey)):
        raise Unreadable(f"not the address of a post: {message.did[:60]!r} {message.rkey[:60]!r}")
    match message.operation:
        case "create" | "update":
            return _parts(message, seen_ms)
        case "delete":
            return Deleted(f"at://{message.did}/{POSTS}/{message.rkey}", seen_ms)
    raise Unreadable(f"not an operation: {message.operation[:40]!r}")


def _parts(message: Message, seen_ms: int) -> Parts:
    record = _read_record(message.record)
    did = message.did
    replacements, links, mentions, tags = _facets(record)
    cleaned = (
        clean.from_facets(record.text, replacements)
        if replacements
        else clean.from_plain(record.text)
    )
    return Parts(
        cleaned=cleaned,
        id=f"at://{did}/{POSTS}/{message.rkey}",
        network=NETWORK,
        author=did,
        author_id=did,
        created_ms=_created_ms(record.created_at, message.time_us),
        seen_ms=seen_ms,
        url=f"https://bsky.app/profile/{did}/post/{message.rkey}",
        claimed_lang=record.langs[0] if record.langs else "",
        reply_to=_post_uri(record.reply.parent.uri) if record.reply else "",
        thread=_post_uri(record.reply.root.uri) if record.reply else "",
        links=(*links, *_embedded(record.embed)) if record.embed else links,
        hashtags=(*tags, *record.tags),
        mentions=mentions,
        is_edit=message.operation == "update",
    )


def _read_record(raw: Raw) -> _Record:
    """Return the record; a part that is not as specified is left out, but text there must be."""
    try:
        return _decoder.decode(raw)
    except (msgspec.ValidationError, UnicodeDecodeError):
        pass
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"not a record: {error}") from error
    try:
        fields = _fields_decoder.decode(raw)
        sound = {name: value for name, value in fields.items() if _is_sound(name, value)}
        return _decoder.decode(msgspec.json.encode(sound))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a post: {error}") from error


def _is_sound(name: str, value: Raw) -> bool:
    if name not in _field_types:
        return False
    try:
        msgspec.json.decode(value, type=_field_types[name].type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _facets(
    record: _Record,
) -> tuple[list[Replacement], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what the facets say: (links to write in full, links, mentioned DIDs, hashtags)."""
    if not record.facets:
        return [], (), (), ()
    raw = record.text.encode()
    replacements: list[Replacement] = []
    links, mentions, tags = [], [], []
    for facet in record.facets:
        start, end = facet.index.byte_start, facet.index.byte_end
        for feature in facet.features:
            if _URL.fullmatch(feature.uri):
                links.append(feature.uri)
                if 0 <= start < end and _shortens(
                    raw[start:end].decode("utf-8", "replace"), feature.uri
                ):
                    replacements.append(Replacement(start, end, feature.uri))
            elif feature.did:
                mentions.append(feature.did)
            elif feature.tag:
                tags.append(feature.tag)
    return replacements, tuple(links), tuple(mentions), tuple(tags)


def _shortens(shown: str, url: str) -> bool:
    """Whether `shown` is `url` with its scheme or its end left out.

    Anything else under a link is words of the author, or a lie about where it leads; both stay.
    """
    bare = _bare(url)
    stem = _bare(shown.strip()).removesuffix("…").removesuffix("...")
    host = re.split(r"[/?#]", bare, maxsplit=1)[0]
    return len(stem) >= len(host) and bare.startswith(stem)


def _bare(url: str) -> str:
    return url.lower().removeprefix("https://").removeprefix("http://")


def _embedded(embed: _Embed) -> Iterator[str]:
    """Yield the links of a link card and of a quoted post."""
    card = embed.external or (embed.media.external if embed.media else None)
    if card and _URL.fullmatch(card.uri):
        yield card.uri
    if embed.record:
        quoted = embed.record.record.uri if embed.record.record else embed.record.uri
        found = _POST_URI.fullmatch(quoted)
        if found:
            yield f"https://bsky.app/profile/{found[1]}/post/{found[2]}"


def _post_uri(uri: str) -> str:
    return uri if _POST_URI.fullmatch(uri) else ""


def _created_ms(claimed: str, time_us: int) -> int:
    """Return what the author claims; when that is no time at all, when the server saw the post."""
    try:
        return from_iso(claimed)
    except ValueError:
        return time_us // 1000
