"""Plain lines of X's stream, read to bytes, say what they say when they are read one by one."""

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.evals import firehose
from fairwitness.evals.firehose import Firehose
from fairwitness.kernels import native, stream
from fairwitness.posts import records
from fairwitness.posts.language import TONGUES
from fairwitness.posts.sources import jsonl
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.lines import Line, Lines

CAPTURE = Capture("any")
SEEN_MS = 1_790_000_000_123

needs_library = pytest.mark.skipif(native.library() is None, reason="no native kernels")


def lines_of(data: list[bytes]) -> list[Line]:
    return [Line(number, 0, each) for number, each in enumerate(data, start=2)]


def agree(data: list[bytes]) -> None:
    """Both roads lead to the same bytes and leave out as many lines."""
    lines = lines_of(data)
    slow, left_out = jsonl._read_each(lines, CAPTURE, [SEEN_MS] * len(lines))
    told = [event for event in slow if event is not None]
    events, quick_left_out = jsonl.read_lines(lines, CAPTURE, itertools.repeat(SEEN_MS))
    assert records.storable(events).encoded == records.encode(told)
    assert (list(events), quick_left_out) == (told, left_out)


def plain_in(data: list[bytes]) -> float:
    """Return the share of lines that are read to bytes."""
    told = stream.read(data, [SEEN_MS] * len(data), TONGUES)
    return len(told) / len(data) if told else 0.0


WORDS = [
    *" \n\t<>&;#@:/._-[]()*,!?~'\"",
    *"\r\x0b\x85\xa0\u2003\u2028\u3000\x1f\x00",
    *"\u200b\u200d\u200c\ufe0f\u202e\u0301\u1161\u017f\u212a…’”»＃＠：",
    *(
        "  ",
        "\n\n",
        " \n ",
        "\r\n",
        "e\u0301",
        "क्षि",
        "١٢",
        "é",
        "ﬁ",
        "🙂",
        "👩\u200d🚀",
        "❤\ufe0f",
    ),
    *("bridge", "closed", "мост", "橋", "これ", "สะพาน", "don't", "A1_b", "Straße", "İstanbul"),
    *("&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&nbsp;", "&copy;", "& ", "&amp;amp;"),
    *("#tag", "#1", "#x1", "##a", "a#b", "&#b", "@ann", "@a.b-", "@a@b.c", "a@b", "@@c", "＃橋"),
    *("https://t.co/a", "http://t.co/b.", "HTTPS://x.y/(z)", "https://t.co/a…", "(https://t.co/a)"),
    *(
        "http://",
        "https://-",
        "httpſ://a",
        "xhttp://a",
        "://",
        "https://例え/テスト",
        "http://a／b",
    ),
    "The quick brown fox jumps over the lazy dog",
    "Der schnelle braune Fuchs springt über den faulen Hund",
]
TEXTS = st.lists(
    st.sampled_from(WORDS) | st.characters(exclude_categories=["Cs"]), max_size=14
).map("".join)
IDS = st.sampled_from(["7", "8", "1800000000000000000"]) | st.sampled_from(["", "x", "٧", "9" * 30])
LINKS = st.sampled_from(
    [
        *("https://t.co/a", "http://t.co/b.", "https://t.co/a…", "https://a.example/long?b=1&c=2"),
        *("http://-x", "ftp://a", "https://a b", "https://a\u200b", "https://e\u0301", "", "橋"),
        "https://a.example/" + "x" * 2_100,
    ]
)
COUNTS = st.sampled_from([0, 1, 127, 128, 255, 256, 70_000, 2**31, 2**40]) | st.sampled_from(
    [-1, 1.0, 2.5, 10**15, 2**53 + 1, 2**70, "7", None, True]
)
MOMENTS = st.sampled_from(
    [
        *("2026-11-23T01:21:59.629Z", "2024-02-29T00:00:00Z", "2000-12-31T23:59:59.999Z"),
        *("2100-03-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z", "2023-02-29T00:00:00.000Z"),
        *("1969-12-31T23:59:59.000Z", "2026-11-23", "2026-11-23T01:21:59+02:00", "", "7", "x"),
        *("2026-11-23T24:00:00.000Z", "2026-00-01T00:00:00.000Z", "2026-11-23T01:21:59,629Z"),
    ]
)
LANGS = st.sampled_from(
    ["en", "de", "ja", "zh", "ru", "in", "iw", "und", "qme", "zxx"]
) | st.sampled_from(["", "EN", "zh-TW", "e", "x", "tgl", "é", "eng1", "   "])
NAMES = st.sampled_from(["ann", "user9684", "", " Ann  Lee ", "李\u200b雷", "x" * 201, "a b", "é"])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that have any of the fields, in any order."""
    whole = st.fixed_dictionaries({}, optional=fields)
    return whole.flatmap(lambda one: st.permutations(list(one.items())).map(dict))


URLS = some(url=LINKS, expanded_url=LINKS | st.none(), unwound_url=LINKS | st.none(), start=COUNTS)
ENTITIES = some(
    urls=st.lists(URLS, max_size=4),
    mentions=st.lists(some(username=NAMES, id=IDS), max_size=3),
    hashtags=st.lists(some(tag=TEXTS), max_size=2),
)
POSTS = st.fixed_dictionaries(
    {"id": IDS, "text": TEXTS, "author_id": st.just("9") | IDS},
    optional={
        "created_at": MOMENTS,
        "lang": LANGS,
        "conversation_id": IDS,
        "edit_history_tweet_ids": st.lists(IDS, max_size=3),
        "referenced_tweets": st.lists(
            st.fixed_dictionaries(
                {"id": IDS},
                optional={"type": st.sampled_from(["replied_to", "quoted", "retweeted", "odd", 7])},
            ),
            max_size=3,
        ),
        "entities": ENTITIES,
        "note_tweet": some(text=TEXTS, entities=ENTITIES) | st.none(),
        "public_metrics": some(
            like_count=COUNTS, retweet_count=COUNTS, reply_count=COUNTS, impression_count=COUNTS
        ),
        "source": st.sampled_from([None, "web", -1.5e9, [[]], {"a": {"b": "\\\n\u2028"}}]),
    },
)
# With all that a line needs to be plain, so that many are.
PLAIN = st.builds(
    lambda post, moment: {**post, "id": "8", "author_id": "9", "created_at": moment},
    POSTS,
    st.just("2026-11-23T01:21:59.629Z"),
)
MESSAGES = st.fixed_dictionaries(
    {"data": PLAIN | POSTS, "matching_rules": st.just([{"id": "1", "tag": "\u00e9"}])},
    optional={
        "includes": some(
            users=st.lists(st.fixed_dictionaries({"id": st.just("9") | IDS, "username": NAMES})),
            tweets=st.just([{"id": "7"}]),
        ),
        "errors": st.just([{"title": "Not Found Error"}]),
        "type": st.just("posted"),
    },
)
WRITTEN = st.builds(
    lambda row, is_ascii, spaces: json.dumps(
        row, ensure_ascii=is_ascii, separators=spaces
    ).encode(),
    MESSAGES,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", " : ")]),
)


@needs_library
@settings(deadline=None, max_examples=60)
@given(st.lists(WRITTEN, max_size=6))
def test_lines_say_the_same_on_both_roads(data: list[bytes]) -> None:
    agree(data)


@needs_library
@settings(deadline=None, max_examples=120)
@given(WRITTEN, st.data())
def test_a_line_that_was_damaged_is_read_or_left_out_alike(
    line: bytes, draw: st.DataObject
) -> None:
    damaged = bytearray(line)
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + draw.draw(st.integers(0, 2))] = draw.draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"]", b",", b"\xff", b"\xed\xa0\x80"])
            | st.sampled_from([b"\\u00e9", b"\\ud83d", b"\\ud83d\\ude42", b"\\u0000", b"0", b"\n"])
        )
    agree([bytes(damaged).replace(b"\n", b" ")])


@needs_library
@settings(deadline=None, max_examples=150)
@given(TEXTS, TEXTS, LINKS, LANGS)
def test_a_text_is_cleaned_and_its_names_are_found_alike(
    text: str, more: str, link: str, lang: str
) -> None:
    post = {"id": "8", "author_id": "9", "created_at": "2024-02-29T00:00:00Z", "lang": lang}
    urls = [{"url": "https://t.co/a", "expanded_url": link}, {"url": "橋", "expanded_url": link}]
    said = [text + more, f"{text} https://t.co/a {more}", f" {more}{text} \n"]
    rows = [
        {"data": {**post, "text": each, "entities": {"urls": urls}}, "matching_rules": []}
        for each in said
    ]
    agree([json.dumps(row).encode() for row in rows])


ROW = (
    b'{"data":{"id":"8","author_id":"9","created_at":"2026-11-23T01:21:59.629Z","text":"%s"},'
    b'"includes":{"users":[{"id":"9","username":"ann"}]},"matching_rules":[{"id":"1"}]}'
)


def with_urls(text: str, urls: list[str]) -> bytes:
    full = [{"url": url, "expanded_url": "https://a.example/"} for url in urls]
    return (
        ROW.replace(b'"%s"', json.dumps(text).encode() + b',"entities":%s')
        % json.dumps({"urls": full}).encode()
    )


@needs_library
@pytest.mark.parametrize(
    "line",
    [
        ROW.replace(b'"id":"8",', b'"id":"8","id":"7",'),
        ROW.replace(b'"id":"8",', b'"id":8,'),
        ROW.replace(b'"matching_rules":[{"id":"1"}]', b'"errors":[]'),
        ROW + b"{}",
        b"\xef\xbb\xbf" + ROW,
        ROW % b"\xc3\x28",
        ROW % b"\\ud83d",
        ROW % b"zero\xe2\x80\x8bwidth",
        ROW % b"&eacute;",
        ROW % b"",
        ROW % b" \\n ",
        ROW.replace(b'"ann"', b'"Ann Lee"'),
        b'{"id": "7", "text": "of another shape"}',
        b"",
        with_urls(" ", ["https://t.co/a"]),
        with_urls("a" * 33, ["a"]),
        with_urls("a", ["b" * size for size in range(1, 103)]),
    ],
)
def test_what_is_not_plain_is_left(line: bytes) -> None:
    assert plain_in([line]) == 0.0
    assert plain_in([line, ROW % b"plain", line]) == pytest.approx(1 / 3)
    agree([line, ROW % b"plain", line])


@needs_library
def test_an_event_that_the_log_cannot_hold_is_left_out_beside_plain_ones() -> None:
    ours = {"type": "deleted", "id": "half \ud83d", "seen_ms": 1}
    huge = {"type": "account_gone", "network": "n", "author_id": "a", "seen_ms": 1}
    data = [ROW % b"one", json.dumps(ours).encode(), ROW % b"two", json.dumps(huge).encode()]
    events, left_out = jsonl.read_lines(lines_of(data), CAPTURE, itertools.repeat(SEEN_MS))
    assert [type(event).__name__ for event in events] == [
        "Posted",
        "Deleted",
        "Posted",
        "AccountGone",
    ]
    assert left_out == 0
    too_late = itertools.repeat(2**62)
    assert len(jsonl.read_lines(lines_of(data), CAPTURE, too_late)[0]) == 4


@needs_library
def test_no_byte_beyond_a_line_is_looked_at() -> None:
    line = ROW % b"cut"
    agree([line[:end] for end in range(len(line))])


@needs_library
@pytest.mark.parametrize(
    "source", ["", "usc-x-24-us-election", "weibo-ced-rumour", "airline-tweets"]
)
def test_lines_of_real_texts_are_plain_and_the_same(
    source: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue("shared") / "data" / source if source else None
    texts, _ = firehose.texts_in(folder)
    some_texts = random.Random(1).sample(texts, min(3_000, len(texts)))
    firehose.write_tails(tmp_path / "tails", some_texts)
    said = Firehose(tmp_path / "tails").say(0, len(some_texts), SEEN_MS)
    data = [line.data or b"" for line in Lines().feed(said)]
    assert plain_in(data) > 0.97
    agree(data)
