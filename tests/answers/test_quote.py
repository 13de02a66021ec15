"""Spans of posts that can stand as quotes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.answers.quote import spans_of
from fairwitness.posts.post import Post


def quoted(text: str) -> list[str]:
    post = Post(id="1", network="t", author="", author_id="", text=text, created_ms=0, seen_ms=0)
    spans = spans_of(post)
    assert all(text[s.start : s.end] == s.text for s in spans)
    return [s.text for s in spans]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (
            "RT @BBCBreaking: Fire in Oldtown leaves 70 dead http://t.co/x",
            ["Fire in Oldtown leaves 70 dead"],
        ),
        (
            "Flight attendants began their strike early on Aug. 16 in Oldtown. It ended Sept. 2.",
            [
                "Flight attendants began their strike early on Aug. 16 in Oldtown.",
                "It ended Sept. 2.",
            ],
        ),
        ("h/t @ana: The bridge is closed (via @bo) http://t.co/x", ["The bridge is closed"]),
        ("@ana @bo the bridge is closed #rain #flood #oldtown", ["the bridge is closed"]),
        (
            "Magnitude 7.6 quake hits. Stay safe everybody!",
            ["Magnitude 7.6 quake hits.", "Stay safe everybody!"],
        ),
        ("Mr. Ruiz met Dr. Weber in the U.S. today", ["Mr. Ruiz met Dr. Weber in the U.S. today"]),
        ("台湾花莲发生地震。大家注意安全！", ["台湾花莲发生地震。", "大家注意安全！"]),
        ("#one #two #three", []),
        ("ok", []),
        ("https://t.co/abc", []),
        ("", []),
    ],
)
def test_a_quote_is_a_sentence_and_nothing_around_it(text, spans):
    assert quoted(text) == spans


@given(st.text(max_size=500))
def test_any_text_gives_spans_of_itself_in_order(text):
    post = Post(id="1", network="t", author="", author_id="", text=text, created_ms=0, seen_ms=0)
    spans = spans_of(post)
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
