"""Spans of posts that can stand as quotes: whole sentences, byte for byte, nothing of ours in them.

A span leaves out what is not the statement: "RT @name:", handles at the start of a reply, links and
runs of hashtags at the end. It is always one stretch of the post's text.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from fairwitness.answers import words
from fairwitness.answers.passing import BESIDE
from fairwitness.posts.post import Post

MIN_WORDS = 3
MIN_UNSPACED_CHARS = 5
MAX_SPAN_CHARS = 500

# After these a new sentence begins; a full stop inside a number, a handle or a link ends none.
_END = re.compile(
    r"[.!?…]+[\"'”’»)\]]*(?=\s+[^\s.])|[。！？!?]+[」』”’）]*|\n+|\s+(?:\|+|—|–|//)\s+"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Sr|Sra|Jr|vs|No|U\.S|a\.m|p\.m|approx|Gen|Sen|Rep|Gov|Prof"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec))\.$"
)

_LEAD = re.compile(
    r"(?:[\s\"“”'‘.:;,|>»\-–—\u200d\ufe0f]+|RT\s+@?[\w.]+\s*:?"
    rf"|(?i:{BESIDE})\s*:?|@[\w.]+\s*:|@[\w.]+(?=\s)(?=(?:\s+@[\w.]+)*\s+[^\W\d_]))"
)
_TRAIL = re.compile(
    rf"(?:[\s\"“”|>»\-–—:,]+|[(\[]?(?i:{BESIDE})[)\]]?"
    r"|https?://\S*|\bhtt?p?s?:?/?/?\S{0,2}$|\[?(?:VIDEO|FOTOS?|PHOTOS?)\]?)$"
)
_LINK = re.compile(r"https?://\S+")
_TAG_RUN = re.compile(r"(?:\s+[#＃]\w+){2,}\s*$")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of `post.text`."""

    post: Post
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.post.text[self.start : self.end]


def spans_of(post: Post) -> list[Span]:
    """Return the sentences of `post` that are long enough to say something, in order."""
    text = post.text
    borders = [0, *(m.end() for m in _END.finditer(text) if _ends(text, m)), len(text)]
    found = []
    for start, end in pairwise(borders):
        start, end = _trim(text, start, end)
        if _says_something(text[start:end]):
            found.append(Span(post, start, end))
    return found


def _ends(text: str, match: re.Match[str]) -> bool:
    if not match.group().startswith("."):
        return True
    return _ABBREVIATION.search(text[max(0, match.start() - 8) : match.start() + 1]) is None


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while (lead := _LEAD.match(text, start, end)) and lead.end() > start:
        start = lead.end()
    changed = True
    while changed and end > start:
        changed = False
        for pattern in (_TRAIL, _TAG_RUN):
            trail = pattern.search(text, start, end)
            if trail and trail.start() > start and trail.end() == end:
                end, changed = trail.start(), True
    return start, min(end, start + MAX_SPAN_CHARS)


def _says_something(span: str) -> bool:
    span = _LINK.sub(" ", span)
    unspaced = sum(len(run.group()) for run in words.unspaced_runs(span))
    if unspaced >= MIN_UNSPACED_CHARS:
        return True
    said = [m.group() for m in words.spaced(span) if any(c.isalpha() for c in m.group())]
    return len(said) + unspaced // 2 >= MIN_WORDS
