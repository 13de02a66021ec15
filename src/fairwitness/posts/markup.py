"""HTML and entities as networks send them, read for their words.

One pass whose time grows with the length alone, whatever is fed to it. The parser of the standard
library does not promise that: unclosed comments cost it the square of their number, and it raises
on some declarations and long character references. Where words are at stake this follows
https://html.spec.whatwg.org/multipage/parsing.html, but an entity needs its semicolon, so that
`?a=1&copy=2` stays an address, and a `<` that begins no tag that can be closed is a plain `<`:
`<ann@a.example>` is shown.
"""

import html
import re
from dataclasses import dataclass, field

from fairwitness.posts.post import Cut

MAX_CUTS = 32
"""More cuts than this in one text tell nobody anything."""

_ENTITY = re.compile(r"&(?:#\d{1,10}|#[xX][0-9a-fA-F]{1,10}|\w{2,31});")
_TAG = re.compile(r"<(/?)([a-zA-Z][\w:.-]*)(?=[\s/>])")
_IN_TAG = re.compile(r">|=\s*[\"']")
_COMMENT_END = re.compile(r"--!?>")
_HREF = re.compile(r"(?<![\w-])href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)

_BREAKS = {"p": 2} | dict.fromkeys(
    "address article aside blockquote dd details div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr li main nav ol pre section summary table tr ul".split(),
    1,
)
"""How many line breaks stand before and after a block."""
_CELLS = frozenset({"td", "th"})
_PLAIN = frozenset({"a", "span", "br"}) | _BREAKS.keys() | _CELLS
"""Tags that are no loss."""
_RAW = frozenset("script style noscript iframe noembed noframes xmp".split())
"""Elements whose content is not markup, and not shown."""
_HIDDEN = frozenset("template object svg math".split())
"""Elements whose content is markup, and not shown."""


@dataclass
class Words:
    """What was read: `text`, where it lost something, and the links of its anchors."""

    cuts: list[Cut] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _length: int = 0
    _breaks: int = 0
    """Line breaks that stand before the next words, if any come."""
    _hidden_depth: int = 0

    @property
    def text(self) -> str:
        """The words, blocks parted by line breaks."""
        return "".join(self._pieces)

    def say(self, data: str) -> None:
        """Add text that stands between markup."""
        if self._hidden_depth:
            self.cut(data)
            return
        if not data or (self._breaks and data.isspace()):
            return
        if self._breaks and self._pieces:
            last = self._pieces[-1]
            there = 2 if last.endswith("\n\n") else int(last.endswith("\n"))
            self._add("\n" * (self._breaks - there))
        self._breaks = 0
        self._add(unescape(data)[0])

    def cut(self, was: str) -> None:
        """Note what is left out here."""
        if was and len(self.cuts) < MAX_CUTS:
            self.cuts.append(Cut(self._length, "markup", was))

    def tag(self, name: str, whole: str, *, closes: bool) -> None:
        """Act on a start or end tag, `whole` as written."""
        if name in _HIDDEN and not whole.endswith("/>"):
            self._hidden_depth = max(0, self._hidden_depth + (-1 if closes else 1))
        if name == "br":
            self._breaks = min(2, self._breaks + 1)
        self._breaks = max(self._breaks, _BREAKS.get(name, 0))
        if closes:
            return
        if name in _CELLS:
            self.say(" ")
        if name == "a" and (href := _HREF.search(whole)):
            self.links.append(unescape(next(filter(None, href.groups()), ""))[0].strip())
        if name not in _PLAIN:
            self.cut(f"<{name}>")

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)


def read(raw: str) -> Words:
    """Read HTML; never fails, whatever it is fed."""
    words = Words()
    at, last_closing = 0, raw.rfind(">")
    while 0 <= (start := raw.find("<", at)) < last_closing:
        words.say(raw[at:start])
        at = _markup(raw, start, words)
    words.say(raw[at:])
    return words


def unescape(raw: str) -> tuple[str, list[Cut]]:
    """Return `raw` with its entities decoded, and a cut for each of the first of them."""
    if "&" not in raw:
        return raw, []
    pieces: list[str] = []
    cuts: list[Cut] = []
    done = length = 0
    for match in _ENTITY.finditer(raw):
        new = html.unescape(match.group())
        if new == match.group():
            continue
        pieces += [raw[done : match.start()], new]
        length += match.start() - done
        if len(cuts) < MAX_CUTS:
            cuts.append(Cut(length, "entity", match.group()))
        length += len(new)
        done = match.end()
    return "".join([*pieces, raw[done:]]), cuts


def _markup(raw: str, start: int, words: Words) -> int:
    """Read the markup at `start`, and return where what comes after it begins."""
    tag = _TAG.match(raw, start)
    if tag is not None:
        name, end = tag.group(2).lower(), _tag_end(raw, tag.end())
        words.tag(name, raw[start:end], closes=bool(tag.group(1)))
        if name not in _RAW or tag.group(1):
            return end
        closing = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(raw, end)
        content_end = closing.start() if closing else len(raw)
        words.cut(raw[end : min(content_end, end + 200)])
        return content_end
    if raw.startswith(("<!", "<?"), start):
        end = _comment_end(raw, start)
        words.cut(raw[start : min(end, start + 200)])
        return end
    words.say("<")
    return start + 1


def _tag_end(raw: str, at: int) -> int:
    """Return where the tag ends in which `at` is; a `>` in a quoted value does not end it."""
    while found := _IN_TAG.search(raw, at):
        if found.group() == ">":
            return found.end()
        closing = raw.find(found.group()[-1], found.end())
        at = closing + 1 if closing >= 0 else found.end()
    return len(raw)


def _comment_end(raw: str, start: int) -> int:
    if not raw.startswith("<!--", start):
        return raw.find(">", start) + 1
    for empty in ("<!-->", "<!--->"):
        if raw.startswith(empty, start):
            return start + len(empty)
    end = _COMMENT_END.search(raw, start + 4)
    return end.end() if end else len(raw)
