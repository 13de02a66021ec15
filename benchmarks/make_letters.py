"""Write `kernels/letters.tsv`: what each code point is to the kernels.

Run `python benchmarks/make_letters.py`. The facts come from two places that developers have
installed: the regex engine inside tantivy knows the properties of Unicode 16 by name
(https://docs.rs/regex/latest/regex/#unicode), and its filters know how to fold; Python's
`unicodedata` knows which characters a normalisation may change.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

from fairwitness.kernels.letters import TABLE

_EVERY = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
_LETTERS = r"[\p{L}\p{M}\p{N}_]"

# Scripts that put no spaces between words. The long mark of katakana and the marks that kana are
# voiced with belong to several scripts at once, hence the extensions.
_UNSPACED = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"[\p{scx:Han}\p{scx:Hiragana}\p{scx:Katakana}&&\p{L}\p{M}&&[\u{3000}-\u{ffff}]]]"
)
# Not the arrows, bullets and signs (©, ™) that are emoji only by courtesy: most stand there for
# decoration, and each would part the words of a phrase. The unassigned are emoji to come.
_EMOJI = (
    r"[[\p{Emoji_Presentation}[\p{Emoji}&&[\u{2600}-\u{2bff}\u{1f000}-\u{1ffff}]]"
    r"[\p{Extended_Pictographic}&&\p{Cn}]]&&[^\p{L}\p{M}\p{N}_\p{Regional_Indicator}]]"
)
_KINDS = {
    "word": rf"[{_LETTERS}&&[^{_UNSPACED}]]",
    "unspaced": _UNSPACED,
    "emoji": _EMOJI,
    "flag": r"\p{Regional_Indicator}",
}


_SYMBOLS = r"[\p{S}\p{Extended_Pictographic}]"


def main() -> None:
    """Write the table."""
    lines = ["# Written by make_letters.py: a kind, its first and last code point; or fold,"]
    lines += ["# what it becomes, and each character that becomes it."]
    for kind, pattern in _KINDS.items():
        lines += _rows(kind, _matching(pattern))
    lines += _rows("combining", (ord(char) for char in _EVERY if unicodedata.combining(char)))
    lines += _rows("unsure", sorted(_unsure()))
    lines += (f"fold\t{folded}\t{chars}" for folded, chars in sorted(_folds().items()))
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")


def _matching(pattern: str) -> list[int]:
    """Return the code points that a regular expression of Rust matches, ascending."""
    analyzer = TextAnalyzerBuilder(Tokenizer.regex(f"(?:{pattern})+")).build()
    return [ord(char) for run in analyzer.analyze(_EVERY) for char in run]


def _unsure() -> set[int]:
    """Return what NFC may change: itself, or together with what stands before it.

    These are the code points whose NFC_Quick_Check is not Yes
    (https://www.unicode.org/reports/tr15/#Detecting_Normalization_Forms), and what this Python's
    Unicode does not know: a later one may say anything of them, symbols excepted.
    """
    changed = {ord(char) for char in _EVERY if not unicodedata.is_normalized("NFC", char)}
    # A pair that composes has a composite that is normal; Hangul is composed by arithmetic.
    pairs = (unicodedata.decomposition(char).split() for char in _EVERY if ord(char) not in changed)
    seconds = {int(pair[1], 16) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    hangul = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    unknown = {ord(char) for char in _EVERY if unicodedata.category(char) == "Cn"}
    return changed | seconds | hangul | (unknown - set(_matching(_SYMBOLS)))


def _folds() -> dict[str, str]:
    """Return what becomes of letters in lower case and without accents, and of which ones."""
    letters = list(map(chr, _matching(_LETTERS)))
    one_by_one = TextAnalyzerBuilder(Tokenizer.regex(_LETTERS))
    lowered = one_by_one.filter(Filter.lowercase()).filter(Filter.ascii_fold()).build()
    found: dict[str, list[str]] = defaultdict(list)
    for char, folded in zip(letters, lowered.analyze("".join(letters)), strict=True):
        if char == "İ":  # the one capital whose lower case is two characters, i and a dot
            folded = "i"
        if char != folded:
            found[folded].append(char)
    return {folded: "".join(chars) for folded, chars in found.items()}


def _rows(kind: str, points: Iterable[int]) -> Iterator[str]:
    """Yield a row for each run of consecutive code points."""
    first = last = -2
    for point in (*points, -2):
        if point == last + 1:
            last = point
            continue
        if last >= 0:
            yield f"{kind}\t{first:x}\t{last:x}"
        first = last = point


if __name__ == "__main__":
    main()
