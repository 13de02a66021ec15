"""What is read, cleaned and composed together is the same as one by one."""

import itertools
import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.posts import clean
from fairwitness.posts.compose import Parts, compose, compose_all, events_of
from fairwitness.posts.post import Cut, Deleted, Edited, Event, Posted
from fairwitness.posts.sources.captures import Capture
from fairwitness.posts.sources.jsonl import read_lines
from fairwitness.posts.sources.lines import Line

ODD = [*" \n\t<>&;#@:/", "  ", "\n\n", "\r\n", "\u200b", "\u200d", "\ufe0f", "\u202e", "e\u0301"]
WORDS = [
    "bridge",
    "closed",
    "мост",
    "橋",
    "🙂",
    "&amp;",
    "<br>",
    "https://a.example/x.",
    "＃橋",
    "@ann",
]
TEXTS = st.lists(st.sampled_from(ODD + WORDS) | st.characters(), max_size=12).map("".join)
WAYS = st.sampled_from([clean.from_plain, clean.from_escaped, clean.from_html])
NAMES = st.sampled_from(["ann", " Ann  Lee ", "李\u200b雷", "half \ud83d", "x" * 300, ""])


def flat(text: str, name: str) -> object:
    return {"id": "7", "text": text, "created_at": "2024-05-01T12:00:00Z", "username": name}


def streamed(text: str, name: str) -> object:
    data = {"id": "8", "text": text, "author_id": "9", "edit_history_tweet_ids": ["7", "8"]}
    users = [{"id": "9", "username": name}]
    return {"data": data, "includes": {"users": users}, "matching_rules": [{"id": "1"}]}


def hostile(text: str, name: str) -> object:
    return {"data": {"id": 8, "text": text}, "matching_rules": name, "type": "posted", "post": {}}


def ours(text: str, name: str) -> object:
    post = {"id": "1", "network": "n", "author": name, "author_id": name, "text": text}
    return {"type": "edited", "post": post | {"created_ms": 1, "seen_ms": 2}}


def bluesky(text: str, name: str) -> object:
    author = {"did": "did:plc:a", "handle": name}
    return {"uri": "at://did:plc:a/b/c", "record": {"text": text}, "author": author}


def mastodon(text: str, name: str) -> object:
    return {"account": {"acct": name}, "content": f"<p>{text}</p>", "uri": "https://m.example/1"}


SHAPES = st.sampled_from([flat, streamed, streamed, hostile, ours, bluesky, mastodon])
ROWS = st.builds(lambda shape, *said: json.dumps(shape(*said)).encode(), SHAPES, TEXTS, NAMES)
BROKEN = st.sampled_from([b"", b"  ", b"{", b"[]", b"7", None, b'{"data": 1, "matching_rules": 1}'])


@settings(deadline=None)
@given(st.lists(ROWS | BROKEN, max_size=8))
def test_lines_are_read_the_same_in_one_batch_as_in_many(data: list[bytes | None]) -> None:
    lines = [Line(number, 0, each) for number, each in enumerate(data, start=1)]
    capture, seen_ms = Capture("any"), itertools.repeat(5)
    one_by_one = [read_lines([line], capture, seen_ms) for line in lines]
    events: tuple[Event, ...] = tuple(event for told, _ in one_by_one for event in told)
    left_out = sum(count for _, count in one_by_one)
    assert read_lines(lines, capture, seen_ms) == (events, left_out)


@given(st.lists(st.tuples(TEXTS, WAYS), max_size=8))
def test_texts_are_cleaned_the_same_together(said: list[tuple[str, clean.Way]]) -> None:
    together = clean.clean_all([raw for raw, _ in said], [way for _, way in said])
    assert together == [way(raw) for raw, way in said]


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, NAMES, st.booleans()), max_size=6))
def test_posts_are_composed_the_same_together_and_in_order(
    said: list[tuple[str, str, bool]],
) -> None:
    parts = [
        Parts(
            cleaned=clean.from_plain(text),
            id=str(number),
            network="n",
            author=name,
            author_id=name,
            created_ms=1,
            seen_ms=2,
            hashtags=("Bridge", "bridge"),
            mentions=(name,),
            is_edit=is_edit,
        )
        for number, (text, name, is_edit) in enumerate(said)
    ]
    posts = compose_all(parts)
    assert posts == [compose(each) for each in parts]
    gone = Deleted("x", 1)
    kinds = [Edited if each.is_edit else Posted for each in parts]
    told = [kind(post) for kind, post in zip(kinds, posts, strict=True)]
    assert events_of([gone, *parts, gone]) == [gone, *told, gone]


@given(st.lists(st.sampled_from([*" \n\n ab.\t\r", "\u200b", "\xa0"]), max_size=16).map("".join))
def test_plain_spaces_are_folded_as_all_odd_characters_are(raw: str) -> None:
    # With a cut to move along, the text takes the long way.
    quick, _ = clean._without_odd(raw, ())
    slow, _ = clean._without_odd(raw, [Cut(0, "entity", "&lt;")])
    assert quick.strip() == slow.strip()


@given(TEXTS)
def test_where_a_text_is_perhaps_odd_all_that_is_odd_is_found(raw: str) -> None:
    found = [match.span() for match in clean._odd_in(raw)]
    assert found == [match.span() for match in clean._ODD.finditer(raw)]


def test_lines_that_are_left_out_are_named_in_their_order(caplog: pytest.LogCaptureFixture) -> None:
    data = [b'{"id": 1, "text": " "}', b"{", b'{"id": 2, "text": "a"}', b"[]"]
    lines = [Line(number, 0, each) for number, each in enumerate(data, start=1)]
    with caplog.at_level(logging.WARNING):
        events, left_out = read_lines(lines, Capture("any"), itertools.repeat(5))
    assert (len(events), left_out) == (1, 3)
    said = caplog.messages[-1]
    assert said.startswith("any: left out 3 lines: 1 (no statement), 2 (")
    assert said.endswith("4 (not a JSON object)")
