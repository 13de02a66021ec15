"""From what a network sends to a text that can be quoted, and a record of what was cut.

`text` of a post is what quotes point into, so cleaning happens once, before anything else, and
says what it did: every piece of the author's text that was removed or replaced becomes a `Cut`.
Only white space is folded without saying so. What is clean stays as it is when cleaned again.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from fairwitness.kernels import scan
from fairwitness.kernels.scan import HIDDEN, SELECTORS, SPACES
from fairwitness.posts import markup
from fairwitness.posts.markup import MAX_CUTS
from fairwitness.posts.post import Cut

MAX_CHARS = 20_000
"""A longer text is a document, not a post: the rest is cut, and said to be."""

_READ_CHARS = MAX_CHARS * 8
"""Of markup or of a text as it was sent, no more than this is looked at."""

_CUT_SAMPLE_CHARS = 80
_COMMON_RUN = 8  # characters; longer runs of white space are too rare to be remembered

# One variation selector chooses a glyph. A second behind it chooses nothing: bytes are smuggled so.
_STRAY = rf"(?<=[{SELECTORS}{HIDDEN}])[{SELECTORS}]"
_ODD_ALONE = rf"\t\x0b-\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f{HIDDEN}"
_ODD = re.compile(rf"(?:[{SPACES}{HIDDEN}]|{_STRAY}){{2,}}|[{_ODD_ALONE}]|{_STRAY}")
# Wherever that matches this does, too; one class to begin with is looked for four times as fast.
_PERHAPS_ODD = re.compile(
    rf"[{SPACES}{HIDDEN}{SELECTORS}](?:(?<=[{_ODD_ALONE}{SELECTORS}])|[{SPACES}{HIDDEN}])"
)
_SPACE = re.compile(rf"[{SPACES}]+")
_LINE_BREAK = re.compile("\r\n|[\n-\r\x85\u2028\u2029]")

MARKS = "".join(
    char for char in map(chr, range(0x300, 0x1B00)) if unicodedata.category(char).startswith("M")
)
r"""The combining marks that words are spelt with; Python's `\w` leaves them out."""

_LINK = re.compile(
    r"(?i:https?)://\w[^\s<>\"'`{}|\\^\xab\xbb\u201c-\u201f\u3000-\u303f\uff00-\uffef]*"
)
_LINK_BEGINS = re.compile(r"(?i:https?)://\w")
# What may not stand before them is asked for after their first character, by which a text is
# searched three times as fast.
_HASHTAG = re.compile(
    rf"[#＃](?<![\w{MARKS}&/].)([\w{MARKS}\u200c\u200d]*[^\W\d_][\w{MARKS}\u200c\u200d]*)"
)
_MENTION = re.compile(
    r"[@＠](?<![\w@＠/].)([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
    r"(?:@[A-Za-z0-9_.-]+[A-Za-z0-9_])?)"
)
_AFTER_LINK = ".,;:!?…»”’*"
_PAIRS = {")": "(", "]": "["}
_AT_END = frozenset((*_AFTER_LINK, *_PAIRS))


class Cleaned(msgspec.Struct, frozen=True, gc=False):
    """A text to quote from, and what was cut on the way to it."""

    text: str
    cuts: tuple[Cut, ...] = ()
    links: tuple[str, ...] = ()
    """Links that the markup carried; those that stand in the text are found by `links_in`."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A stretch of UTF-8 *bytes* of the raw text that stands for `with_text` (a link in full)."""

    byte_start: int
    byte_end: int
    with_text: str


Way = Callable[[str], Cleaned]
"""How a text is cleaned: `from_plain`, `from_escaped` or `from_html`."""


def clean_all(raws: Sequence[str], ways: Sequence[Way]) -> list[Cleaned]:
    """Clean each text in its way; the same as one by one, but most texts need no second look."""
    told = scan.scan(raws).tolist()
    return [
        way(raw) if bits & _MATTERS[way] or len(raw) > MAX_CHARS else Cleaned(raw.strip())
        for raw, way, bits in zip(raws, ways, told, strict=True)
    ]


def from_plain(raw: str) -> Cleaned:
    """Clean a text that has no markup and no entities (Bluesky, plain files)."""
    is_short = len(raw) <= MAX_CHARS
    if is_short and not _PERHAPS_ODD.search(raw) and unicodedata.is_normalized("NFC", raw):
        return Cleaned(raw.strip())
    return _finish(raw[:_READ_CHARS], [], len(raw) - _READ_CHARS)


def from_escaped(raw: str) -> Cleaned:
    """Clean a text whose `&`, `<`, `>` may be written as entities (X, Weibo and many captures)."""
    if "&" not in raw:
        return from_plain(raw)
    text, cuts = markup.unescape(raw[:_READ_CHARS])
    return _finish(text, cuts, len(raw) - _READ_CHARS)


def from_html(raw: str) -> Cleaned:
    """Clean HTML: block elements become line breaks, the rest of the markup is dropped."""
    if "<" not in raw:
        return from_escaped(raw)
    words = markup.read(raw[:_READ_CHARS])
    cleaned = _finish(words.text, words.cuts, len(raw) - _READ_CHARS)
    links = filter(is_link, words.links)
    return Cleaned(cleaned.text, cleaned.cuts, tuple(dict.fromkeys(links)))


_MATTERS: dict[Way, int] = {
    from_plain: scan.ODD | scan.UNSURE,
    from_escaped: scan.ODD | scan.UNSURE | scan.AMPERSAND,
    from_html: scan.ODD | scan.UNSURE | scan.AMPERSAND | scan.LESS_THAN,
}
"""What a text has to hold for its way to change more than the white space around it."""


def from_facets(raw: str, replacements: Sequence[Replacement]) -> Cleaned:
    """Clean plain text after writing shortened links in full.

    Offsets are UTF-8 bytes, as Bluesky's facets count them. A replacement that leaves the text,
    overlaps an earlier one, or splits a character is left out: the text stays as written.
    """
    encoded = raw[:_READ_CHARS].encode("utf-8", "surrogatepass")
    pieces: list[str] = []
    cuts: list[Cut] = []
    done_bytes, length = 0, 0
    for new in sorted(replacements, key=lambda each: each.byte_start):
        if not done_bytes <= new.byte_start < new.byte_end <= len(encoded):
            continue
        try:
            before = encoded[done_bytes : new.byte_start].decode("utf-8", "surrogatepass")
            shown = encoded[new.byte_start : new.byte_end].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            continue
        pieces += [before, new.with_text]
        length += len(before)
        if shown != new.with_text and len(cuts) < MAX_CUTS:
            cuts.append(Cut(length, "url", shown))
        length += len(new.with_text)
        done_bytes = new.byte_end
    pieces.append(encoded[done_bytes:].decode("utf-8", "surrogatepass"))
    return _finish("".join(pieces), cuts, len(raw) - _READ_CHARS)


def one_line(raw: str, max_chars: int) -> str:
    """Clean what stands beside a text, a name or a handle: no line breaks, nothing invisible."""
    raw = raw[: max_chars * 8]
    visible = raw if raw.isascii() and raw.isprintable() else from_plain(raw).text
    return " ".join(visible.split())[:max_chars].rstrip()


def links_in(text: str) -> tuple[str, ...]:
    """Return the http(s) links that stand in `text`, each once, without trailing punctuation.

    A link that was cut off (`https://t.co/a…`) leads nowhere and is left out.
    """
    if "://" not in text:
        return ()
    found = (match for match in _LINK.findall(text) if not match.endswith("…"))
    return tuple(dict.fromkeys(map(_without_punctuation, found)))


def is_link(text: str) -> bool:
    """Return whether `text` is an http(s) link and nothing else."""
    if _LINK_BEGINS.match(text) is None or " " in text:
        return False
    return (text.isascii() and text.isprintable()) or _ODD.search(text) is None


def hashtags_in(text: str) -> tuple[str, ...]:
    """Return the hashtags of `text` without #, each once."""
    if "#" not in text and "＃" not in text:
        return ()
    return tuple(dict.fromkeys(_HASHTAG.findall(text)))


def mentions_in(text: str) -> tuple[str, ...]:
    """Return the @mentions of `text` without @, each once."""
    return tuple(dict.fromkeys(_MENTION.findall(text))) if "@" in text or "＠" in text else ()


def _without_punctuation(link: str) -> str:
    """Return `link` without what belongs to the sentence; brackets of its own stay."""
    if link[-1] not in _AT_END:
        return link
    unopened = {closing: link.count(closing) - link.count(_PAIRS[closing]) for closing in _PAIRS}
    end = len(link)
    while link[end - 1] in _AFTER_LINK or unopened.get(link[end - 1], 0) > 0:
        end -= 1
        if link[end] in unopened:
            unopened[link[end]] -= 1
    return link[:end]


def _finish(raw: str, earlier: Sequence[Cut], unread_chars: int) -> Cleaned:
    """Take out what is hidden, fold spaces, normalise to NFC, cap; offsets are of the result."""
    text, cuts = _without_odd(raw, earlier)
    cuts = cuts[:MAX_CUTS]
    if not unicodedata.is_normalized("NFC", text):
        cuts = [_moved(cut, len(unicodedata.normalize("NFC", text[: cut.at]))) for cut in cuts]
        text = unicodedata.normalize("NFC", text)
    lead = len(text) - len(text.lstrip())
    text = text.strip()
    too_many = max(unread_chars, 0) + max(len(text) - MAX_CHARS, 0)
    text = text[:MAX_CHARS].rstrip()
    if too_many:
        cuts.append(Cut(lead + len(text), "length", f"{too_many} more characters"))
    placed = (Cut(min(max(c.at - lead, 0), len(text)), c.kind, _sample(c.was)) for c in cuts)
    return Cleaned(text, tuple(placed))


def _without_odd(raw: str, earlier: Sequence[Cut]) -> tuple[str, list[Cut]]:
    """Return the text with odd characters out, its cuts, and the earlier ones moved along."""
    if not earlier and raw.isascii() and raw.replace("\n", "").isprintable():
        return _with_spaces_folded(raw), []
    pieces: list[str] = []
    cuts: list[Cut] = []
    waiting = list(reversed(earlier))
    done = length = 0
    for match in _odd_in(raw):
        start, end = match.span()
        while waiting and waiting[-1].at <= start:
            cut = waiting.pop()
            cuts.append(_moved(cut, length + cut.at - done))
        stand_in, hidden = _folded(match.group())
        pieces += [raw[done:start], stand_in]
        length += start - done
        if hidden and len(cuts) < MAX_CUTS:
            cuts.append(Cut(length, "control", hidden))
        length += len(stand_in)
        done = end
        while waiting and waiting[-1].at < end:
            cuts.append(_moved(waiting.pop(), length))
    cuts += (_moved(cut, length + cut.at - done) for cut in reversed(waiting))
    return "".join([*pieces, raw[done:]]), cuts


def _odd_in(raw: str) -> Iterator[re.Match[str]]:
    """Yield what `_ODD.finditer` would."""
    at = 0
    while perhaps := _PERHAPS_ODD.search(raw, at):
        odd = _ODD.match(raw, perhaps.start())
        at = odd.end() if odd else perhaps.start() + 1
        if odd:
            yield odd


def _with_spaces_folded(raw: str) -> str:
    """Fold a text whose only oddities are runs of spaces and line breaks: most that have any."""
    text = "\n".join(line.strip() for line in raw.split("\n"))
    for run, folded in (("\n\n\n", "\n\n"), ("  ", " ")):
        while run in text:
            text = text.replace(run, folded)
    return text


def _folded(odd: str) -> tuple[str, str]:
    """Return what a run of spaces, line breaks and hidden characters becomes, and what it hides."""
    return _folded_run(odd) if len(odd) <= _COMMON_RUN else _folded_run.__wrapped__(odd)


@functools.lru_cache(maxsize=256)
def _folded_run(odd: str) -> tuple[str, str]:
    breaks = len(_LINE_BREAK.findall(odd))
    space = "\n" * min(breaks, 2) or (" " if _SPACE.search(odd) else "")
    return space, _SPACE.sub("", odd)


def _moved(cut: Cut, at: int) -> Cut:
    return Cut(at, cut.kind, cut.was)


def _sample(piece: str) -> str:
    """Return the beginning of a piece, with what cannot be seen written as its number."""
    piece = piece[:_CUT_SAMPLE_CHARS]
    return piece if piece.isprintable() else piece.encode("unicode_escape").decode("ascii")
