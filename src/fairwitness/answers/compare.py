"""A comparison: each of two things asked for by itself, then what is said of both and of one alone.

Nobody is asked which is better. Two quotes say one thing when they share telling words that no
question has; what is left is said of one side alone, among what is quoted.
"""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from fairwitness.answers import summary, voice
from fairwitness.answers.answer import Answer, Compared, Sentence, text_of
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

# "Compare what @nasa and @esa say about the launch."
_WHO_SAY = re.compile(r"what (?P<a>@?[\w.-]+)$", re.IGNORECASE)
_SAY = re.compile(r"(?P<b>@?[\w.-]+) (?:say|said|says|think|write)\b(?P<rest>.*)$", re.IGNORECASE)


MOST_CHARS = 240
"""What asks to compare two things is shorter; patterns take long over what is not."""


def compared_in(message: str) -> tuple[str, str] | None:
    """Return the two things that `message` asks to compare, each as what it is asked about."""
    if len(message) > MOST_CHARS:
        return None
    message = message.rstrip(" ?？.!。！")
    folded = level(message)
    for form in _ASKED:
        if found := form.fullmatch(folded):
            one, other = (message[slice(*found.span(side))].strip() for side in "ab")
            return _of_speakers(one, other) or (one, _whole(one, other))
    return None


def _of_speakers(one: str, other: str) -> tuple[str, str] | None:
    asks, says = _WHO_SAY.search(one), _SAY.match(other)
    if asks is None or says is None:
        return None
    rest = says["rest"]
    return f"what did {asks['a']} say{rest}", f"what did {says['b']} say{rest}"


def _whole(one: str, other: str) -> str:
    """Return `other` with what it leaves out: "the fight in Madrid" and "Paris"."""
    before, said = one.split(), other.split()
    ends = before[-len(said) :]
    named = all(word[0].isupper() for word in (*said, *ends))
    if len(said) < len(before) and named:
        return " ".join([*before[: -len(said)], *said])
    return other


def beside(answer: Answer, courts: Sequence[Court]) -> Answer:
    """Return `answer` to the questions of `courts` with what is said of both and of one alone, and
    with a last sentence that counts it."""
    asked = [court.asked for court in courts]
    found = compared(asked, answer.sentences)
    counts = dict(zip(("one", "other"), map(len, found.only), strict=True), both=len(found.both))
    cited = dict.fromkeys(c for s in answer.sentences if s.kind == "quote" for c in s.citations)
    text = voice.say("compared", asked[0], "regular", courts[0].lang, **counts)
    last = Sentence(text, "count", tuple(cited), 1.0, of=answer.question)
    sentences = (*answer.sentences, last)
    silent = "".join(f"\n\n{p.question}\n{p.answer}" for p in answer.parts if p.abstained)
    text = text_of(sentences) + silent
    return replace(answer, sentences=sentences, answer=text, compared=found)


def compared(asked: Sequence[Asked], sentences: Sequence[Sentence]) -> Compared:
    """Return which quotes of the two questions say one thing, and which stand alone."""
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
        for a, one in sides[0].items()
        for b, other in sides[1].items()
        if one & other and summary.one_point(one, other)
    )
    shared = {at for pair in both for at in pair}
    only = tuple(tuple(at for at in side if at not in shared) for side in sides)
    return Compared((asked[0].text, asked[1].text), both, only)
