"""A comparison: each of the things asked for by itself, then what is said of several and of one.

Nobody is asked which is better. Two quotes say one thing when they share telling words that no
question has; what is left is said of one side alone, among what is quoted. Where every side has
one number of a kind ("12 dead", "40 dead") these stand beside each other.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from msgspec.structs import replace

from fairwitness.answers import figures, summary, voice
from fairwitness.answers.answer import (
    Answer,
    Citation,
    Compared,
    Figure,
    QuestionError,
    Sentence,
    text_of,
)
from fairwitness.answers.court import Court
from fairwitness.answers.requests import level
from fairwitness.answers.understand import Asked

# Per language: how a comparison is asked for, with what stands between the two things.
_FORMS = (
    r"compare (?P<a>.+?) (?:and|with|to|against) (?P<b>.+)",
    r"(?:what(?:'s| is| are) )?(?:the )?differences? between (?P<a>.+?) and (?P<b>.+)",
    r"how do(?:es)? (?P<a>.+?) and (?P<b>.+?) (?:compare|differ)",
    r"how do(?:es)? (?P<a>.+?) (?:compare (?:to|with)|differ from) (?P<b>.+)",
    r"(?P<a>.+?) (?:vs\.?|versus) (?P<b>.+)",
    r"compar[ae] (?P<a>.+?) (?:y|con|e|com) (?P<b>.+)",
    r"(?:cual es )?(?:la )?diferencias? entre (?P<a>.+?) y (?P<b>.+)",
    r"(?:confronta|paragona) (?P<a>.+?) (?:e|con) (?P<b>.+)",
    r"(?:qual e )?(?:la )?differenz[ae] (?:tra|fra) (?P<a>.+?) e (?P<b>.+)",
    r"(?:qual e )?(?:a )?diferencas? entre (?P<a>.+?) e (?P<b>.+)",
    r"compare[rz]? (?P<a>.+?) (?:et|avec|a) (?P<b>.+)",
    r"(?:quelle est )?(?:la )?differences? entre (?P<a>.+?) et (?P<b>.+)",
    r"vergleiche? (?P<a>.+?) (?:und|mit) (?P<b>.+)",
    r"(?:was ist )?(?:der )?unterschiede? zwischen (?P<a>.+?) und (?P<b>.+)",
    r"сравни(?:те)? (?P<a>.+?) (?:и|с) (?P<b>.+)",
    r"比较(?:一下)?(?P<a>.+?)[和与跟](?P<b>.+)",
    r"(?P<a>.+?)[和与跟](?P<b>.+?)有?(?:什么|何)?(?:区别|不同)",
)
_ASKED = tuple(re.compile(rf"\W*{form}") for form in _FORMS)

# What parts three things and more, where the last stands behind a word for "and" or "versus".
_MORE = re.compile(
    r",\s*(?:and|y|e|et|und|и)\s+|\s+(?:and|vs\.?|versus|y|e|et|und|и)\s+|[,，、]\s*|[和与跟]",
    re.IGNORECASE,
)

# "Compare what @nasa and @esa say about the launch."
_WHO_SAY = re.compile(r"what (?P<a>@?[\w.-]+)$", re.IGNORECASE)
_SAY = re.compile(r"(?P<b>@?[\w.-]+) (?:say|said|says|think|write)\b(?P<rest>.*)$", re.IGNORECASE)


MOST_CHARS = 240
"""What asks to compare two things is shorter; patterns take long over what is not."""


MOST_SIDES = 8
"""Each costs a search."""


def compared_in(message: str) -> tuple[str, ...] | None:
    """Return the things that `message` asks to compare, each as what it is asked about.

    Raises QuestionError for more than `MOST_SIDES`.
    """
    if len(message) > MOST_CHARS:
        return None
    message = message.rstrip(" ?？.!。！")
    folded = level(message)
    for form in _ASKED:
        if found := form.fullmatch(folded):
            one, other = (message[slice(*found.span(side))].strip() for side in "ab")
            joint = message[found.end("a") : found.start("b")]
            first, *others = _things(one, joint, other)
            if len(others) >= MOST_SIDES:
                raise QuestionError(
                    f"{len(others) + 1} things to compare; the most is {MOST_SIDES}"
                )
            return _of_speakers(first, others) or (first, *(_whole(first, o) for o in others))
    return None


def _things(one: str, joint: str, other: str) -> list[str]:
    """Return what stands on the two sides of `joint`, parted further where that is a list.

    "Oldtown, Utah with Portville" is none: only behind "and" or "versus" a comma parts things.
    """
    if not _MORE.fullmatch(joint):
        return [one, other]
    parts = [part.strip(" ,") for side in (one, other) for part in _MORE.split(side.strip(" ,"))]
    return parts if all(parts) else [one, other]


def _of_speakers(first: str, others: Sequence[str]) -> tuple[str, ...] | None:
    asks, says = _WHO_SAY.search(first), _SAY.match(others[-1])
    if asks is None or says is None:
        return None
    names = (asks["a"], *others[:-1], says["b"])
    return tuple(f"what did {name} say{says['rest']}" for name in names)


def _whole(one: str, other: str) -> str:
    """Return `other` with what it leaves out: "the fight in Madrid" and "Paris"."""
    before, said = one.split(), other.split()
    ends = before[-len(said) :]
    named = all(word[0].isupper() for word in (*said, *ends))
    kept = before[: -len(said)]
    if kept and named and not kept[-1].endswith(","):
        return " ".join([*kept, *said])
    return other


def beside(answer: Answer, courts: Sequence[Court]) -> Answer:
    """Return `answer` to the questions of `courts` with the numbers that stand beside each other,
    and with a last sentence that counts what is said of several and of one alone."""
    asked = [court.asked for court in courts]
    found = compared(asked, answer.sentences)
    last = _counted(found, answer, courts[0])
    sentences = (*answer.sentences, *_set_off(found, answer), last)
    silent = "".join(f"\n\n{p.question}\n{p.answer}" for p in answer.parts if p.abstained)
    text = text_of(sentences) + silent
    return replace(answer, sentences=sentences, answer=text, compared=found)


def _counted(found: Compared, answer: Answer, court: Court) -> Sentence:
    cited = dict.fromkeys(c for s in answer.sentences if s.kind == "quote" for c in s.citations)
    alone = list(map(len, found.only))
    facts: dict[str, object] = {"both": _points(found.both)}
    if len(alone) == 2:
        which, facts = "compared", {**facts, "one": alone[0], "other": alone[1]}
    else:
        which = "several"
        facts["each"] = ", ".join(map("{} {}".format, found.sides, alone))
    text = voice.say(which, court.asked, "regular", court.lang, **facts)
    return Sentence(text, "count", tuple(cited), 1.0, of=answer.question)


def _set_off(found: Compared, answer: Answer) -> list[Sentence]:
    """Return the numbers of each kind, a side each, in a sentence that cites their quotes."""
    sentences = []
    for figure in found.figures:
        each = ", ".join(map("{} {}".format, found.sides, figure.values))
        cited: dict[Citation, None] = {}
        for place in figure.quotes:
            cited |= dict.fromkeys(answer.sentences[place].citations)
        text = f"{figure.of}: {each}."
        sentences.append(Sentence(text, "count", tuple(cited), 1.0, of=answer.question))
    return sentences


def _points(pairs: Sequence[tuple[int, int]]) -> int:
    """Return how many things these pairs of quotes say; what a chain of pairs joins is one."""
    groups: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched]
        groups.append(set(pair).union(*touched))
    return len(groups)


def compared(asked: Sequence[Asked], sentences: Sequence[Sentence]) -> Compared:
    """Return which quotes of the questions say one thing, which stand alone, and their numbers."""
    known = summary.telling_of(*asked)
    sides = [
        {
            at: summary.tells(each.text, known)
            for at, each in enumerate(sentences)
            if each.kind == "quote" and each.of == side.text
        }
        for side in asked
    ]
    both = tuple(
        (a, b)
        for first, second in combinations(sides, 2)
        for a, one in first.items()
        for b, other in second.items()
        if one & other and summary.one_point(one, other)
    )
    shared = {at for pair in both for at in pair}
    only = tuple(tuple(at for at in side if at not in shared) for side in sides)
    numbers = _figures([{at: sentences[at].text for at in side} for side in sides])
    return Compared(tuple(side.text for side in asked), both, only, numbers)


def _figures(sides: Sequence[Mapping[int, str]]) -> tuple[Figure, ...]:
    """Return the kinds of which each side, its quotes by their places, gives one number."""
    given: list[dict[str, list[tuple[str, float, int]]]] = []
    for side in sides:
        of_kind: dict[str, list[tuple[str, float, int]]] = defaultdict(list)
        for place, text in side.items():
            for kind, shown, value in figures.counted_in(text):
                of_kind[kind].append((shown, value, place))
        given.append(of_kind)
    found = []
    for kind in given[0]:
        told = [side.get(kind, []) for side in given]
        if all(len({value for _, value, _ in each}) == 1 for each in told):
            values = tuple(f"{each[0][1]:,.10g}" for each in told)
            found.append(Figure(told[0][0][0], values, tuple(each[0][2] for each in told)))
    return tuple(found)
