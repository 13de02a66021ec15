"""Whom a post has it from, by its own words: what it passes on, and for whom it gives credit.

Whoever passes on words to the letter ("RT @ana:", “@ana: …”) lends ana's voice, and she is the
witness. Whoever tells it anew and gives credit ("MT @ana", "via @ana", "h/t @ana") knows it from
ana: her witness too, and his own words vouch for nothing.
"""

import re

_NAME = r"@([\w.-]*\w(?:@[\w.-]*\w)?)"

BESIDE = rf"\b(?:MT|HT|h/t|hat[ -]tip(?:\s+to)?|v[ií]a)\s*:?\s*{_NAME}"
"""A credit beside what is told, in many languages: a quote leaves it out at its ends."""

# Per language: English, Spanish, Italian, Portuguese, French, German, Russian.
_CREDIT = (
    r"\bsource|\baccording\s+to"
    r"|\bfuente|\bseg[uú]n"
    r"|\btramite|\bfonte|\bsecondo"
    r"|\bsegundo|\batrav[eé]s\s+d[eo]"
    r"|\bd['’]apr[eè]s|\bselon"
    r"|\bquelle|\blaut"
    r"|\bисточник|\bчерез|\bпо\s+данным|\bпо\s+словам"
    # Chinese and Japanese part no words by spaces.
    r"|来源|來源|转自|轉自|转载自|据|出典|引用元|情報源"
)
_BY_HAND = re.compile(rf"{BESIDE}|(?:{_CREDIT})\s*[:：]?\s*{_NAME}", re.IGNORECASE)
_TO_THE_LETTER = re.compile(
    rf"\bRT\s*:?\s*{_NAME}|\bRT\s+([\w.]+):|(?:[“”\"„«「『]|//)\s*{_NAME}\s*[:：]", re.IGNORECASE
)


def passed_on(text: str) -> list[str]:
    """Return the accounts that `text` has it from, as it writes them."""
    found = (*_TO_THE_LETTER.findall(text), *_BY_HAND.findall(text))
    return [next(filter(None, names)) for names in found]


def lends_voice(text: str) -> bool:
    """Whether `text` passes on another account's words to the letter."""
    return _TO_THE_LETTER.search(text) is not None


def second_hand(text: str) -> bool:
    """Whether `text` tells in its own words what it gives another account credit for."""
    return _BY_HAND.search(text) is not None
