"""Write the labelled pairs that copies are measured on: `tests/index/data/copies.jsonl`.

Run: python benchmarks/make_copy_pairs.py <folder of captures> tests/index/data/copies_read.jsonl
tests/index/data/copies.jsonl. A pair is a *copy* when one text was made from the other, or both
from a third, and still says the same: no other number, name, place or verdict. Three kinds:

- read: near-duplicates mined from the captures (three words in a row in common, Jaccard of words
  0.5 to 0.98), each read and labelled by itself; what could not be decided was left out. They are
  the input file and are copied through.
- structure: `RT @x: …` of one text, cut or tagged (copies; all were read); two messages of one
  automatic account that carry other numbers (no copies).
- made: a real post in one of 14 languages, edited as reposters edit (copies) or with one number,
  one name or a denial changed (no copies). `why` names the edit.
"""

import csv
import gzip
import json
import random
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

SEED = 20
_RT = re.compile(r"^RT @?(\w+):? (.*)$", re.DOTALL)
_TRAILING = re.compile(r"(\s|#\w+|\bvia\b|@\w+|[….()|])+$")
_LINK = re.compile(r"https?://\S+")
_AUTOMATIC = ("INGVterremoti", "earthquake_jp", "NewEarthquake", "STcom", "zishin3255", "NEAsg")
_EMOJI = "😂 😱 🔥 👍 ❤️ 🙏 😭 💔 ⚡️ 🚨".split()
_HANDLES = "newsdesk24 Mari_o kaito88 the_real_ann bot4u leila.k JPNfan x_files".split()
_COMMENTS = ("Wow!", "So sad", "OMG", "Unbelievable...", "Must read", "😱😱", "Lol")
_PLACES = {
    "zh": "北京 上海 广州 深圳 武汉 成都 重庆 南京 西安 四川 云南 湖南".split(),
    "ja": "東京 大阪 京都 名古屋 福岡 札幌 日本 アメリカ 中国 韓国".split(),
    "ru": "Москве Петербурге Казани Грозном Киеве Минске России Украине Грузии США".split(),
}
_DENIALS = {
    "en": "It is not true that ",
    "es": "No es verdad: ",
    "ru": "Неправда, что ",
    "zh": "没有",
}
_NAMES = """Trump Harris Biden Vance Walz Musk Obama Putin Sandy Boston Texas Oklahoma
Queensland Italia Brasil Chile Colombia John Tom Mary Lisa James Maria Anna Peter Eliza Carlos Steve
Jim Mike Jack
Samantha Jerry Joe Emma Bill Sarah David Jessica Michael Robert Mark Tina Sam Ben Alice""".split()
_KATAKANA = re.compile("[ァ-ヴー]{3,}")

Pair = dict[str, object]


def main() -> None:
    folder, read, out = map(Path, sys.argv[1:])
    dice = random.Random(SEED)
    pairs = structure(folder, dice) + made(folder, dice)
    # Last, so that what was read is believed where a rule says otherwise.
    pairs += [json.loads(line) for line in read.read_text("utf-8").splitlines()]
    unique = {(p["a"], p["b"]): p for p in pairs if p["a"] != p["b"]}
    lines = (json.dumps(_without_phones(pair), ensure_ascii=False) for pair in unique.values())
    out.write_text("\n".join(lines) + "\n", "utf-8")
    copies = sum(bool(pair["copy"]) for pair in unique.values())
    print(f"{len(unique)} pairs, {copies} of them copies")


def structure(folder: Path, dice: random.Random) -> list[Pair]:
    tweets = [row["text"] for row in _rows(folder / "crisislex/t26_labeled.dev.jsonl.gz")]
    retold: dict[tuple[str, str], list[str]] = {}
    automatic: dict[str, list[str]] = {}
    for text in dict.fromkeys(tweets):
        match = _RT.match(text)
        if match is None:
            continue
        name, body = match.groups()
        if name in _AUTOMATIC:
            automatic.setdefault(name, []).append(body)
        elif len(_LINK.sub("", body)) > 60:
            retold.setdefault((name, body[:40]), []).append(text)
    same = [texts[:2] for texts in retold.values() if len(texts) > 1]
    same = [pair for pair in same if _one_continues(*pair)]
    pairs = [_pair(a, b, True, "one account retold", "t26") for a, b in dice.sample(same, 40)]
    for name, bodies in sorted(automatic.items()):
        for _ in range(10):
            a, b = dice.sample(bodies, 2)
            if re.findall(r"\d+", _LINK.sub("", a)) != re.findall(r"\d+", _LINK.sub("", b)):
                pairs.append(_pair(a, b, False, "automatic, other numbers", name))
    return pairs


def _one_continues(one: str, other: str) -> bool:
    """Return whether both say the same as far as the shorter one goes, links and tags aside."""
    said = [_TRAILING.sub("", _LINK.sub("", text)).casefold() for text in (one, other)]
    shorter = min(said, key=len)
    if len(set(re.findall(r"\d+", said[0])) ^ set(re.findall(r"\d+", said[1]))) > 1:
        return False
    return SequenceMatcher(None, shorter, max(said, key=len)[: len(shorter)]).ratio() > 0.9


def made(folder: Path, dice: random.Random) -> list[Pair]:
    pairs: list[Pair] = []
    for lang, texts in sorted(_languages(folder).items()):
        chosen = dice.sample(texts, min(len(texts), 40))
        for text in chosen[:14]:
            edits = dice.sample(_EDITS, dice.choice((1, 1, 2, 3)))
            other = text
            for edit in edits:
                other = edit(other, dice)
            why = ", ".join(edit.__name__.strip("_") for edit in edits)
            pairs.append(_pair(text, other, True, why, lang))
        changes = 0
        for text in chosen[14:]:
            changed = _changed(text, lang, dice)
            if changed is not None and changes < 14:
                pairs.append(_pair(text, changed[0], False, changed[1], lang))
                changes += 1
    return pairs


def _languages(folder: Path) -> dict[str, list[str]]:
    found = {
        "en": [r["text"] for r in _rows(folder / "usc-x-24-us-election/posts.dev.jsonl.gz")],
        "ru": [r["text"] for r in _rows(folder / "telegram-ru-news/posts.jsonl.gz")],
        "zh": [r["text"] for r in _rows(folder / "weibo-ced-rumour/originals.dev.jsonl.gz")],
    }
    tweets = [r["text"] for r in _rows(folder / "crisislex/t26_labeled.dev.jsonl.gz")]
    found["es"] = [t for t in tweets if re.search(r"\b(los|una|que)\b", t)]
    for lang in ("ja", "th", "bn", "te", "de", "fr", "sw"):
        with (folder / f"bench-mgsm/mgsm/mgsm_{lang}.tsv").open(encoding="utf-8") as file:
            found[lang] = [row[0] for row in csv.reader(file, delimiter="\t")]
    with zipfile.ZipFile(folder / "text-nltk/udhr2.zip") as archive:
        for lang, name in (("ar", "arb"), ("hi", "hin"), ("ko", "kor")):
            lines = archive.read(f"udhr2/{name}.txt").decode("utf-8").splitlines()
            found[lang] = [line.strip() for line in lines]
    return {
        lang: [t for t in set(texts) if 50 <= len(t) <= 260]
        for lang, texts in ((lang, sorted(texts)) for lang, texts in found.items())
    }


def _changed(text: str, lang: str, dice: random.Random) -> tuple[str, str] | None:
    """Return the text with one number, name or verdict changed, and which."""
    kinds = [_other_number, _other_name, _other_name, _denied]
    dice.shuffle(kinds)
    for kind in kinds:
        changed = kind(text, lang, dice)
        if changed is not None:
            return changed, kind.__name__.strip("_").replace("_", " ")
    return None


def _other_number(text: str, _lang: str, dice: random.Random) -> str | None:
    bare = _LINK.sub(lambda match: "\x00" * len(match.group()), text)
    numbers = list(re.finditer(r"(?<![\w@#.,:])\d{1,5}(?![\w@#.,:]*\d)", bare))
    if not numbers:
        return None
    start, end = dice.choice(numbers).span()
    other = int(text[start:end]) + dice.choice((1, 2, 10, 30))
    return f"{text[:start]}{other}{text[end:]}"


def _other_name(text: str, lang: str, dice: random.Random) -> str | None:
    bounded = lang not in _PLACES
    names = _PLACES.get(lang, _NAMES)
    said = [name for name in names if _name(name, bounded).search(text)]
    if lang == "ja" and not said:
        names = "マリア トーマス エミリー ジョージ".split()
        said = _KATAKANA.findall(text)[:1]
    if not said:
        return None
    name = dice.choice(said)
    other = dice.choice([other for other in names if other != name])
    return _name(name, bounded).sub(other, text)


def _name(name: str, bounded: bool) -> re.Pattern[str]:
    return re.compile(rf"(?<!@)\b{name}\b" if bounded else f"(?<!@){name}")


def _denied(text: str, lang: str, dice: random.Random) -> str | None:
    # What denies before a retold text is a comment on it.
    if lang not in _DENIALS or "RT" in text or dice.random() < 0.5:
        return None
    return _DENIALS[lang] + text


def _other_link(text: str, dice: random.Random) -> str:
    link = f"https://t.co/{dice.getrandbits(48):x}"
    return _LINK.sub(link, text) if _LINK.search(text) else f"{text} {link}"


def _other_mention(text: str, dice: random.Random) -> str:
    handle = f"@{dice.choice(_HANDLES)}"
    return re.sub(r"@\w+", handle, text) if "@" in text else f"{handle} {text}"


def _emoji(text: str, dice: random.Random) -> str:
    return f"{dice.choice(_EMOJI)} {text} {''.join(dice.choices(_EMOJI, k=3))}"


def _cut_short(text: str, dice: random.Random) -> str:
    return text[: int(len(text) * dice.uniform(0.65, 0.9))].rstrip() + "…"


def _shouted(text: str, dice: random.Random) -> str:
    return text.upper() if dice.random() < 0.5 else text.lower()


def _retold(text: str, dice: random.Random) -> str:
    return f"RT @{dice.choice(_HANDLES)}: {text}"


def _commented(text: str, dice: random.Random) -> str:
    return f"{dice.choice(_COMMENTS)} RT @{dice.choice(_HANDLES)}: {text}"


def _tagged(text: str, dice: random.Random) -> str:
    return f"{text} #{dice.choice(('news', 'viral', 'breaking', 'followme'))}"


def _wide(text: str, _dice: random.Random) -> str:
    pieces = re.split(f"({_LINK.pattern})", text)
    wide = {ord("0") + digit: ord("０") + digit for digit in range(10)} | {ord(" "): "\u3000"}
    return "".join(p if _LINK.match(p) else p.translate(wide) for p in pieces)


def _respaced(text: str, dice: random.Random) -> str:
    return (
        text.replace("'", "’").replace('"', "”").replace(". ", dice.choice(("! ", ".\n\n", "… ")))
    )


_EDITS = (
    _other_link,
    _other_mention,
    _emoji,
    _cut_short,
    _shouted,
    _retold,
    _commented,
    _tagged,
    _wide,
    _respaced,
)


def _pair(a: str, b: str, copy: bool, why: str, source: str) -> Pair:
    return {"a": a, "b": b, "copy": copy, "why": why, "source": source}


def _without_phones(pair: Pair) -> Pair:
    """Return the pair with long digit runs turned into others, the same ones in both texts."""

    def other(match: re.Match[str]) -> str:
        dice = random.Random(match.group())
        return "".join(dice.choices("0123456789", k=len(match.group())))

    return {**pair, **{side: _long.sub(other, str(pair[side])) for side in "ab"}}


_long = re.compile(r"(?<![0-9A-Za-z/])[0-9]{7,}(?![0-9A-Za-z])")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines: Iterable[str] = file
        yield from map(json.loads, lines)


if __name__ == "__main__":
    main()
