"""The pieces of a line in the search box: words, phrases, operators, brackets, OR and minus.

Pieces that are only punctuation are left out here, so that a dash between words means nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from fairwitness.index import operators
from fairwitness.index.errors import SyntaxProblem

MAX_CONDITIONS = 2_000

_LEXEME = re.compile(
    r"""\s*(?:
    (?P<bracket>[()])
    |(?P<minus>-+)
    |(?P<name>[A-Za-z_]+):(?!//)(?:"(?P<quoted>[^"]*)"|(?P<value>[^\s()"]*))
    |"(?P<phrase>[^"]*)"
    |(?P<word>[^\s()"]+)
    |(?P<quote>")
    )""",
    re.VERBOSE,
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
"""What turns the reading order or cannot be seen: copied along, never meant."""
# What keyboards write for the signs of the grammar, and halves of letters, which no post has.
_AS_MEANT = str.maketrans("“”„‟＂（）＃＠＄：－", '"""""()#@$:-') | dict.fromkeys(
    range(0xD800, 0xE000), "?"
)


class Lexeme(NamedTuple):
    """A piece, and the offset of its first character in what was typed."""

    kind: str
    """`word`, `phrase`, `operator`, `OR`, `(`, `)`, `-`, or `end`, which comes last."""
    at: int
    text: str = ""
    """A word, a phrase without quotes, the name of an operator."""
    value: str = ""
    """Of an operator."""
    value_at: int = 0


def lexemes(text: str) -> list[Lexeme]:
    """Return the pieces of `text`; raise SyntaxProblem at a quote alone or an unknown operator."""
    found: list[Lexeme] = []
    conditions = 0
    minus: Lexeme | None = None
    for lexeme in _read(text):
        if lexeme is not None and lexeme.kind == "-":
            minus = lexeme
            continue
        if lexeme is not None:
            conditions += lexeme.kind in ("word", "phrase", "operator")
            if conditions > MAX_CONDITIONS:
                message = f"more than {MAX_CONDITIONS:,} words and operators"
                raise SyntaxProblem(message, text, lexeme.at)
            found += [minus, lexeme] if minus else [lexeme]
        minus = None
    return [*found, Lexeme("end", len(text))]


def _read(text: str) -> Iterator[Lexeme | None]:
    """Read piece by piece; None stands for punctuation, which takes a minus before it along."""
    places = [at for at, char in enumerate(text) if not _UNSEEN.match(char)]
    typed = "".join(text[at] for at in places).translate(_AS_MEANT)
    places.append(len(text))
    next_at = 0
    while piece := _LEXEME.match(typed, next_at):
        next_at = piece.end()
        if piece["quote"]:
            raise SyntaxProblem("this quote is never closed", text, places[next_at - 1])
        if piece["name"]:
            yield _operator(piece, typed, text, places)
        elif piece["minus"]:
            alone = len(piece["minus"]) > 1 or not typed[next_at : next_at + 1].strip(" )\t\n\r")
            yield None if alone else Lexeme("-", places[piece.start("minus")])
        elif piece["phrase"] is not None:
            at = places[piece.start("phrase") - 1]
            if not says(piece["phrase"]):
                raise SyntaxProblem("no word stands between these quotes", text, at)
            yield Lexeme("phrase", at, " ".join(piece["phrase"].split()))
        elif piece["bracket"]:
            yield Lexeme(piece["bracket"], places[piece.start("bracket")])
        else:
            yield _word(piece["word"], places[piece.start("word")])


def _word(word: str, at: int) -> Lexeme | None:
    if word == "OR":
        return Lexeme("OR", at)
    return Lexeme("word", at, word) if word != "AND" and says(word) else None


def _operator(piece: re.Match[str], typed: str, text: str, places: list[int]) -> Lexeme:
    name, at = piece["name"], places[piece.start("name")]
    quoted = piece["quoted"] is not None
    value = piece["quoted"] if quoted else piece["value"]
    value_at = places[piece.start("quoted" if quoted else "value")]
    if operators.is_operator(name):
        if not value and not quoted and typed[piece.end() : piece.end() + 1] == '"':
            raise SyntaxProblem("this quote is never closed", text, value_at)
        return Lexeme(
            "operator", at, name.lower(), " ".join(value.split()), value_at if value else at
        )
    if value or quoted:
        raise SyntaxProblem(operators.unknown(name), text, at)
    return Lexeme("word", at, f"{name}:")  # `BREAKING: fire` is no operator


def says(text: str) -> bool:
    """Whether there is a letter, a digit or a picture in `text`."""
    return any(char.isalnum() or unicodedata.category(char) == "So" for char in text)
