"""What would settle a dispute: which kind of source is missing on both sides, or on one of them.

Rules on what the sides are made of; nobody is said to be right. What is not known is not guessed:
most networks do not say how old an account is, so an account counts as a source of its own unless
it is a news feed, brings a link, or names whom it has it from.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairwitness.answers import words
from fairwitness.answers.grammar import ATTRIBUTED
from fairwitness.answers.quote import Span
from fairwitness.answers.understand import Asked
from fairwitness.answers.witness import FEEDS

MOST = 3
"""Things that are named, the most telling first."""

_SAYS_CHARS = 40


@dataclass(frozen=True)
class Camp:
    """One side, as far as the rules look at it."""

    label: str
    """What it says, in short."""
    spans: Sequence[Span]
    witnesses: int


# count: numbers differ. result: an outcome differs. record: the named one says no. own: whom it is
# about has said nothing. there: nobody was there. outlet: a side of single accounts. second: a side
# of one. outsider: nothing else is missing.
_SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "count": "a figure from whoever counts it, with the hour that it holds for",
        "result": "the result as whoever decides or records it gives it",
        "record": "a document or a record: {names} speaks for themselves here",
        "own": "the own words of {names}",
        "there": "somebody who was there, with a picture whose place and time can be checked",
        "outlet": "a document or a named outlet for “{says}”: so far single accounts say it",
        "second": "a second independent witness for “{says}”",
        "outsider": "a document, or a witness who has no part in it",
        "for": "It is so",
        "against": "It is not so",
        "yes": "yes",
        "no": "no",
    },
    "es": {
        "count": "una cifra de quien lo cuenta, con la hora para la que vale",
        "result": "el resultado según quien lo decide o lo registra",
        "record": "un documento o un registro: aquí {names} habla por sí mismo",
        "own": "las propias palabras de {names}",
        "there": "alguien que estuvo allí, con una imagen cuyo lugar y hora se puedan comprobar",
        "outlet": "un documento o un medio conocido para «{says}»: solo lo dicen cuentas sueltas",
        "second": "un segundo testigo independiente de «{says}»",
        "outsider": "un documento, o un testigo que no sea parte",
        "for": "Es así",
        "against": "No es así",
        "yes": "sí",
        "no": "no",
    },
    "it": {
        "count": "una cifra di chi li conta, con l'ora per cui vale",
        "result": "il risultato secondo chi lo decide o lo registra",
        "record": "un documento o un registro: qui {names} parla per sé",
        "own": "le parole stesse di {names}",
        "there": "qualcuno che era lì, con un'immagine di cui si possano verificare luogo e ora",
        "outlet": "un documento o una testata nota per «{says}»: lo dicono solo singoli account",
        "second": "un secondo testimone indipendente di «{says}»",
        "outsider": "un documento, o un testimone che non sia parte in causa",
        "for": "È così",
        "against": "Non è così",
        "yes": "sì",
        "no": "no",
    },
    "pt": {
        "count": "um número de quem faz a contagem, com a hora a que se refere",
        "result": "o resultado segundo quem o decide ou regista",
        "record": "um documento ou um registo: aqui {names} fala por si",
        "own": "as próprias palavras de {names}",
        "there": "alguém que lá esteve, com uma imagem cujo lugar e hora se possam verificar",
        "outlet": "um documento ou um meio conhecido para «{says}»: só o dizem contas isoladas",
        "second": "uma segunda testemunha independente de «{says}»",
        "outsider": "um documento, ou uma testemunha que não seja parte",
        "for": "É assim",
        "against": "Não é assim",
        "yes": "sim",
        "no": "não",
    },
    "fr": {
        "count": "un chiffre de qui fait le compte, avec l'heure pour laquelle il vaut",
        "result": "le résultat selon qui le décide ou l'enregistre",
        "record": "un document ou un registre : ici {names} parle pour soi",
        "own": "les propres mots de {names}",
        "there": "quelqu'un qui y était, avec une image dont le lieu et l'heure se vérifient",
        "outlet": "un document ou un média connu pour « {says} » : seuls des comptes le disent",
        "second": "un second témoin indépendant de « {says} »",
        "outsider": "un document, ou un témoin qui n'est pas partie prenante",
        "for": "C'est vrai",
        "against": "Ce n'est pas vrai",
        "yes": "oui",
        "no": "non",
    },
    "de": {
        "count": "eine Zahl von denen, die zählen, mit der Uhrzeit, für die sie gilt",
        "result": "das Ergebnis von denen, die darüber entscheiden oder es festhalten",
        "record": "ein Dokument oder ein Register: {names} spricht hier für sich selbst",
        "own": "die eigenen Worte von {names}",
        "there": "jemand, der dabei war, mit einem Bild, dessen Ort und Zeit sich prüfen lassen",
        "outlet": "ein Dokument oder ein Medium mit Namen für „{says}“: nur Konten sagen es",
        "second": "ein zweiter unabhängiger Zeuge für „{says}“",
        "outsider": "ein Dokument, oder ein Zeuge, der nicht beteiligt ist",
        "for": "Es stimmt",
        "against": "Es stimmt nicht",
        "yes": "ja",
        "no": "nein",
    },
    "zh": {
        "count": "负责统计者给出的数字，并注明其时间",
        "result": "裁定或记录者公布的结果",
        "record": "文件或记录：{names}在此为自己说话",
        "own": "{names}本人的说法",
        "there": "在场的人，并附上地点和时间可核实的图片",
        "outlet": "支持“{says}”的文件或具名媒体：目前只有个别账号这样说",
        "second": "支持“{says}”的第二个独立见证者",
        "outsider": "文件，或与此无关的见证者",
        "for": "确有其事",
        "against": "并非如此",
        "yes": "是",
        "no": "否",
    },
}  # fmt: skip

LANGUAGES = tuple(_SAID)

_WAS_THERE = re.compile(
    r"\b(?:i|we) (?:just |can |could )?(?:see|saw|hear|heard|felt|feel|(?:am|are|was|were) at)\b"
    r"|\b(?:i'?m|we'?re) (?:at|here|in front|outside|inside)\b|\b(?:outside|in front of) my\b"
    r"|\b(?:vi|vimos|oi|oimos|senti|sentimos|estoy en|estamos en|estou em|estamos em|ouvi|ouvimos"
    r"|ho visto|abbiamo visto|ho sentito|sono qui|siamo qui|j'ai vu|j'ai entendu|je suis a"
    r"|nous sommes a|ich habe .{0,40}(?:gesehen|gehort)|ich bin (?:am|im|vor|hier)"
    r"|я (?:видел|слышал)\w*)\b"
    r"|我(?:刚)?(?:看到|看见|听到|听见|在)|亲眼|見ました|見た"
)
"""Patterns on the folded text of a post whose author says that he was there."""

_CONFIRMS = re.compile(r"\b(?:confirm|conferma|bestatig|подтвер)\w*|证实|确认|確認")
"""Patterns on the folded text by which somebody is named who vouches for it."""


def settling(asked: Asked, camps: Sequence[Camp], lang: str, *, denied: bool = False) -> list[str]:
    """Return what would settle it, in `lang` or else in English, the most telling first.

    Where it is `denied` the last camp is of those who deny it.
    """
    said = _SAID[_spoken(lang)]
    names = ", ".join(_names(asked, camps))
    missing = dict.fromkeys(_missing(asked, camps, denied))
    return [
        said[key].format(names=names, says=label[:_SAYS_CHARS])
        for key, label in list(missing)[:MOST]
    ] or [said["outsider"]]


def label(says: str, lang: str, *, against: bool = False) -> str:
    """Return what a side says as it is named to readers."""
    said = _SAID[_spoken(lang)]
    if not says:
        return said["against" if against else "for"]
    return said.get(says, says) if says in ("yes", "no") else says


def _missing(asked: Asked, camps: Sequence[Camp], denied: bool) -> Iterator[tuple[str, str]]:
    """Yield the kind of source that is missing, with the side that it is missing on."""
    if asked.asks == "how_many":
        yield "count", ""
    elif asked.outcome:
        yield "result", ""
    if names := _names(asked, camps):
        denying = camps[-1].spans if denied else ()
        if any(_is_by(span, name) for span in denying for name in names):
            yield "record", ""
        elif not any(_is_by(span, name) for each in camps for span in each.spans for name in names):
            yield "own", ""
    if asked.asks != "how_many" and not any(_was_there(camp) for camp in camps):
        yield "there", ""
    for camp in camps:
        if not any(map(_has_source, camp.spans)):
            yield "outlet", camp.label
    for camp in camps:
        if camp.witnesses == 1:
            yield "second", camp.label


def _names(asked: Asked, camps: Sequence[Camp]) -> list[str]:
    """Return whom it is about: accounts that the question names, else those that sides name."""
    handles = [t.shown for t in asked.terms if t.name and f"@{t.shown}" in asked.text]
    if handles:
        return handles
    return [camp.label for camp in camps] if asked.asks == "who" else []


def _is_by(span: Span, name: str) -> bool:
    return words.squeezed(name) in words.squeezed(span.post.author)


def _was_there(camp: Camp) -> bool:
    return any(_WAS_THERE.search(words.fold(span.post.text)) for span in camp.spans)


def _has_source(span: Span) -> bool:
    post = span.post
    said = words.fold(post.text)
    named = ATTRIBUTED.search(said) or _CONFIRMS.search(said)
    return post.network in FEEDS or bool(post.links) or named is not None


def _spoken(lang: str) -> str:
    return lang if lang in _SAID else "en"
