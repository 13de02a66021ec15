"""What a scan does not see is not there: it says what cleaning's own expressions say."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairwitness.kernels import native, scan
from fairwitness.posts import clean

# Cleaning's own: alone; then a second variation selector, or a second space or what is hidden.
PERHAPS_ODD = re.compile(
    rf"[\t\x0b-\r\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f{scan.HIDDEN}{scan.SELECTORS}]"
    rf"|[ \n\u3000][{scan.SPACES}{scan.HIDDEN}]"
)
ODDITIES = "".join(
    map(chr, (*range(0x180), 0x200B, 0x200D, 0x2028, 0x202E, 0x3000, 0xFE0F, 0xFEFF))
)
NASTY = st.lists(
    st.text()
    | st.text(ODDITIES + "áȧ́̄ก้ำ　＃＠🙂\ud800")
    | st.sampled_from(["://", " \n", "e\u0301", "각", "각", "क़", "\U000e0041"]),
    max_size=8,
).map("".join)


@given(st.lists(NASTY, max_size=5))
@example(["", "a ", "", "", " b", ""])
@example(["http:/", "/", "//", ":", "//"])
def test_the_kernel_says_what_the_plain_one_says(texts: list[str]) -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: nothing to compare")
    assert scan.scan(texts).tolist() == scan._scan_plainly(texts).tolist()


@given(NASTY)
def test_bits_mean_what_they_say(text: str) -> None:
    (bits,) = scan.scan([text])
    assert bool(bits & scan.ODD) == bool(PERHAPS_ODD.search(text))
    assert bool(bits & scan.AMPERSAND) == ("&" in text)
    assert bool(bits & scan.LESS_THAN) == ("<" in text)
    assert bool(bits & scan.LINK) == ("://" in text)
    assert bool(bits & scan.HASH) == ("#" in text or "＃" in text)
    assert bool(bits & scan.AT) == ("@" in text or "＠" in text)
    assert bool(bits & scan.EDGE) == (text.strip() != text)
    if not bits & scan.UNSURE:
        assert unicodedata.is_normalized("NFC", text)
    if not bits & (scan.UNSURE | scan.ODD):
        assert clean.from_plain(text) == clean.Cleaned(text.strip())


def test_each_code_point_alone_and_behind_a_letter() -> None:
    points = [chr(point) for point in range(0x110000)]
    told = scan.scan(points)
    assert np.array_equal(told, scan._scan_plainly(points))
    wrong = [
        f"{ord(char):x}"
        for char, bits in zip(points, told.tolist(), strict=True)
        if bool(bits & scan.ODD) != bool(PERHAPS_ODD.search(char))
        or not (bits & scan.UNSURE or unicodedata.is_normalized("NFC", char))
    ]
    assert wrong == []


def test_ordinary_texts_in_many_scripts_are_certain() -> None:
    texts = ["Terremoto a L'Aquila 🙂", "速報：津波", "भूकंप", "Việt Nam, Đà Nẵng", "דיווח", "زلزال"]
    assert scan.scan(texts).tolist() == [0] * len(texts)
    assert scan.scan([]).tolist() == []
