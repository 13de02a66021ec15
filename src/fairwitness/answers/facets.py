"""What else there is to ask about a matter: the plan of a report.

Nothing is planned that nobody speaks of. The posts about the question are read once; the counts
that they give, and the names that several of them bring up, become questions of their own, beside
when, where, what happened and whether it is so. Each is the question again with another aim, and so
keeps its words and its stretch of time.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fairwitness.answers import figures, names, quote, weigh, witness, words
from fairwitness.answers.answer import QuestionError
from fairwitness.answers.explained import Asks
from fairwitness.answers.retrieve import retrieve
from fairwitness.answers.understand import Asked, Term, understand
from fairwitness.answers.weigh import Weighed
from fairwitness.answers.witness import Origin
from fairwitness.index import LiveIndex

NAMES = 3
"""Names that are asked about, those that most witnesses bring up first."""

_SPEAKERS = 2
"""Independent witnesses that a name needs."""

# {about} are the question's own words, {what} the word of a count, or a name.
_FORMS: Mapping[str, tuple[str, str, str, str, str, str]] = {
    "en": (
        "What happened: {about}?", "When: {about}?", "Where: {about}?", "Is it true: {about}?",
        "How many {what}: {about}?", "What about {what}: {about}?",
    ),
    "es": (
        "¿Qué pasó: {about}?", "¿Cuándo: {about}?", "¿Dónde: {about}?", "¿Es verdad: {about}?",
        "¿Cuántos {what}: {about}?", "¿Qué hay de {what}: {about}?",
    ),
    "it": (
        "Cosa è successo: {about}?", "Quando: {about}?", "Dove: {about}?", "È vero: {about}?",
        "Quanti {what}: {about}?", "E {what}: {about}?",
    ),
    "pt": (
        "O que aconteceu: {about}?", "Quando: {about}?", "Onde: {about}?", "É verdade: {about}?",
        "Quantos {what}: {about}?", "E {what}: {about}?",
    ),
    "fr": (
        "Que se passe-t-il : {about} ?", "Quand : {about} ?", "Où : {about} ?",
        "Est-ce vrai : {about} ?", "Combien de {what} : {about} ?", "Et {what} : {about} ?",
    ),
    "de": (
        "Was ist passiert: {about}?", "Wann: {about}?", "Wo: {about}?", "Ist es wahr: {about}?",
        "Wie viele {what}: {about}?", "Was ist mit {what}: {about}?",
    ),
    "zh": (
        "发生了什么：{about}？", "什么时候：{about}？", "在哪里：{about}？", "是真的吗：{about}？",
        "多少人{what}：{about}？", "{what}怎么样：{about}？",
    ),
}  # fmt: skip

_COUNTED: Mapping[str, tuple[str, str, str, str]] = {
    "en": ("dead", "injured", "missing", "evacuated"),
    "es": ("muertos", "heridos", "desaparecidos", "evacuados"),
    "it": ("morti", "feriti", "dispersi", "evacuati"),
    "pt": ("mortos", "feridos", "desaparecidos", "evacuados"),
    "fr": ("morts", "blessés", "disparus", "évacués"),
    "de": ("Tote", "Verletzte", "Vermisste", "evakuiert"),
    "zh": ("死亡", "受伤", "失踪", "疏散"),
}


def facets(index: LiveIndex, asked: Asked, as_of_ms: int) -> list[Asked]:
    """Return what else to ask about the matter of `asked`, the most telling first."""
    lang = asked.lang if asked.lang in _FORMS else "en"
    what, when, where, whether, how_many, about_whom = _FORMS[lang]
    heard, origins = _hear(index, asked, as_of_ms)
    found: list[Asked] = []
    if asked.asks not in ("what", "happening"):
        found.append(_aimed(asked, "happening", what))
    for word, term in _counts(asked, heard, lang, as_of_ms):
        found.append(_aimed(asked, "how_many", how_many, word, term))
    if asked.terms and asked.asks != "whether":
        found.append(_aimed(asked, "whether", whether))
    for name in _names(asked, heard, origins):
        found += _about(asked, name, about_whom, as_of_ms)
    if asked.asks != "when":
        found.append(_aimed(asked, "when", when))
    if asked.asks != "where":
        found.append(_aimed(asked, "where", where))
    return found if heard else []


def _hear(index: LiveIndex, asked: Asked, as_of_ms: int) -> tuple[list[Weighed], list[Origin]]:
    retrieved = retrieve(index, asked, as_of_ms)
    spans = [span for hit in retrieved.hits for span in quote.spans_of(hit.post)]
    heard = weigh.weigh(asked, spans, retrieved.weights)
    return heard, witness.origins([each.span for each in heard])


def _aimed(asked: Asked, asks: Asks, form: str, what: str = "", term: Term | None = None) -> Asked:
    """Return the question with another aim, and with `term` before its own."""
    about = " ".join(each.shown for each in asked.terms)
    text = form.format(about=about or what, what=what)
    return replace(asked, text=text, asks=asks, terms=((term,) if term else ()) + asked.terms)


def _counts(
    asked: Asked, heard: Sequence[Weighed], lang: str, as_of_ms: int
) -> Iterator[tuple[str, Term]]:
    """Yield what is counted in `heard`: the word for it, and the term."""
    known = {term.sense for term in asked.terms}
    for word in _COUNTED[lang]:
        (term,) = understand(word, as_of_ms, lang).terms
        if term.sense in known:
            continue
        if any(
            term.stems & words.stems(each.span.text) and figures.numbers_in(each.span.text)
            for each in heard
        ):
            yield word, term


def _names(asked: Asked, heard: Sequence[Weighed], origins: Sequence[Origin]) -> list[str]:
    """Return names that the question does not have and several witnesses do."""
    shown: dict[str, str] = {}
    speakers: dict[str, set[int]] = defaultdict(set)
    for each, origin in zip(heard, origins, strict=True):
        for match in names.names_in(each.span.text, asked):
            if match.start() == 0 and " " not in match.group():
                continue  # every sentence begins with a capital
            name = match.group().lstrip("#@")
            shown.setdefault(words.squeezed(name), name)
            speakers[words.squeezed(name)].add(origin.witness)
    often = [name for name, who in speakers.items() if len(who) >= _SPEAKERS]
    often.sort(key=lambda name: (-len(speakers[name]), name))
    return [shown[name] for name in often[:NAMES]]


def _about(asked: Asked, name: str, form: str, as_of_ms: int) -> list[Asked]:
    try:
        terms = understand(f"“{name}”", as_of_ms, asked.lang).terms
    except QuestionError:
        return []
    if not terms:
        return []
    aimed = _aimed(asked, "what", form, name)
    return [replace(aimed, terms=asked.terms + terms)]
