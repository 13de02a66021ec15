"""The kernel gives the plain one's words, and both give what tantivy's own analyzer gave."""

import gzip
import itertools
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

from fairwitness.kernels import letters, native, words

# As posts were indexed before: what the `regex` crate calls letters, and single characters.
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}"
WORD = rf"[\p{{L}}\p{{M}}\p{{N}}_&&[^{UNSPACED}]]+"
SIGN = r"[#@$][\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_.\-]*"
# What is meant to differ: emoji are tokens, and their style is no letter; three more scripts are
# unspaced, and the long mark of katakana and half-width voice marks are as katakana is.
DIFFERENT = re.compile(
    rf"[{letters.class_of('emoji')}{letters.class_of('flag')}][\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*"
    "|[\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\u3006\u302a-\u302d\u3031-\u3035\u303c\u3099\u309a\u30fc\uff70\uff9e\uff9f]"
)
TEXTS = st.lists(
    st.text()
    | st.text("ab É#@$.-_ İßÆ津か\u200d\u0e19\u0301ｶﾞー1２⑽ក" + "👍🏽👩❤\ufe0f🇩🇪🚀")
    | st.sampled_from(["x" * 95, "x" * 96, "é" * 96, "👩\u200d🚀", "🏴\u200d☠\ufe0f", "🇩🇪🇫🇷🇮"]),
    max_size=8,
).map("".join)
HARD = ["", " ", "a" * 100_000, "津" * 100_000, "a b " * 50_000, "\ud800", "#", "#津.-x-#y", "$$a"]


def before(pattern: str, text: str) -> str:
    """Return the tokens of `text` as tantivy's regex tokenizer and filters made them."""
    built = TextAnalyzerBuilder(Tokenizer.regex(pattern)).filter(Filter.lowercase())
    analyzer = built.filter(Filter.ascii_fold()).filter(Filter.remove_long(96)).build()
    text = text.encode("utf-8", "replace").decode()
    return " ".join(analyzer.analyze(text.replace("İ", "I")))


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_the_kernel_gives_what_the_plain_one_gives(texts: list[str]) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    for signs, made in enumerate((words.of_texts(texts), words.of_asides(texts))):
        plain = words._words_plainly(texts, words._pattern(signs))
        assert made.joined == plain.joined
        assert np.array_equal(made.hashes, plain.hashes)
        assert np.array_equal(made.starts, plain.starts)


def test_long_texts_are_parted_alike() -> None:
    plain = words._words_plainly(HARD, words._pattern(0))
    assert words.of_texts(HARD).joined == plain.joined
    assert plain.joined == ["", "", "", " ".join(HARD[3]), HARD[4].strip(), "", "", "津 x y", "a"]


@settings(deadline=None)
@given(TEXTS)
def test_tokens_are_hashed_in_order_and_short(text: str) -> None:
    made = words.of_texts([text, "", text])
    tokens = made.joined[0].split(" ") if made.joined[0] else []
    hashes = [xxhash.xxh64_intdigest(token.encode()) for token in tokens]
    assert made.starts.tolist() == [0, len(tokens), len(tokens), 2 * len(tokens)]
    assert made.hashes.tolist() == hashes + hashes
    assert all(0 < len(token.encode()) < 96 for token in tokens)
    assert made.joined[2] == made.joined[0]


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_parted_and_folded_as_before(text: str) -> None:
    text = DIFFERENT.sub(" ", text)
    assert words.of_texts([text]).joined == [before(rf"[{UNSPACED}]|{WORD}", text)]
    assert words.of_asides([text]).joined == [before(rf"{SIGN}|[{UNSPACED}]|{WORD}", text)]


def test_each_letter_folds_as_before() -> None:
    every = [chr(p) for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    same = [char for char in every if not DIFFERENT.match(char)]
    expected = before(rf"[{UNSPACED}]|{WORD}", " ".join(same)).split()
    assert [each for each in words.of_texts(same).joined if each] == expected


def test_real_texts_in_a_hundred_scripts_are_as_before(shared: Path) -> None:
    texts = [DIFFERENT.sub(" ", text) for text in real_texts(shared / "data")]
    assert len(texts) > 2_000
    parted = words.of_texts(texts).joined
    with_signs = words.of_asides(texts).joined
    for text, of_text, of_aside in zip(texts, parted, with_signs, strict=True):
        assert of_text == before(rf"[{UNSPACED}]|{WORD}", text)
        assert of_aside == before(rf"{SIGN}|[{UNSPACED}]|{WORD}", text)


def real_texts(data: Path) -> Iterator[str]:
    """Yield posts, headlines, and a declaration in the languages of the world."""
    with zipfile.ZipFile(data / "text-nltk" / "udhr2.zip") as declaration:
        for name in declaration.namelist():
            yield declaration.read(name)[:5_000].decode("utf-8", "ignore")
    for name in ("telegram-ru-news", "weibo-hot-search", "crisislex", "usc-x-24-us-election"):
        for path in sorted((data / name).glob("*.jsonl.gz")):
            with gzip.open(path, "rt") as lines:
                for line in itertools.islice(lines, 500):
                    row = json.loads(line)
                    yield str(row.get("text") or row.get("title") or row)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Café L'Aquila", "cafe l aquila"),
        ("rocket🚀launch", "rocket 🚀 launch"),
        ("👍🏽 👍", "👍 👍"),
        ("❤️ ❤", "❤ ❤"),
        ("👩🏽\u200d🚀!", "👩\u200d🚀"),
        ("👨\u200d👩\u200d👧\u200d👦", "👨\u200d👩\u200d👧\u200d👦"),
        ("🇩🇪🇫🇷", "🇩🇪 🇫🇷"),
        ("© 2024 Foo™ → bar", "2024 foo bar"),
        ("ニュース", "ニ ュ ー ス"),
        ("ភូមិ", "ភ ូ ម ិ"),
        ("ລາວ", "ລ າ ວ"),
        ("မြန်", "မ ြ န ်"),
        ("می\u200cخواهم", "می خواهم"),
        ("İstanbul STRASSE Straße", "istanbul strasse strasse"),
        ("⒈ ⑽", "1. (10)"),
    ],
)
def test_words(text: str, tokens: str) -> None:
    assert words.of_texts([text]).joined == [tokens]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("@NASA.gov nasa", "@nasa.gov nasa"),
        ("#Café #津波 $TSLA", "#cafe #津波 $tsla"),
        ("# @ $ #🚀", "🚀"),
        ("a#b", "a #b"),
        ("#x" + "y" * 96, ""),
    ],
)
def test_asides(text: str, tokens: str) -> None:
    assert words.of_asides([text]).joined == [tokens]


def test_runs_of_unspaced_letters() -> None:
    assert words.unspaced_runs("今日は rain ニュース") == ["今日は", "ニュース"]
    assert words.is_unspaced("津")
    assert not words.is_unspaced("t")
