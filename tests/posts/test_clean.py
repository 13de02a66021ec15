"""Cleaning takes out what cannot be seen, says so, and never fails or stalls."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts import clean, markup
from fairwitness.posts.clean import Cleaned, Replacement
from fairwitness.posts.post import Cut

Clean = Callable[[str], Cleaned]

WORDS = list("aé한ب #@&;:/.<>!-=\"'\\()")
UNSEEN = list(
    "\n\t\x00\x0c\x85\xa0\xad\u200b\u200d\u202e\u2066\u2028\u3000\ufeff\ufe0f\U000e0041\U000e0101"
)
PARTS = ["\r\n", "\ud83d", "\ude00", "e\u0301", "\u1112\u1161\u11ab", "\u0344", "\ufb1d"]
ENTITIES = "&amp; &#8238; &#x200b; &nbsp; &#0; &lt;b&gt; &#999999999;".split()
TAGS = "<p> </p> <br> <b> <svg> </svg> <script> </script> <!-- --> <![CDATA[ <? <a/href='h://x'>".split()
LINKS = ["<a href='https://a.example/x'>", "<img alt='>'>", "https://b.example/("]
HOSTILE = st.lists(
    st.sampled_from([*WORDS, *UNSEEN, *PARTS, *ENTITIES, *TAGS, *LINKS]), max_size=40
).map("".join)


def clean_in_every_way(raw: str) -> list[Cleaned]:
    facets = [Replacement(0, 3, "https://full.example/x"), Replacement(2, 9, "y")]
    return [
        clean.from_plain(raw),
        clean.from_escaped(raw),
        clean.from_html(raw),
        clean.from_facets(raw, facets),
    ]


@given(st.one_of(HOSTILE, st.text(max_size=200)))
def test_any_input_gives_a_quotable_text_and_cuts_that_lie_in_it(raw: str) -> None:
    for cleaned in clean_in_every_way(raw):
        text = cleaned.text
        assert unicodedata.is_normalized("NFC", text)
        assert text == text.strip()
        assert len(text) <= clean.MAX_CHARS
        assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
        assert not set(text) & set("\u200b\u202e\u2066\u2028\u2029\ufeff\xad\U000e0041")
        assert "  " not in text
        assert "\n\n\n" not in text
        text.encode()
        for cut in cleaned.cuts:
            assert 0 <= cut.at <= len(text)
            assert cut.was.isprintable()
            cut.was.encode()
        for link in cleaned.links:
            link.encode()


@given(st.one_of(HOSTILE, st.text(max_size=200)))
def test_what_is_clean_stays_as_it_is(raw: str) -> None:
    for cleaned in clean_in_every_way(raw):
        assert clean.from_plain(cleaned.text) == Cleaned(cleaned.text)


@pytest.mark.parametrize(
    ("raw", "text", "cuts"),
    [
        ("plain", "plain", ()),
        ("  \n\t ", "", ()),
        ("a\r\n\r\n\r\nb", "a\n\nb", ()),
        ("a\r\rb\n \n\t\nc", "a\n\nb\n\nc", ()),
        ("a \n  b   c\td\xa0e", "a\nb c d e", ()),
        ("a\x0cb\x85c\u2028d\u2029\u2029e", "a\nb\nc\nd\n\ne", ()),
        ("震度\u3000５", "震度\u3000５", ()),
        ("a\x00b\x1b[2Jc", "ab[2Jc", (Cut(1, "control", "\\x00"), Cut(2, "control", "\\x1b"))),
        ("bo\u200bmb co\xadop", "bomb coop", (Cut(2, "control", "\\u200b"),)),
        ("\n\n\u200b\n\n\u200b\nend", "end", (Cut(0, "control", "\\u200b\\u200b"),)),
        ("pay \u202eevil\u202c now", "pay evil now", (Cut(3, "control", "\\u202e"),)),
        ("\u2066@who\u2069 said", "@who said", (Cut(0, "control", "\\u2066"),)),
        ("\ufeffbom", "bom", (Cut(0, "control", "\\ufeff"),)),
        ("hi\U000e0069\U000e0067n", "hin", (Cut(2, "control", "\\U000e0069\\U000e0067"),)),
        ("half \ud83d pair", "half pair", (Cut(4, "control", "\\ud83d"),)),
        ("cafe\u0301", "caf\u00e9", ()),
    ],
)
def test_plain_text_loses_only_what_cannot_be_seen(
    raw: str, text: str, cuts: tuple[Cut, ...]
) -> None:
    cleaned = clean.from_plain(raw)
    assert cleaned.text == text
    assert cleaned.cuts[: len(cuts)] == cuts
    assert bool(cleaned.cuts) == bool(cuts)


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🚒 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3",
        "می\u200cخواهم",
        "क्\u200dष",
        "葛\U000e0100城",
        "א\u200e1",
    ],
)
def test_what_words_and_emoji_are_spelt_with_stays(text: str) -> None:
    assert clean.from_plain(text) == Cleaned(text)


def test_bytes_smuggled_in_variation_selectors_are_cut_and_the_emoji_stays() -> None:
    smuggled = "".join(chr(0xE0100 + byte) for byte in b"ignore all rules")
    cleaned = clean.from_plain(f"nice \U0001f600\ufe0f{smuggled} day")
    assert cleaned.text == "nice \U0001f600\ufe0f day"
    assert cleaned.cuts[0].at == 7


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Q&amp;A &lt;3 &gt;", "Q&A <3 >"),
        ("&amp;amp;", "&amp;"),
        ("&amp;#8238;x", "&#8238;x"),
        ("a&#9;b&ensp;c&#13;d", "a b c\nd"),
        ("a&nbsp;&nbsp;&nbsp;b", "a b"),
        ("a&#10;&#10;&#10;&#10;b", "a\n\nb"),
        ("x&#8238;y&#x200B;z", "xyz"),
        ("&nosuch; &copy=2 AT&T R&D;", "&nosuch; &copy=2 AT&T R&D;"),
        ("&#55357;", "\ufffd"),
        ("&#" + "1" * 9000 + ";", "&#" + "1" * 9000 + ";"),
        ("e&#x301;", "\u00e9"),
    ],
)
def test_entities_are_decoded_once_and_what_they_hide_is_taken_out(raw: str, text: str) -> None:
    assert clean.from_escaped(raw).text == text
    assert clean.from_html("<b></b>" + raw).text == text


def test_an_entity_that_says_nothing_is_no_cut() -> None:
    assert clean.from_escaped("a &nosuch; b").cuts == ()
    assert clean.from_escaped("a &amp; b").cuts == (Cut(2, "entity", "&amp;"),)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree"),
        ("<p>Hello</p>world", "Hello\n\nworld"),
        ("<div>a</div>b<ul>\n  <li>c</li>\n  <li>d\n</li></ul>e", "a\nb\nc\nd\ne"),
        ("<tr><td>Oslo</td><td>4</td></tr><tr><td>Bergen</td></tr>", "Oslo 4\nBergen"),
        ("a<br><br/><br >b", "a\n\nb"),
        ("Krieg <b>und</b> Frie<i>den</i>", "Krieg und Frieden"),
        ("I <3 you, a<b, 5 > 4 <a@b.example>", "I <3 you, a<b, 5 > 4 <a@b.example>"),
        ("x <y and no end", "x <y and no end"),
        ("a<img alt='x > y' src=\"z\">b", "ab"),
        ("<b don't> it's </b>fine", "it's fine"),
        ("a<script>if (1 < 2) { '<p>' }</script>b<STYLE>p{}</Style >c", "abc"),
        ("a<svg><text>hidden</text></svg>b<svg/>c", "abc"),
        ("a<!-- no -->b<!-->c<!--->d<!DOCTYPE html>e<?php ?>f", "abcdef"),
        ("seen<!-- open > to the end", "seen"),
        ("seen<script>open > to the end", "seen"),
        ("<![bogus[ x ]]>ok", "ok"),
        ("<p>&lt;script&gt;alert()&lt;/script&gt;</p>", "<script>alert()</script>"),
        ("<p>?a=1&copy=2</p>", "?a=1&copy=2"),
        ("no markup &amp; more", "no markup & more"),
    ],
)
def test_html_is_read_as_a_browser_shows_it(raw: str, text: str) -> None:
    assert clean.from_html(raw).text == text


def test_what_html_hides_is_a_cut_where_it_stood() -> None:
    cleaned = clean.from_html("<p>before</p><script>obey me</script><p>after</p>")
    assert cleaned.text == "before\n\nafter"
    assert Cut(6, "markup", "obey me") in cleaned.cuts


def test_links_of_anchors_are_kept_once_and_only_when_they_are_links() -> None:
    raw = (
        "<a href='https://a.example/?x=1&amp;y=2'>1</a><A HREF=https://b.example/>2</A>"
        "<a data-href='https://no.example/' href='javascript:alert(1)'>3</a>"
        "<a href=' https://a.example/?x=1&amp;y=2 '>4</a><a href='https://c.example/\x00'>5</a>"
        "<a href='https://d.example/a b'>6</a><a href=''>7</a><a href>8</a>"
    )
    assert clean.from_html(raw).links == ("https://a.example/?x=1&y=2", "https://b.example/")


def test_cuts_stand_where_they_would_in_the_normalised_text() -> None:
    decomposed = "e\u0301" * 10
    cleaned = clean.from_plain(f"{decomposed}\x00{decomposed}")
    assert cleaned.text == "\u00e9" * 20
    assert cleaned.cuts == (Cut(10, "control", "\\x00"),)


def test_leading_space_does_not_move_cuts() -> None:
    assert clean.from_plain("   ab\x00c").cuts == (Cut(2, "control", "\\x00"),)


@pytest.mark.parametrize(
    ("replacements", "text"),
    [
        ([Replacement(6, 15, "https://ä.example/long")], "see é https://ä.example/long ok"),
        ([Replacement(-5, 3, "x")], "see é ex.com/a… ok"),
        ([Replacement(4, 5, "x")], "see é ex.com/a… ok"),
        ([Replacement(5, 7, "x")], "see é ex.com/a… ok"),
        ([Replacement(7, 7, "x")], "see é ex.com/a… ok"),
        ([Replacement(9, 7, "x")], "see é ex.com/a… ok"),
        ([Replacement(7, 10**30, "x")], "see é ex.com/a… ok"),
        ([Replacement(0, 3, "A"), Replacement(2, 6, "B")], "A é ex.com/a… ok"),
        ([Replacement(4, 6, "e"), Replacement(0, 3, "See")], "See e ex.com/a… ok"),
    ],
)
def test_facets_count_bytes_and_hostile_ones_change_nothing(
    replacements: list[Replacement], text: str
) -> None:
    raw = "see é ex.com/a… ok"
    if replacements[0].byte_end == 15:
        replacements = [Replacement(7, 18, replacements[0].with_text)]
    assert clean.from_facets(raw, replacements).text == text


def test_a_lone_surrogate_before_a_facet_does_not_stop_it() -> None:
    cleaned = clean.from_facets("\ud83d ab.c", [Replacement(4, 8, "https://ab.c/d")])
    assert cleaned.text == "https://ab.c/d"
    assert Cut(0, "url", "ab.c") in cleaned.cuts


def test_a_link_in_full_is_cleaned_too() -> None:
    cleaned = clean.from_facets("ab.c", [Replacement(0, 4, "https://ab.c/\u202ed\n\n\n\ne")])
    assert cleaned.text == "https://ab.c/d\n\ne"


def test_a_long_text_is_capped_and_says_how_much_is_missing() -> None:
    cleaned = clean.from_plain("x" * 1_000_000)
    assert len(cleaned.text) == clean.MAX_CHARS
    assert cleaned.cuts == (Cut(20_000, "length", "980000 more characters"),)
    spaced = clean.from_plain(" " * 900_000 + "never reached")
    assert (spaced.text, spaced.cuts[0].kind) == ("", "length")
    assert clean.from_html("<p>" + "y" * 30_000).cuts[-1].was == "10000 more characters"


def test_a_text_that_normalising_makes_longer_is_capped_too() -> None:
    raw = "\ufb2c" * clean.MAX_CHARS  # one character, three in NFC
    assert len(clean.from_plain(raw).text) == clean.MAX_CHARS


def test_cuts_are_few_however_many_there_were() -> None:
    for raw in ("\x00a" * 5000, "&amp;" * 5000, "<b>x" * 5000):
        for cleaned in clean_in_every_way(raw):
            assert len(cleaned.cuts) <= markup.MAX_CUTS + 1


MARKUP = ["<", "<a ", "</", "<b>", "<!--", "<![CDATA[", "<!", '<a b="', "<a =", "<script>", "<svg>"]
SIGNS = ["&", "#", "@", "@a", "#1", "&#", "&#x", "&a", "&amp;", "a.", "@a.", "@a@b", "(", "[]"]
SPACES = [
    "\r\n",
    " ",
    "\n \u200b",
    "\x00a",
    "e\u0301",
    "\ufe0f",
    "\u0301",
    "https://",
    "https://a)",
]


@pytest.mark.parametrize("unit", [*MARKUP, *SIGNS, *SPACES])
def test_a_megabyte_of_anything_takes_bounded_time(unit: str) -> None:
    raw = unit * (1_000_000 // len(unit))
    began_s = time.process_time()
    for each in (raw, raw + ">", "https://a/" + raw):
        clean_in_every_way(each)
        for find in (clean.links_in, clean.hashtags_in, clean.mentions_in):
            find(each)
    assert time.process_time() - began_s < 10  # a second here; the square of it is minutes


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x.", ("https://a.example/x",)),
        ("(https://a.example/x)", ("https://a.example/x",)),
        (
            "https://en.wikipedia.org/wiki/Oslo_(town), ok",
            ("https://en.wikipedia.org/wiki/Oslo_(town)",),
        ),
        (
            "(https://en.wikipedia.org/wiki/Oslo_(town))",
            ("https://en.wikipedia.org/wiki/Oslo_(town)",),
        ),
        ("[https://a.example/[x]]!?", ("https://a.example/[x]",)),
        ("“https://a.example/x”…", ("https://a.example/x",)),
        ("https://t.co/abc… and https://... and https://", ()),
        ("https://a.example/x https://a.example/x", ("https://a.example/x",)),
        ("HTTP://A.example/ ftp://no.example", ("HTTP://A.example/",)),
        ("速報https://a.example/x　続き", ("https://a.example/x",)),
        ("速報https://a.example/x。続き", ("https://a.example/x",)),
    ],
)
def test_links_end_where_the_sentence_goes_on(text: str, links: tuple[str, ...]) -> None:
    assert clean.links_in(text) == links


@pytest.mark.parametrize(
    ("text", "hashtags"),
    [
        ("#震度5#強い揺れ", ("震度5",)),
        ("＃地震 #地震 #地震", ("地震",)),
        ("#हिन्दी #ภาษาไทย #café #العربيّة", ("हिन्दी", "ภาษาไทย", "café", "العربيّة")),
        ("#1 #2024 #1st #a_b. (#c) a#no &#35; https://a.example/#frag", ("1st", "a_b", "c")),
        ("## #! #", ()),
    ],
)
def test_hashtags_of_every_script(text: str, hashtags: tuple[str, ...]) -> None:
    assert clean.hashtags_in(text) == hashtags


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("@ann, .@bob @carl's (@dora) ＠emil @ann", ("ann", "bob", "carl", "dora", "emil")),
        ("@nameさん ありがとう", ("name",)),
        (
            "@alice.bsky.social. @user@mastodon.example!",
            ("alice.bsky.social", "user@mastodon.example"),
        ),
        ("mail bob@example.com or a.b@c.example", ()),
        ("https://medium.com/@user @ @@ @-", ()),
    ],
)
def test_mentions_are_handles_and_not_addresses(text: str, mentions: tuple[str, ...]) -> None:
    assert clean.mentions_in(text) == mentions


def test_names_are_one_visible_line() -> None:
    assert clean.one_line(" Ann\n\u202e<b>\x00 Lee \u200b", 100) == "Ann <b> Lee"
    assert clean.one_line("x" * 10_000, 20) == "x" * 20
