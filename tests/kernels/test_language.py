"""The kernel sees the words, scripts and languages that the plain one and fastText see."""

import gzip
import itertools
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.kernels import language, lid, native

SETTLED = frozenset({"kana", "han", "greek", "thai"})
PIECES = st.sampled_from([" ", "\n", "x" * 199, "word " * 50]) | st.sampled_from(
    "http:// HTTPS://x.y http h s:// @ ＃ #a1_é\u200d 12 _ \u200c … İI Это мост ひらがな 漢字 ไทย "
    "नमस्ते the bridge is ẞß a\u0301 \ud800 🙂 한국어 ⅷ ² １ ﷺ".split()
)
TEXTS = st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join)


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_the_kernel_sees_what_the_plain_one_sees(texts: list[str]) -> None:
    agree(texts)


def test_real_texts_are_seen_alike(shared: Path) -> None:
    data = shared / "data"
    texts = []
    with zipfile.ZipFile(data / "text-nltk" / "udhr2.zip") as declaration:
        for name in declaration.namelist():
            texts += declaration.read(name).decode("utf-8", "ignore").splitlines()[:6]
    for name in ("telegram-ru-news", "weibo-hot-search", "crisislex", "usc-x-24-us-election"):
        for path in sorted((data / name).glob("*.jsonl.gz")):
            with gzip.open(path, "rt") as lines:
                rows = map(json.loads, itertools.islice(lines, 500))
                texts += [str(row.get("text") or row.get("title") or row) for row in rows]
    assert len(texts) > 4_000
    agree(texts)


def agree(texts: list[str]) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    made, plain = language.look(texts, SETTLED), language._look_plainly(texts, SETTLED)
    assert made.chars == plain.chars
    assert made.scripts == plain.scripts
    assert made.guesses == plain.guesses
    assert made.scores == pytest.approx(plain.scores, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "chars", "script"),
    [
        ("", 0, ""),
        ("😀 12:30 https://a.example/das-ist @wer #was", 0, ""),
        ("see http://x.example now!", 9, ""),
        ("covid19 vaccine", 14, ""),
        ("速報です", 4, "kana"),
        ("速報", 2, "han"),
        ("Это Bridge", 10, ""),
        ("Это мост", 8, "cyrillic"),
        ("می\u200cخواهم", 8, "arabic"),
        ("a" * 500, 400, ""),
    ],
)
def test_what_is_not_words_is_taken_out(text: str, chars: int, script: str) -> None:
    for seen in (language.look([text], SETTLED), language._look_plainly([text], SETTLED)):
        assert seen.chars == [chars]
        assert language.SCRIPTS[seen.scripts[0]] == script
        assert (seen.guesses == [""]) == (chars == 0 or script in SETTLED)


def test_a_file_that_is_no_such_model_is_refused(tmp_path: Path) -> None:
    assert lid.load(lid.MODEL).labels[:3] == ["en", "ru", "de"]
    for at in (0, 4, 8):  # what it is, its version, its width
        damaged = bytearray(lid.MODEL.read_bytes())
        damaged[at] ^= 1
        path = tmp_path / "damaged.ftz"
        path.write_bytes(damaged)
        with pytest.raises(AssertionError, match=r"damaged\.ftz"):
            lid.load(path)
