"""From what a network sends to a text that can be quoted, and a record of what was cut.

`text` of a post is what quotes point into, so cleaning happens once, before anything else, and
says what it did: every piece of the author's text that was removed or replaced becomes a `Cut`.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from fairwitness.posts.post import Cut

MAX_CHARS = 20_000
"""A longer text is a document, not a post: the rest is cut, and said to be."""

_CUT_SAMPLE_CHARS = 80
_MAX_CUTS = 32

# C0/C1 controls but tab and newline; surrogates that no UTF-8 can carry; bidirectional overrides
# and isolates, which make text read as what it does not say (Trojan Source, CVE-2021-42574); the
# byte order mark; tag characters, invisible carriers of hidden prompts. Zero-width joiners stay:
# emoji and Indic and Persian words are spelt with them.
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\U000e0001-\U000e007f"
)
_ODD = re.compile(
    r"(?P<space>\r\n?|[ \t\xa0\u2000-\u200a\u202f\u3000]{2,}"
    r"|[\t\xa0\u2000-\u200a\u2028\u2029\u202f]|\n{3,})"
    rf"|(?P<control>[{_HIDDEN}]+)"
)
_ODD_OR_ENTITY = re.compile(
    _ODD.pattern + r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{2,31});)"
)

_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^\u3000-\u303f\uff00-\uffef]+")
_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d_]\w*)")
_MENTION = re.compile(r"(?<![\w@/.])@([A-Za-z0-9_](?:[\w.-]*\w)?(?:@[\w.-]+\w)?)")


@dataclass(frozen=True, slots=True)
class Cleaned:
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


def from_plain(raw: str) -> Cleaned:
    """Clean a text that has no markup and no entities (Bluesky, plain files)."""
    return _finish(raw, [], _ODD)


def from_escaped(raw: str) -> Cleaned:
    """Clean a text whose `&`, `<`, `>` may be written as entities (X, Weibo and many captures)."""
    return _finish(raw, [], _ODD_OR_ENTITY if "&" in raw else _ODD)


def from_html(raw: str) -> Cleaned:
    """Clean HTML: block elements become line breaks, the rest of the markup is dropped."""
    if "<" not in raw:
        return from_escaped(raw)
    reader = _HtmlReader()
    reader.feed(raw[: MAX_CHARS * 8])
    reader.close()
    cleaned = _finish("".join(reader.pieces), reader.cuts, _ODD)
    return Cleaned(cleaned.text, cleaned.cuts, tuple(dict.fromkeys(reader.links)))


def from_facets(raw: str, replacements: Sequence[Replacement]) -> Cleaned:
    """Clean plain text after writing shortened links in full.

    Offsets are UTF-8 bytes, as Bluesky's facets count them. A replacement that leaves the text,
    overlaps an earlier one, or splits a character is left out: the text stays as written.
    """
    encoded = raw.encode("utf-8", "surrogatepass")
    pieces: list[str] = []
    cuts: list[Cut] = []
    done_bytes, done_chars = 0, 0
    for new in sorted(replacements, key=lambda each: each.byte_start):
        if not done_bytes <= new.byte_start < new.byte_end <= len(encoded):
            continue
        try:
            before = encoded[done_bytes : new.byte_start].decode()
            shown = encoded[new.byte_start : new.byte_end].decode()
        except UnicodeDecodeError:
            continue
        pieces += [before, new.with_text]
        done_chars += len(before)
        if shown != new.with_text:
            cuts.append(Cut(done_chars, "url", shown[:_CUT_SAMPLE_CHARS]))
        done_chars += len(new.with_text)
        done_bytes = new.byte_end
    pieces.append(encoded[done_bytes:].decode("utf-8", "replace"))
    return _finish("".join(pieces), cuts, _ODD)


def links_in(text: str) -> tuple[str, ...]:
    """Return the http(s) links that stand in `text`, each once, without trailing punctuation."""
    if "://" not in text:
        return ()
    found = (match.rstrip(".,;:!?…)]»”’") for match in _LINK.findall(text))
    return tuple(dict.fromkeys(found))


def hashtags_in(text: str) -> tuple[str, ...]:
    """Return the hashtags of `text` without #, each once."""
    if "#" not in text and "＃" not in text:
        return ()
    return tuple(dict.fromkeys(_HASHTAG.findall(text)))


def mentions_in(text: str) -> tuple[str, ...]:
    """Return the @mentions of `text` without @, each once."""
    return tuple(dict.fromkeys(_MENTION.findall(text))) if "@" in text else ()


def _finish(raw: str, earlier: list[Cut], odd: re.Pattern[str]) -> Cleaned:
    """Replace what `odd` finds, normalise to NFC, cap the length; offsets are of the result."""
    if not earlier and len(raw) <= MAX_CHARS and odd.search(raw) is None:
        text = raw if unicodedata.is_normalized("NFC", raw) else unicodedata.normalize("NFC", raw)
        return Cleaned(text.strip())
    made = _Made(earlier)
    done = 0
    for match in odd.finditer(raw):
        made.keep(raw[done : match.start()], done)
        made.replace(match, done_to=match.start())
        done = match.end()
        if made.length > MAX_CHARS:
            break
    made.keep(raw[done:], done)
    return made.result()


@dataclass
class _Made:
    """The cleaned text as it grows, and the cuts, moved to where they stand in it."""

    earlier: list[Cut]
    pieces: list[str] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    length: int = 0

    def keep(self, piece: str, raw_at: int) -> None:
        piece = unicodedata.normalize("NFC", piece)
        while self.earlier and self.earlier[0].at <= raw_at + len(piece):
            cut = self.earlier.pop(0)
            self.cuts.append(Cut(self.length + max(0, cut.at - raw_at), cut.kind, cut.was))
        self.pieces.append(piece)
        self.length += len(piece)

    def replace(self, match: re.Match[str], done_to: int) -> None:
        kind = match.lastgroup or "control"
        was = match.group()
        new = _stand_in(kind, was)
        if kind != "space":
            self.cuts.append(Cut(self.length, kind, _printable(was)))
        self.pieces.append(new)
        self.length += len(new)

    def result(self) -> Cleaned:
        joined = unicodedata.normalize("NFC", "".join(self.pieces))
        lead = len(joined) - len(joined.lstrip())
        text = joined.strip()
        cuts = self.cuts[:_MAX_CUTS]
        if len(text) > MAX_CHARS:
            cuts.append(Cut(MAX_CHARS, "length", f"{len(text) - MAX_CHARS} more characters"))
            text = text[:MAX_CHARS].rstrip()
        placed = (Cut(min(max(cut.at - lead, 0), len(text)), cut.kind, cut.was) for cut in cuts)
        return Cleaned(text, tuple(placed))


def _stand_in(kind: str, was: str) -> str:
    if kind == "entity":
        decoded = html.unescape(was)
        return "" if _ODD.fullmatch(decoded) and decoded != "\xa0" else decoded.replace("\xa0", " ")
    if kind == "space":
        return "\n\n" if was.startswith("\n") else "\n" if was[0] in "\r\u2028\u2029" else " "
    return ""


def _printable(piece: str) -> str:
    return (
        piece[:_CUT_SAMPLE_CHARS].encode("unicode_escape").decode("ascii")
        if not piece.isprintable()
        else piece[:_CUT_SAMPLE_CHARS]
    )


_BLOCKS = frozenset(
    "p div br li ul ol tr table blockquote h1 h2 h3 h4 h5 h6 hr pre section article".split()
)
_SILENT = frozenset("script style template noscript iframe object svg math".split())


class _HtmlReader(HTMLParser):
    """Collects the text of markup; never fails, whatever it is fed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.cuts: list[Cut] = []
        self.links: list[str] = []
        self._length = 0
        self._silent_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent_depth += 1
        href = dict(attrs).get("href") or ""
        if tag == "a" and href.startswith(("http://", "https://")):
            self.links.append(href)
        if tag in _BLOCKS and self.pieces:
            self._emit("\n\n" if tag == "p" else "\n")
        if tag not in _BLOCKS and tag not in {"a", "span"}:
            self.cuts.append(Cut(self._length, "markup", f"<{tag}>"[:_CUT_SAMPLE_CHARS]))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT and self._silent_depth:
            self._silent_depth -= 1

    def handle_data(self, data: str) -> None:
        if self._silent_depth:
            self.cuts.append(Cut(self._length, "markup", data[:_CUT_SAMPLE_CHARS]))
            return
        self._emit(data)

    def _emit(self, piece: str) -> None:
        self.pieces.append(piece)
        self._length += len(piece)
