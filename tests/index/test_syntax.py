"""A line in the search box: what it means, and where a finger points when it means nothing."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.index import Condition, LiveIndex, Query, SyntaxProblem, all_or_any, parse, render
from fairwitness.posts.clock import from_iso
from fairwitness.posts.post import Post, Posted

NOW_MS = from_iso("2026-11-22T12:00:00Z")


def written(text: str) -> str:
    return render(parse(text, NOW_MS))


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", ""),
        ("fire flood", "fire flood"),
        ("fire flood fire", "fire flood"),
        ("fire OR flood rain", "(fire OR flood) rain"),
        ("rain fire OR flood", "rain (fire OR flood)"),
        ("a OR b OR c", "(a OR b OR c)"),
        ("a or b and c", "a or b and c"),
        ("(a b) OR (c d)", "(a OR c) (a OR d) (b OR c) (b OR d)"),
        ("(puppy OR kitten) AND (sweet OR cute)", "(puppy OR kitten) (sweet OR cute)"),
        ("-(a OR b)", "-a -b"),
        ("-(a -b)", "(-a OR b)"),
        ("-(-(a OR b) OR c)", "(a OR b) -c"),
        ('-fire -"big fire" -from:ann', '-fire -"big fire" -from:ann'),
        ('"state  of\nemergency"', '"state of emergency"'),
        ("“smart quotes” （a OR b） ＃tag", '"smart quotes" (a OR b) #tag'),
        ("fire - flood -- rain – wind", "fire flood rain wind"),
        ("what ? fire !", "what fire"),
        ("-? fire", "fire"),
        ("state-of-the-art", "state-of-the-art"),
        ("BREAKING: 12:30 https://example.org/a", "BREAKING: 12:30 https://example.org/a"),
        ("FROM:@NASA Lang:EN", "from:NASA lang:en"),
        ('from:"New York Times"', 'from:"New York Times"'),
        ("from:did:plc:abc to:ann@m.example", "from:did:plc:abc to:ann@m.example"),
        ("lang:zh-TW lang:in lang:iw", "lang:zh lang:id lang:he"),
        (
            "filter:links -filter:replies exclude:reposts",
            "filter:links -filter:replies -filter:reposts",
        ),
        ("is:reply has:links is:retweet", "filter:replies filter:links filter:reposts"),
        ("filter:nativeretweets filter:retweets", "filter:reposts"),
        ("filter:has_engagement", "(min_faves:1 OR min_retweets:1 OR min_replies:1)"),
        ("min_likes:10 -min_reposts:05", "min_faves:10 -min_retweets:5"),
        ("url:https://www.Example.org/", "url:example.org"),
        ("network:Bluesky", "network:bluesky"),
        ("since:2026-11-1", "since:2026-11-01T00:00:00Z"),
        ("since:2026-11-01T10:00Z", "since:2026-11-01T10:00:00Z"),
        ("since:2026-11-01_10:00:00_UTC", "since:2026-11-01T10:00:00Z"),
        ("since:2026-11-01T10:00:00.125+02:00", "since:2026-11-01T08:00:00.125Z"),
        ("until:2026-11-01 until:2026-10-01", "until:2026-10-01T00:00:00Z"),
        ("-since:2026-11-01", "until:2026-11-01T00:00:00Z"),
        ("since_time:1795000000", "since:2026-11-18T11:06:40Z"),
        ("until_time:1795000000", "until:2026-11-18T11:06:40Z"),
        ("within_time:2h", "since:2026-11-22T10:00:00Z"),
        ("fire OR since:2026-11-01", "(fire OR since:2026-11-01T00:00:00Z)"),
        ("津波警報 OR 🔥 -“緊急 地震”", '(津波警報 OR 🔥) -"緊急 地震"'),
        ("\u200ffrom:\u200ename \u202eחדשות\u202c", "from:name חדשות"),
        ("fire \ud800", "fire"),
    ],
)
def test_what_is_typed_means(text: str, means: str) -> None:
    assert written(text) == means


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ('fire "open', 5, "never closed"),
        ('from:"open', 5, "never closed"),
        ('fire ""', 5, "no word stands between these quotes"),
        ("fire OR", 5, "on the right of this OR"),
        ("OR fire", 0, "on the left of this OR"),
        ("a OR OR b", 2, "on the right of this OR"),
        ("(a OR) b", 3, "on the right of this OR"),
        ("a OR ?!", 2, "on the right of this OR"),
        ("-OR", 0, "behind this -"),
        ("a (b", 2, "never closed"),
        ("a) b", 1, "closes nothing"),
        ("a ()", 2, "no word between these brackets"),
        ("?!", 0, "no word to search for"),
        ("from: nasa", 0, "nothing stands behind from:"),
        ("fire form:nasa", 5, "did you mean from:?"),
        ("lnag:en", 0, "did you mean lang:?"),
        ("Trump:guilty", 0, "put it in quotes"),
        ("since:2026-02-30", 6, "no such date: 2026-02-30"),
        ("since:2026-13-01", 6, "no such date"),
        ("since:0000-01-01", 6, "no such date"),
        ("since:2026-11-01T25:00", 6, "no such time"),
        ("since:yesterday", 6, "not a date: yesterday"),
        ("since:2026-11-02 fire until:2026-11-02", 28, "no post is made since"),
        ("within_time:soon", 12, "takes a time like 30s"),
        ("since_time:2026-11-01", 11, "seconds since 1970"),
        ("min_faves:1k", 10, "takes a number, such as min_faves:10, not 1k"),
        ("min_faves:" + "9" * 30, 10, "takes a number"),
        ("lang:english", 5, "not a code of a language"),
        ("url:example.org/path", 4, "takes a site alone"),
        ("url:example", 4, "write it in full"),
        ("filter:link5", 7, "did you mean links?"),
        ("filter:media", 7, "filter:media is not supported: posts are kept without"),
        ("fire -filter:verified", 13, "filter:verified is not supported"),
        ("near:rome", 5, "near: is not supported"),
        ("conversation_id:1", 16, "conversation_id: is not supported: threads"),
        ("津波 form:x", 3, "no operator form:"),
        ("(" * 60 + "a" + ")" * 60, 50, "brackets are 50 deep"),
        ("a " * 2_001, 4_000, "more than 2,000 words"),
        (" OR ".join(["(a b c d)"] * 6), 62, "come to more than 2,000 conditions"),
        ("a" * 100_001, 100_000, "longer than 100,000 characters"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, at: int, says: str) -> None:
    with pytest.raises(SyntaxProblem) as raised:
        parse(text, NOW_MS)
    assert (raised.value.at, says in str(raised.value)) == (at, True), str(raised.value)
    assert str(raised.value)[0].islower()


@pytest.mark.parametrize(
    ("text", "pointed"),
    [
        ("fire form:x", "fire form:x\n     ^ no operator"),
        ("津波 form:x", "津波 form:x\n     ^ no operator"),
        ("e\u0301 form:x", "e\u0301 form:x\n  ^ no operator"),
        ("\u202efire\x1b form:x", "·fire· form:x\n       ^ no operator"),
        (
            "a " * 99 + "form:x" + " b" * 99,
            "a " * 30 + "form:x" + " b" * 27 + "\n" + " " * 60 + "^ no",
        ),
    ],
)
def test_the_caret_stands_under_the_character(text: str, pointed: str) -> None:
    with pytest.raises(SyntaxProblem) as raised:
        parse(text, NOW_MS)
    assert raised.value.pointed().startswith(pointed)


def test_words_are_what_ranks() -> None:
    query = parse('fire -rain ("big flood" OR from:ann) to:bo url:a.org #tag lang:en', NOW_MS)
    assert query.words == "fire big flood #tag"
    assert Condition("word", "rain", negated=True) in {
        c for clause in query.clauses for c in clause
    }
    assert parse("from:ann -rain", NOW_MS).words == ""


pieces = st.one_of(
    st.sampled_from(
        '" ( ) - -- OR AND : fire "big fire" #tag @ann $TSLA 🔥 津波 ? \u200f'.split(" ")
    ),
    st.sampled_from(
        "from: to:ann since:2026-11-01 until:2026-02-30 lang:en url:a.org filter:links".split()
    ),
    st.sampled_from(
        ['from:"a b"', "min_faves:5", "exclude:replies", "filter:has_engagement", "x:y"]
    ),
    st.text(max_size=6),
)


def read_or_pointed_at(text: str) -> Query | None:
    problem = None
    try:
        return parse(text, NOW_MS)
    except SyntaxProblem as raised:
        problem = raised
    assert 0 <= problem.at <= len(text)
    assert problem.pointed().count("\n") == 1
    return None


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.lists(pieces, max_size=9).map(" ".join), st.lists(pieces).map("".join)))
def test_any_text_is_read_or_pointed_at(text: str) -> None:
    query = read_or_pointed_at(text)
    if query is None:
        return
    assert parse(render(query), 0) == query
    assert msgspec.json.decode(msgspec.json.encode(query), type=Query) == query
    assert all(
        clause and all(c.value != "" or c.kind in _BARE for c in clause) for clause in query.clauses
    )


_BARE = ("link", "reply", "repost")


def test_plain_words_that_no_post_holds_together_are_looked_for_singly(
    index: LiveIndex, post: type[Post]
) -> None:
    texts = {"1": "fire in turin", "2": "flood in rome", "3": "rain"}
    index.apply([Posted(post(id, text)) for id, text in texts.items()], 1)
    index.refresh()

    def found(text: str) -> tuple[list[str], bool]:
        results, holds_all = all_or_any(index.search, parse(text, NOW_MS))
        return sorted(hit.post.id for hit in results.hits), holds_all

    assert found("fire turin") == (["1"], True)
    assert found("fire rome") == (["1", "2"], False)
    assert found("fire rome -turin") == (["2"], False)
    assert found('"flood in rome" fire') == (["2"], False)
    assert found('"fire in" "flood in"') == ([], True), "what is in quotes was meant"
    assert found("(fire OR flood) rain") == (["1", "2"], False)
    assert found("fire -fire") == ([], False)
    assert found("#fire") == ([], True)


@pytest.mark.parametrize("text", ["the", "the of and to", "ん", "の は"])
def test_common_words_are_words_too(index: LiveIndex, post: type[Post], text: str) -> None:
    index.apply([Posted(post("1", f"{text} of the and to")), Posted(post("2", "rain"))], 1)
    index.refresh()
    assert [hit.post.id for hit in index.search(parse(text, NOW_MS)).hits] == ["1"]
