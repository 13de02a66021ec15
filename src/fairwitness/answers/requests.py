"""Words that ask for a summary or for a length; what is left is what it is asked of."""

import re

from fairwitness.answers import words
from fairwitness.answers.length import Length

_POLITE = r"(?:please|can you|could you|bitte|por favor|per favore|s'il vous plait|пожалуйста|请)"
_PLEASE = rf"{_POLITE}\W*"
_ASKED = (
    r"(?:summari[sz]e|sum up|recap)\b",
    r"(?:(?:give|write|make)(?: me)? )?(?:a |the )?(?:short |brief |quick )?"
    r"(?:summary|recap|overview) (?:of|on|about)\b",
    r"resume(?:me)?(?= (?:el|la|los|las|lo|que|le|les)\b)|resume[rz]\b",
    r"(?:(?:haz(?:me)?|dame) un )?resumen (?:de|del|sobre)\b",
    r"riassumi(?:mi)?\b|(?:fammi un )?riassunto (?:di|del|della|dei|su)\b",
    r"resuma\b|(?:faca um )?resumo (?:de|do|da|dos|das|sobre)\b",
    r"(?:fa(?:is|ites) un )?resume (?:de|du|des)\b",
    r"zusammenfassung (?:von|der|des|zu)\b|fasse?\b(?=.*\bzusammen\b)",
    r"(?:обобщи|резюмируй|подведи итог\w*|краткое содержание)\b",
    r"总结(?:一下)?|概括(?:一下)?|概述",
)
_BEFORE = re.compile(rf"^\W*(?:{_PLEASE})*(?:{'|'.join(_ASKED)})")
_BEHIND = re.compile(r"(?:\bzusammen|を?(?:まとめて|要約して).*|的(?:总结|概要|摘要))\W*$")


def matter_of(question: str) -> str:
    """Return what a summary is asked of, empty when none is asked for.

    It begins with an article, for a name is known by its capital only behind another word.
    """
    folded = level(question)
    found, behind = _BEFORE.search(folded), _BEHIND.search(folded)
    if not found and not behind:
        return ""
    rest = question[found.end() if found else 0 : behind.start() if behind else None]
    return f"the {rest.strip()}" if any(char.isalnum() for char in rest) else ""


# Per language: English, Spanish, Italian, Portuguese, French, German, Russian, Chinese, Japanese.
_SHORT = (
    r"in (?:just |only )?(?:one|a|a single|1) (?:short )?(?:sentence|line)|in (?:a )?few words"
    r"|(?:very )?briefly|in brief|keep it short"
    r"|en una (?:sola )?(?:frase|oracion|linea)|en pocas palabras|brevemente"
    r"|in una (?:sola )?(?:frase|riga)|in poche parole|in breve"
    r"|(?:em uma|numa) (?:so |unica )?(?:frase|linha)|em poucas palavras|resumidamente"
    r"|en une (?:seule )?(?:phrase|ligne)|en quelques mots|brievement|en bref"
    r"|in einem (?:einzigen )?satz|in wenigen worten|kurz gesagt|kurz gefasst|in kurze"
    r"|в одном предложении|одним предложением|в двух словах|кратко|коротко|вкратце"
    r"|(?:请?用)?一句话(?:回答|说明|概括)?|请?(?:简短|简要)地?(?:回答|说明)?"
    r"|[一1]文[でて]|一言[でて]|短く|簡潔に|手短に"
)
_LONG = (
    r"in (?:more |full |great )?detail|at length|thoroughly"
    r"|en detalle|con (?:mas |todo )?detalle|detalladamente"
    r"|(?:in|nel) dettaglio|dettagliatamente|em detalhes?|com (?:mais )?detalhes?|detalhadamente"
    r"|en detail|de facon detaillee|ausfuhrlich|im detail|detailliert"
    r"|подробно|подробнее|детально|请?详细地?(?:回答|说明|介绍)?|詳しく|詳細に"
)
_PLEASED = rf"(?:\s*,?\s*{_POLITE})?"


def _asking(words_of_length: str) -> re.Pattern[str]:
    """Return a pattern of these words at the begin of a folded message, or at its end."""
    return re.compile(
        rf"^(?P<first>\W*(?:{_PLEASE})?(?:{words_of_length})(?:[,:，：、]|(?<=\w)\s))"
        rf"|(?P<last>(?:[,，、\s]+|(?<=[?!.]|[^\x00-\u2fff]))(?:{words_of_length}){_PLEASED})"
        r"[\s.!?。！？]*$"
    )


_IN_LENGTH: tuple[tuple[Length, re.Pattern[str]], ...] = (
    ("short", _asking(_SHORT)),
    ("long", _asking(_LONG)),
)


def length_in(message: str) -> tuple[Length, str]:
    """Return the length that `message` asks for at its begin or end, and the rest of it.

    What asks for nothing else is left as it is.
    """
    folded = level(message)
    for length, pattern in _IN_LENGTH:
        if found := pattern.search(folded):
            start, end = found.span("first" if found["first"] else "last")
            rest = f"{message[:start]}{message[end:]}".strip()
            if any(char.isalnum() for char in rest):
                return length, rest
    return "normal", message


def level(text: str) -> str:
    """Return `text` folded, each character at its place."""
    return "".join((words.fold(char) or char)[:1] for char in text)
