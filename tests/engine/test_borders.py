import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine.borders import ends, starts


def quotes(text: str) -> set[str]:
    """All quotes of a text."""
    return {
        text[start:end] for start in starts(text) for end in ends(text) if start < end <= len(text)
    }


@pytest.mark.parametrize(
    ("text", "may", "may_not"),
    [
        ("A 5.8% rise, now", {"5.8%", "rise", "rise,", "A 5.8% rise, now"}, {"5", "8%", "ris"}),
        ("don\u2019t (ever) go", {"don\u2019t", "ever", "(ever)", "ever)"}, {"don", "t"}),
        ("costs -3 or +4", {"-3", "+4"}, {"3", "4"}),
        ("#news @ana https://a.org/b?c", {"#news", "@ana", "https://a.org/b?c"}, {"news", "a.org"}),
        ("地震だ 5.8", {"地", "震だ", "5.8"}, {"5"}),
        ("hej🇸🇪!", {"hej", "🇸🇪", "🇸🇪!"}, {"🇸", "🇪"}),
        ("ok👍🏽 👩‍🚒", {"ok", "👍🏽", "👩‍🚒"}, {"👍", "👩", "🚒"}),
        ("cafe\u0301 नमस्ते", {"cafe\u0301", "नमस्ते"}, {"cafe", "नम"}),
    ],
)
def test_a_quote_is_not_cut_to_say_something_else(text, may, may_not):
    said = quotes(text)
    assert may <= said
    assert not may_not & said


@given(st.text(max_size=20))
def test_every_start_has_an_end_behind_it(text):
    for start in starts(text):
        assert any(end > start for end in ends(text))
        assert not text[start].isspace()
    assert bool(starts(text)) == bool(text.strip())
