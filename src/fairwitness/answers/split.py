"""Several questions in one message, parted.

They part at question marks, and where "and" or a comma stands between two things that are asked:
"who won and where was it?". What asks nothing belongs to the question beside it.
"""

import re

from fairwitness.answers import words
from fairwitness.answers.answer import QuestionError
from fairwitness.answers.understand import asks_something, is_glue, kind_of

MAX_QUESTIONS = 8
"""Of one message; each costs a search."""

_QUOTED = re.compile(r"[\"“«「『][^\"”»」』]{2,80}[\"”»」』]")
_MARK = re.compile(r"[?？؟]+[\"”»)]*\s*")

# Per language: what joins two questions, and what the second may begin with.
_JOINED = (
    ("and", r"who(?:m|se)?|what|when|where|why|how|which|since when"),
    (
        "y",
        r"¿?(?:qui[eé]n(?:es)?|qu[eé]|cu[aá]ndo|d[oó]nde|por qu[eé]|c[oó]mo|cu[aá]nt\w+|cu[aá]l)",
    ),
    ("e", r"chi|che cosa|cosa|quando|dove|perch[eé]|come|quant[aeio]"),
    ("e", r"quem|o que|onde|por que|como|quant[ao]s?|qual"),
    ("et", r"qui|que|quand|o[uù]|pourquoi|comment|combien"),
    ("und", r"wer|was|wann|wo|warum|wie|wen|wem|wessen"),
    ("и", r"кто|что|когда|где|почему|как|сколько"),
)
_AND = re.compile(
    "|".join(rf",?\s+{joint}\s+(?=(?:{asking})\b)" for joint, asking in _JOINED), re.IGNORECASE
)
_COMMA = re.compile(
    r"(?:[，,、；;]|以及|还有|和)(?=[^，、；;?？]*(?:谁|誰|什么|什麼|何时|哪|多少|几|为什么|怎么|何|いつ|どこ|なぜ))"
)
_ONLY_ASKS = re.compile(r"[\W_]*(?:who|when|where|why|how|what|since when)[\W_]*", re.IGNORECASE)


def questions_in(message: str) -> list[list[str]]:
    """Return the questions of `message` in order; those that one sentence joins stand together.

    Raises QuestionError for more than `MAX_QUESTIONS`.
    """
    sentences = [_joined(sentence) for sentence in _sentences(message)]
    asked = sum(map(len, sentences))
    if asked > MAX_QUESTIONS:
        raise QuestionError(f"the message asks {asked} questions; the most is {MAX_QUESTIONS}")
    return sentences


def _sentences(message: str) -> list[str]:
    """Part `message` behind question marks that stand in no quotation."""
    quoted = [match.span() for match in _QUOTED.finditer(message)]
    found, start = [], 0
    for mark in _MARK.finditer(message):
        if any(begin <= mark.start() < end for begin, end in quoted):
            continue
        found.append(message[start : mark.end()])
        start = mark.end()
    if message[start:].strip():
        found.append(message[start:])
    return [part.strip() for part in _held_together(found)] or [message]


def _held_together(parts: list[str]) -> list[str]:
    """Put what asks nothing to the question before it, or behind it where it comes first."""
    kept: list[str] = []
    for part in parts:
        asks = _MARK.search(part) and _says_something(part)
        whole = bool(kept) and _MARK.search(kept[-1]) and any(map(str.isalnum, kept[-1]))
        if kept and not (asks and whole):
            kept[-1] += part
        else:
            kept.append(part)
    return kept


def _says_something(part: str) -> bool:
    """Whether `part` is a question of its own: it asks, or is about something."""
    if kind_of(part) or words.unspaced_runs(part):
        return True
    said = [match.group() for match in words.spaced(part)]
    return any(not is_glue(word) and words.fold(word) not in _TAGS for word in said)


_TAGS = frozenset("really right ok huh seriously verdad vero certo ne nicht wahr правда".split())
"""What only asks for a yes to what was asked."""


def _joined(sentence: str) -> list[str]:
    quoted = [match.span() for match in _QUOTED.finditer(sentence)]
    for pattern in (_AND, _COMMA):
        for joint in pattern.finditer(sentence):
            left, right = sentence[: joint.start()], sentence[joint.end() :]
            if any(begin <= joint.start() < end for begin, end in quoted) or not asks_something(
                left
            ):
                continue
            if _ONLY_ASKS.fullmatch(left):  # "when and where was it": when was it, and where
                asking = re.match(r"since when|\S+", right)
                left += right[asking.end() :] if asking else ""
            return [left.strip(), *_joined(right)]
    return [sentence.strip()]
