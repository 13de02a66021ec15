"""Where a quote may begin and end so that it says nothing else: "5" is no quote of "5.8%".

Words that stand between spaces stay whole, but for marks around them; in scripts that put no spaces
between words, any two characters may be parted. What forms one sign (a letter and its accents, a
flag, joined emoji) stays together.
"""

from __future__ import annotations

import re
import unicodedata

OPENING = "\"'“‘„«‹([{¿¡*_"
CLOSING = "\"'”’»›)]}.,;:!?…*_"
_WORD = re.compile(r"\S+")
# Thai and Lao; Myanmar; Khmer; from CJK radicals on all that follows, emoji too
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\U0010ffff]")
_JOINER = "\u200d"


def starts(text: str) -> set[int]:
    """Places in `text`, in characters, where a quote may begin."""
    places = _between_unspaced(text) - {len(text)}
    for word in _WORD.finditer(text):
        marks = len(word[0]) - len(word[0].lstrip(OPENING))
        inside = range(word.start(), word.start() + marks + 1)
        places.update(place for place in inside if place < word.end())
    return {place for place in places if not text[place].isspace() and not _is_one(text, place)}


def ends(text: str) -> set[int]:
    """Places in `text`, in characters, before which a quote may end."""
    places = _between_unspaced(text) - {0}
    for word in _WORD.finditer(text):
        marks = len(word[0]) - len(word[0].rstrip(CLOSING))
        inside = range(word.end() - marks, word.end() + 1)
        places.update(place for place in inside if place > word.start())
    return {place for place in places if not _is_one(text, place)}


def _between_unspaced(text: str) -> set[int]:
    """The places before and after each character of a script without spaces."""
    return {place for found in _UNSPACED.finditer(text) for place in found.span()}


def _is_one(text: str, place: int) -> bool:
    """Whether the characters before and after `place` form one sign."""
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if before.isspace() or after.isspace():
        return False
    is_flag = "\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff"
    is_tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    is_mark = unicodedata.category(after).startswith("M")
    return is_flag or is_tone or is_mark or _JOINER in (before, after)
