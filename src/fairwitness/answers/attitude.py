"""What somebody who answers a post thinks of it: agrees, denies, asks, or only talks.

Rules on the folded text, in the languages that people answer in here. Whoever denies says so in few
words and in few ways; whoever asks, asks. `docs/answers.md` tells how often this is right.
"""

import re
from typing import Literal

from fairwitness.answers import words
from fairwitness.answers.passing import lends_voice
from fairwitness.answers.senses import DENIALS

Attitude = Literal["support", "deny", "query", "comment"]

# Whole words: by its stem `boato`, a rumour in Portuguese, would be a boat.
_DENIALS = frozenset(words.fold(word) for word in DENIALS)
_UNSPACED_DENIALS = tuple(word for word in DENIALS if words.is_unspaced(word))
_DOUBTS = frozenset("unconfirmed rumor rumour rumors rumours boato boatos gerucht".split())
"""Words of doubt that a denial may hold, but that deny nothing by themselves."""

_DENIES = re.compile(
    r"\b(?:not true|isn'?t true|wasn'?t true|untrue"
    r"|no,? (?:he|she|it|they|there|that)(?:'s| is| was| did| has)?"
    r" ?(?:has|have|did|is|was|are|does|do)?n[o']t"
    r"|not (?:confirmed|correct|accurate|real|the case|him|her|what)"
    r"|incorrect|inaccurate|misleading|misinformation|disinformation|myths?|bullshit|bogus"
    r"|nonsense|rubbish|bollo(?:cks|x)|made (?:it )?up|photoshop\w*|old (?:photo|picture|pic|video)"
    r"|(?:did|does|do|has|have|was|were|is|are)n'?t (?:happen|say|said|any|an?|true|real|him)"
    r"|never (?:happened|said)|no (?:evidence|proof|confirmation)|(?:do|did)(?:n't| not) believe"
    r"|stop (?:spreading|lying|making)"
    r"|you(?:'re| are| r) (?:lying|wrong)|liars?|lies|lied|facts (?:right|wrong|straight)"
    r"|(?:get|check) (?:your|ur|the) facts|wrong|retract\w*|delete this"
    r"|take (?:this|it|tweet) down|no es (?:cierto|verdad)|es mentira|non e vero"
    r"|nao e verdade|e mentira|pas vrai|stimmt nicht|это не так|неправда)\b"
)
_ASKS = re.compile(
    r"[?？]|吗[。！!]*$|真的假的|求证"
    r"|^(?:@\w+ )*(?:who|what|when|where|why|how|is it|is this|are you|source|link|proof|really)\b"
)
_AGREES = re.compile(
    r"\b(?:confirmed|it'?s true|so true|exactly|agreed?|indeed|yes|yep|correct|true)\b"
    r"|确认|证实|属实|是真的"
)

_HEARSAY = re.compile(
    r"\b(?:rumou?r(?:s|ed)?|unconfirmed|not confirmed|unverified|alleged(?:ly)?"
    r"|reportedly|supposedly"
    r"|is it true|hearing (?:that|reports)|rumores?|sin confirmar|presunt\w+|voci di|boatos?"
    r"|suposto|rumeurs?|non confirme|gerucht\w*|angeblich|слух\w*|якобы)\b"
    r"|传闻|据传|网传|疑似|听说|传言|未经证实|未確認|噂"
)


def attitude_of(reply: str) -> Attitude:
    """Return what `reply` thinks of what it answers."""
    folded = words.fold(reply.replace("’", "'"))
    asks = _ASKS.search(folded) is not None
    if denies(reply) and not (asks and "?" in folded and len(folded) < 60):
        return "deny"
    if asks:
        return "query"
    return "support" if lends_voice(reply) or _AGREES.search(folded) else "comment"


def denies(reply: str) -> bool:
    """Whether `reply` says of what it answers that it is not so."""
    folded = words.fold(reply.replace("’", "'"))
    return _DENIES.search(folded) is not None or calls_false(reply)


def calls_false(text: str) -> bool:
    """Whether `text`, which answers nothing, calls something a rumour, a fake, or denied."""
    return bool(_words_of_denial(text) - _DOUBTS)


def doubts(text: str) -> bool:
    """Whether `text` calls something false, or no more than a rumour."""
    return bool(_words_of_denial(text))


def hearsay(text: str) -> bool:
    """Whether `text` itself says that it passes on a rumour, or what nobody has confirmed."""
    return _HEARSAY.search(words.fold(text)) is not None


def _words_of_denial(text: str) -> frozenset[str]:
    said = {words.fold(match.group()) for match in words.spaced(text)}
    return frozenset(said & _DENIALS) | {word for word in _UNSPACED_DENIALS if word in text}
