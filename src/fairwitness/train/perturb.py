"""Statements made of real ones: some that still follow from the original, some that do not.

Each change is one way in which a small writer goes wrong. Harmless changes are made to both kinds,
so that a statement is not known to be false by having been touched.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from fairwitness.models.telling import core
from fairwitness.train import swaps

Change = Callable[[list[str], Random, Sequence[str]], list[str] | None]

_WORD = re.compile(r"^(\W*)([\w'’-]*\w|\w)(\W*)$")
_NUMBER = re.compile(r"^\d+(?:[.,]\d+)*$")
_CLAUSE_END = re.compile(r"[,;:.!?]$|^[-–—]$")
_STOP = frozenset(
    "the a an of in on at to for from by with as is are was were be been that and or but it its"
    " this i you he she we they his her my your their our not no who what when how if so than then"
    " there have has had do does did will would can could just about into over after before all"
    " one".split()
)


def _with(word: str, new: str) -> str:
    """Return `word` with another in its place, written as it was."""
    match = _WORD.match(word)
    assert match is not None
    old = match.group(2)
    shaped = new.upper() if old.isupper() and len(old) > 2 else new
    shaped = shaped[:1].upper() + shaped[1:] if old[:1].isupper() and new.islower() else shaped
    return match.group(1) + shaped + match.group(3)


def _replaced(words: list[str], at: int, new: str) -> list[str]:
    return [*words[:at], _with(words[at], new), *words[at + 1 :]]


def _one(words: list[str], rng: Random, wanted: Callable[[int], bool]) -> int | None:
    places = [at for at in range(len(words)) if core(words[at]) and wanted(at)]
    return rng.choice(places) if places else None


def is_name(words: Sequence[str], at: int) -> bool:
    """Whether a word is a name, as far as its letters tell: a capital that begins no sentence."""
    bare = words[at].strip("\"'“”‘’()[],.:;!?")
    if at == 0 or not bare[:1].isupper() or not bare.isalpha() or bare.lower() in _STOP:
        return False
    return not words[at - 1].endswith((".", "!", "?", ":"))


def _number(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    at = _one(words, rng, lambda at: _NUMBER.match(core(words[at])) is not None)
    if at is None:
        return None
    old = core(words[at])
    digits = [at for at, letter in enumerate(old) if letter.isdigit()]
    place = rng.choice(digits)
    new = rng.choice([d for d in "123456789" if d != old[place]])
    return _replaced(words, at, old[:place] + new + old[place + 1 :])


def _scale(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    at = _one(words, rng, lambda at: core(words[at]) in swaps.SCALE_OF)
    if at is None:
        return None
    row = swaps.SCALE_OF[core(words[at])]
    return _replaced(words, at, rng.choice([word for word in row if word != core(words[at])]))


def _opposite(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    at = _one(words, rng, lambda at: core(words[at]) in swaps.OPPOSITES)
    return None if at is None else _replaced(words, at, swaps.OPPOSITES[core(words[at])])


def _certain(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    at = _one(words, rng, lambda at: core(words[at]) in swaps.CERTAIN)
    return None if at is None else _replaced(words, at, swaps.CERTAIN[core(words[at])])


def _negated(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    denial = _one(words, rng, lambda at: core(words[at]) in ("not", "never", "no"))
    if denial is not None:
        return words[:denial] + words[denial + 1 :]
    at = _one(words, rng, lambda at: core(words[at]) in swaps.POSITIVE)
    return (
        None if at is None else [*words[: at + 1], rng.choice(["not", "never"]), *words[at + 1 :]]
    )


def _names_swapped(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    places = [at for at in range(len(words)) if is_name(words, at)]
    pairs = [
        (a, b) for a in places for b in places if a + 1 < b and core(words[a]) != core(words[b])
    ]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    swapped = _replaced(words, a, _bare(words[b]))
    return _replaced(swapped, b, _bare(words[a]))


def _bare(word: str) -> str:
    match = _WORD.match(word)
    return match.group(2) if match else word


def _other_name(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    at = _one(words, rng, lambda at: is_name(words, at))
    known = {core(word) for word in words}
    names = _foreign(others, known, lambda theirs, place: is_name(theirs, place))
    return None if at is None or not names else _replaced(words, at, rng.choice(names))


def _other_word(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    """Put a word of another statement, one that ends alike, in the place of a word."""
    at = _one(words, rng, lambda at: len(core(words[at])) > 3 and core(words[at]) not in _STOP)
    if at is None or is_name(words, at):
        return None
    known, old = {core(word) for word in words}, core(words[at])
    like = _foreign(others, known, lambda theirs, place: _alike(core(theirs[place]), old))
    return _replaced(words, at, rng.choice(like)) if like else None


def _alike(one: str, other: str) -> bool:
    if one in _STOP or len(one) < 4 or one == swaps.ALIKE.get(other):
        return False
    ends = ("ing", "ed", "ly", "s", "tion", "er")
    return next((e for e in ends if one.endswith(e)), "") == next(
        (e for e in ends if other.endswith(e)), ""
    )


def _foreign(
    others: Sequence[str], known: set[str], wanted: Callable[[Sequence[str], int], bool]
) -> list[str]:
    found = []
    for other in others:
        theirs = other.split()
        for at, word in enumerate(theirs):
            if core(word) and core(word) not in known and wanted(theirs, at):
                found.append(_bare(word))
    return found


def _speaker(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    """Say that somebody said it who did not."""
    if any(core(word) in ("say", "says", "said") for word in words):
        return None
    saying = rng.choice(swaps.SAYINGS)
    return saying.format(who=rng.choice(swaps.SPEAKERS), what=" ".join(words)).split()


def _more(words: list[str], rng: Random, others: Sequence[str]) -> list[str] | None:
    """Add what another statement says."""
    tails = [tail for other in others if (tail := _tail(other.split(), rng)) is not None]
    if not tails:
        return None
    last = words[-1].rstrip(".!?,;:")
    return [*words[:-1], last, *rng.choice(tails)] if last else None


def _tail(words: list[str], rng: Random) -> list[str] | None:
    """Return how a statement goes on from one of its small words."""
    joints = "in on at after for with because and while to from as since when".split()
    at = [n for n in range(2, len(words) - 2) if words[n] in joints]
    return words[rng.choice(at) :][:8] if at else None


FALSIFIERS: dict[str, Change] = {
    "number": _number,
    "scale": _scale,
    "opposite": _opposite,
    "modality": _certain,
    "negation": _negated,
    "roles": _names_swapped,
    "name": _other_name,
    "word": _other_word,
    "attribution": _speaker,
    "addition": _more,
}


_EASY = ("word", "attribution", "addition")


def falsified(
    text: str, rng: Random, others: Sequence[str], kind: str | None = None
) -> tuple[str, str] | None:
    """Return a statement that does not follow from `text`, and in which way; None if none is found.

    `others` are other statements, of which names and words are taken.
    """
    kinds = [kind] if kind else rng.sample(list(FALSIFIERS), len(FALSIFIERS))
    # rare ones first two times of three: nearly every statement can be added to
    if kind is None and rng.random() < 0.67:
        kinds.sort(key=lambda name: name in _EASY)
    for name in kinds:
        words = FALSIFIERS[name](text.split(), rng, others)
        if words is not None:
            return " ".join(words), name
    return None


def kept(text: str, rng: Random) -> str:
    """Return a statement that follows from `text`: cut, reordered, in other words, or the same."""
    words = text.split()
    if rng.random() < 0.6:
        words = _cut(words, rng)
    if rng.random() < 0.15:
        words = _reordered(words)
    return reworded(" ".join(words), rng)


def reworded(text: str, rng: Random) -> str:
    """Return `text` in other words, letters and marks that say the same."""
    words = []
    for word in text.split():
        bare = core(word)
        alike = swaps.ALIKE.get(bare)
        if bare in swaps.DIGITS and rng.random() < 0.5:
            word = _with(word, swaps.DIGITS[bare])
        elif alike and rng.random() < 0.6:
            word = _with(word, alike)
        elif bare in swaps.LONG_FORMS and rng.random() < 0.7:
            word = _with(word, swaps.LONG_FORMS[bare])
        elif bare.endswith("ly") and len(bare) > 5 and rng.random() < 0.3:
            continue
        words.append(word)
    changed = " ".join(words)
    if rng.random() < 0.5:
        changed = changed.rstrip(" .!,;:") + "."
    if rng.random() < 0.1:
        changed = changed.lower()
    return changed if changed.strip(" .") else text


def _cut(words: list[str], rng: Random) -> list[str]:
    """Return one clause, or one without its beginning or end; long enough to say something."""
    ends = [at + 1 for at, word in enumerate(words) if _CLAUSE_END.search(word)]
    starts = [0, *ends]
    stops = [*ends, len(words)]
    spans = [(a, b) for a in starts for b in stops if 5 <= b - a < len(words)]
    if not spans or _conditional(words):
        return words
    a, b = rng.choice(spans)
    return words[a:b]


def _conditional(words: list[str]) -> bool:
    return any(core(word) in ("if", "unless", "not", "deny", "denies", "fake") for word in words)


def _reordered(words: list[str]) -> list[str]:
    at = next((n + 1 for n, word in enumerate(words) if word.endswith(",")), 0)
    if not 3 <= at <= len(words) - 3:
        return words
    head = [*words[:at]]
    head[-1] = head[-1].rstrip(",")
    tail = [*words[at:]]
    tail[-1] = tail[-1].rstrip(".!,") + ","
    return [*tail, *head]
