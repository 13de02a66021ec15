"""How many: the number that a span gives for what is counted.

It stands near the word that is counted, in digits or spelt out, and is not the hour, the year or
the age that stands near it too.
"""

import re

from fairwitness.answers import words
from fairwitness.answers.grammar import GLUE, NOT_A_NUMBER_IN, NUMBER_WORDS
from fairwitness.answers.senses import SENSE_OF
from fairwitness.answers.understand import Asked
from fairwitness.answers.weigh import Weighed

_REACH_WORDS = 7  # between a number and what it counts
_REACH_CHARS = 60
_PEOPLE = frozenset({"dead", "hurt", "missing", "evacuate"})
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OTHER_UNIT = re.compile(
    r"\s*(?:%|per ?cent\b|por ciento|por cento|per cento"
    r"|процент\w*|:\d|[ap]\.?m\b|(?:year|a[nñ]os?|ann[io]|ans|jahre|hour|hora|ore|heure|stund"
    r"|min(?:ut)?|days?|d[ií]as?|giorn[io]|jours?|tage?|km|miles?|mi|m[eê]s(?:es|i|e)?|mois|months?"
    r"|weeks?|semanas?|settiman[ae]|semaines?)(?![^\W_])|years|hours|horas|heures|monat|woche|недел|месяц"
    r"|minut[eoi]s?|年|月|日|小时|天|分钟|公里|周|[€$£])",
    re.IGNORECASE,
)
"""What stands after a number that counts something else: hours, years, a share."""
_MAGNITUDE = r"(?:magnitud[eo]?|richter|магнитуд\w*|震级|マグニチュード|m[lwb]?)"
_MEASURED = re.compile(
    rf"(?<![^\W\d_]){_MAGNITUDE}(?:\s+(?:of|de|di|von))?[\s:=-]*$", re.IGNORECASE
)
"""What stands before a number that says how strong an earthquake was."""
_OF_MAGNITUDE = re.compile(r"magnitud|richter|магнитуд|震级|マグニチュード")
_OF_SPEED = re.compile(
    r"how fast|(?<!alta )velocid|(?<!alta )velocita|скорост(?:ь|и|ью)\b|多快|[时時风風]速|速度|速さ"
)
_SPEED = re.compile(
    r"\s*(?:km ?/? ?h|kph|mph|k?m/s|knots|nudos|nodi|nos\b"
    r"|(?:km|kilomet\w+|miles|公里|キロ|км|миль)?\W*"
    r"(?:per|an|por|all|a la|al|на|в|en)\W+(?:hour|hora|ora|час)"
    r"|[公千]里|キロ|км|メートル|m(?![^\W_])|米)",
    re.IGNORECASE,
)
"""What stands after a number that says how fast."""
_CUT = re.compile(r"(?:\.{2,}|…)\s*$")
"""What stands behind a number at the end of a post that was cut off, perhaps within the number."""
_OF_ANY_UNIT = re.compile(
    r"\b(?:how (?:long|old|far|fast|high|deep|wide|strong|much|big|large)|percent\w*|per cent"
    r"|rate|share|cuanto|quanto|edad|idade|eta|velocidad\w*|velocita|hours?|days?|years?"
    r"|horas?|dias?|anos?|ore|giorni|anni|высот\w+|возраст\w*|лет|дн(?:еи|я)|час\w*|долго|времени|процент\w*)\b"
    r"|多久|多远|多高|多大|多深|岁|年|天|小时|百分|ど(?:の|れ)くらい|どれほど|いくら|[歳年日時]間?|深さ|速"
)
"""What a question asks for where such a number may be the answer; folded."""


_WITH_UNIT = re.compile(rf"\d+{_OTHER_UNIT.pattern}", re.IGNORECASE)


def figure(asked: Asked, each: Weighed) -> str | None:
    """Return the number that stands nearest to what is counted, as plain digits, or None."""
    text = each.span.text
    stems = [t.stems for t in asked.terms if t.sense is not None and t.sense.name in _PEOPLE]
    of_people = bool(stems)
    anchor = _people(text, frozenset().union(*stems), each.anchor) if stems else each.anchor
    if anchor < 0:
        return None
    counted = sorted(_numbers(text, each.span.post.lang, asked), key=lambda n: abs(n[0] - anchor))
    for at, value in counted:
        if of_people and value % 1 != 0:
            continue  # the magnitude beside the dead
        between = text[min(at, anchor) : max(at, anchor)]
        if len(words.spaced(between)) <= _REACH_WORDS and len(between) < _REACH_CHARS:
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    return None


def of_people(asked: Asked) -> bool:
    """Whether people are counted."""
    return any(t.sense is not None and t.sense.name in _PEOPLE for t in asked.terms)


def _people(text: str, stems: frozenset[str], anchor: int) -> int:
    """Return where the people are that are counted: at `anchor`, if it is they; else -1 if nowhere.

    "At least 245 dead in a nightclub fire" does not say how many are injured.
    """
    if anchor < 0:
        return -1
    places = [m.start() for m in words.spaced(text) if words.stem(m.group()) in stems]
    places += [text.index(stem) for stem in stems if words.is_unspaced(stem) and stem in text]
    return anchor if anchor in places else min(places, default=-1)


def numbers_in(text: str) -> frozenset[float]:
    """Return the numbers from two on that `text` gives, in digits or spelt out."""
    written = (_value(match.group()) for match in _NUMBER.finditer(text))
    spelt = (NUMBER_WORDS.get(words.fold(match.group()), 0.0) for match in words.spaced(text))
    return frozenset(value for value in (*written, *spelt) if value > 1)


_COUNTED = re.compile(
    r"(?<![\w#@/.,:])(?P<number>\d+(?:[.,]\d+)*)(?![.,:]?\w*\d)"
    r"(?:\s?(?P<sign>%|[人名棟户戶座辆台枚])|(?P<words>(?:\s+[^\W\d_]+){1,3})|)"
)
"""A number with the sign or the words of what it counts."""


def counted_in(text: str) -> list[tuple[str, str, float]]:
    """Return the numbers in `text`: of what kind, by what word it is told, and how many."""
    found = []
    for match in _COUNTED.finditer(text):
        after = match.end("number")
        if _is_year(match["number"]) or _CUT.match(text, after):
            continue
        measured = _MEASURED.search(text[: match.start()])
        if measured:
            kind, shown = "magnitude", re.split(r"[\s:=-]", measured.group())[0]
        else:
            kind, shown = _kind(match["sign"] or match["words"] or "")
        if kind:
            found.append((kind, shown, _value(match["number"]) * _scale(text[after:])))
    return found


def _kind(told: str) -> tuple[str, str]:
    """Return what a number counts and the word that says so, of the words that follow it.

    Words of one sense are one kind, and such a word says more than the first: "12 people dead".
    """
    said = [word for word in told.split() if words.fold(word) not in GLUE | _NO_KIND]
    stems = [word if words.is_unspaced(word) else words.stem(words.fold(word)) for word in said]
    known = [
        (SENSE_OF[stem], word) for stem, word in zip(stems, said, strict=True) if stem in SENSE_OF
    ]
    return next(iter([*known, *zip(stems, said, strict=True)]), ("", ""))


_NO_KIND = frozenset(
    "utc gmt cet pst uhr thousand million millions mil mila milioni mille millones".split()
)
"""Words behind a number that say nothing of what it counts."""


def _numbers(text: str, lang: str, asked: Asked) -> list[tuple[int, float]]:
    found = []
    # "How much rain fell in 24 hours": hours are not what is asked for.
    asked_for = _WITH_UNIT.sub(" ", words.fold(asked.text))
    of_any_unit = _OF_ANY_UNIT.search(asked_for) is not None
    of_magnitude = of_any_unit or _OF_MAGNITUDE.search(asked_for) is not None
    of_speed = _OF_SPEED.search(asked_for) is not None
    of_question = set(_NUMBER.findall(asked.text))
    for match in _NUMBER.finditer(text):
        marked = text[match.start() - 1 : match.start()] in ("#", "@", "/")
        if marked or match.group() in of_question or _CUT.match(text, match.end()):
            continue
        if not of_magnitude and _MEASURED.search(text[: match.start()]):
            continue
        if of_speed and not _SPEED.match(text, match.end()):
            continue
        value = _value(match.group())
        other_unit = not of_any_unit and _OTHER_UNIT.match(text, match.end())
        if other_unit or _is_year(match.group()):
            continue
        found.append((match.start(), value * _scale(text[match.end() :])))
    for word in words.spaced(text):
        folded = words.fold(word.group())
        small = NUMBER_WORDS.get(folded, 0)
        other_unit = not of_any_unit and _OTHER_UNIT.match(text, word.end())
        if small > 1 and not other_unit and lang not in NOT_A_NUMBER_IN.get(folded, ()):
            found.append((word.start(), small))
    return found


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in ("19", "20")


def _value(digits: str) -> float:
    """Read 1,234 and 1.234 as thousands, 7.6 and 7,6 as a fraction."""
    grouped = re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits)
    plain = re.sub(r"[.,]", "", digits) if grouped else digits.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return float(re.sub(r"\D", "", digits))


def _scale(after: str) -> float:
    match = re.match(
        r"\s*(?:(thousand|mil(?:a|le)?\b|k\b|千)|(million\w*|millon\w*|milion\w*|milh\w*)|(万)|(亿))",
        after,
        re.IGNORECASE,
    )
    return (1e3, 1e6, 1e4, 1e8)[match.lastindex - 1] if match and match.lastindex else 1.0
