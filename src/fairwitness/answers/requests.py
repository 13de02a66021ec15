"""Words that ask for a summary; what is left of the question is what it is asked of."""

import re

from fairwitness.answers import words

_PLEASE = (
    r"(?:please|can you|could you|bitte|por favor|per favore|s'il vous plait|пожалуйста|请)\W*"
)
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


def level(text: str) -> str:
    """Return `text` folded, each character at its place."""
    return "".join((words.fold(char) or char)[:1] for char in text)
