"""Every shape in which people keep posts becomes the post that it means."""

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.posts.post import (
    AccountGone,
    Cut,
    Deleted,
    Edited,
    Engagement,
    Event,
    Post,
    Posted,
    seen_ms,
)
from fairwitness.posts.sources import captures
from fairwitness.posts.sources.captures import Capture, events_in, time_of
from fairwitness.posts.sources.captures_values import count, moment_of

SEEN_MS = 1_800_000_000_000
ANY = Capture("any")


def read(row: dict[str, object], capture: Capture, seen_ms: int) -> Event | None:
    said = captures.read(row, capture, seen_ms)
    return events_in([said])[0]


def post_of(row: dict[str, object], capture: Capture = ANY) -> Post:
    event = read(row, capture, SEEN_MS)
    assert isinstance(event, Posted)
    return event.post


# name of the capture, share of rows that hold a statement, network, share of rows with an author
REAL = [
    ("usc-x-24-us-election/posts.dev", 1.0, "x", 1.0),
    ("fivethirtyeight-tweets/mayweather_mcgregor", 1.0, "x", 1.0),
    ("fivethirtyeight-tweets/trump_obama", 1.0, "x", 1.0),
    ("hackernews-frontpage/stories.dev", 0.999, "hackernews", 0.95),
    ("hackernews-frontpage/snapshots_2022-02-20_2022-03-06", 0.0, "", 0.0),
    ("reddit-top-2013/posts_subset", 1.0, "reddit", 0.0),
    ("telegram-ru-news/posts", 1.0, "telegram", 1.0),
    ("weibo-hot-search/hourly.dev", 1.0, "weibo", 1.0),
    ("news-headlines-newsflow/headlines.dev", 1.0, "news", 1.0),
    ("news-headlines-wklnd/general.dev", 1.0, "news", 0.95),
    ("news-headlines-wklnd/topics", 1.0, "news", 0.95),
    ("crisislex/t26_labeled.dev", 1.0, "x", 0.0),
    ("crisislex/t6_labeled", 1.0, "x", 0.0),
    ("rumoureval2017/posts.dev", 1.0, "x", 1.0),
    ("weibo-ced-rumour/originals.dev", 1.0, "weibo", 0.0),
    ("airline-tweets/posts", 1.0, "x", 0.0),
]


@pytest.mark.parametrize(("name", "share", "network", "authors"), REAL)
def test_real_captures_are_read(
    shared: Path, name: str, share: float, network: str, authors: float
) -> None:
    posts, rows = [], 0
    with gzip.open(shared / "data" / f"{name}.jsonl.gz") as lines:
        for line in lines:
            rows += 1
            row = msgspec.json.decode(line)
            event = read(row, Capture(name), time_of(row) or 0)
            if event is not None:
                assert isinstance(event, Posted)
                posts.append(event.post)
            if rows == 1500:
                break
    assert len(posts) >= share * rows
    assert {post.network for post in posts} <= {network}
    assert all(post.text and post.id and post.created_ms > 0 for post in posts)
    known = [post for post in posts if post.author_id]
    assert len(known) >= authors * len(posts)
    assert all(post.author == "unknown" for post in posts if not post.author_id)
    if not authors:
        assert not known


def test_a_tweet() -> None:
    row = {
        "id": "498280920227794945",
        "ts": "2014-08-10T01:33:23Z",
        "author": "u1",
        "verified": False,
        "lang": "en",
        "text": "@Michael is this true &amp; sure? http://t.co/a",
        "reply_to": "498280126254428160",
        "thread": "498280126254428160",
        "reposts": 3,
        "likes": None,
        "urls": ["http://wp.me/p"],
    }
    post = post_of(row)
    assert post == Post(
        id="x:498280920227794945",
        network="x",
        author="u1",
        author_id="u1",
        text="@Michael is this true & sure? http://t.co/a",
        created_ms=1_407_634_403_000,
        seen_ms=SEEN_MS,
        url="https://x.com/i/status/498280920227794945",
        lang="en",
        lang_confidence=1.0,
        reply_to="x:498280126254428160",
        thread="x:498280126254428160",
        links=("http://wp.me/p", "http://t.co/a"),
        mentions=("Michael",),
        engagement=Engagement(reposts=3),
        cuts=(Cut(22, "entity", "&amp;"),),
    )


def test_a_tweet_known_only_by_its_url() -> None:
    row = {"ts": "2017-10-23T12:30:00Z", "author": "a", "text": "b", "likes": 1}
    assert post_of(row | {"url": "https://twitter.com/a/status/922440008971292672"}).id == (
        "x:922440008971292672"
    )


def test_the_same_hot_topic_every_hour_is_one_post_whose_engagement_changes() -> None:
    row = {"ts": "2025-07-18T19:00:00+08:00", "rank": 3, "title": "千万不要在洗澡的时候哭泣"}
    row |= {"category": None, "hot": 516_217, "read": 38_650_000, "discuss": 13_000}
    hot = Capture("weibo-hot-search/hourly")
    first = post_of(row, hot)
    later = post_of(row | {"ts": "2025-07-18T23:00:00+08:00", "read": 40_000_000}, hot)
    next_day = post_of(row | {"ts": "2025-07-19T00:00:00+08:00"}, hot)
    assert (first.network, first.author, first.lang) == ("weibo", "weibo hot search", "zh")
    assert first.engagement == Engagement(replies=13_000, views=38_650_000)
    assert later.engagement.views == 40_000_000
    assert first.id == later.id != next_day.id
    assert first.text == later.text


def test_retweets_of_one_tweet_share_what_they_repeat() -> None:
    rows = [
        {"id": str(10**17 + n), "author": f"u{n}", "text": f"RT @{name}: dam is broken{end}"}
        for n, (name, end) in enumerate([("Ann", ""), ("ann", " …"), ("ann", "?"), ("bob", "")])
    ]
    posts = [post_of(row) for row in rows]
    assert posts[0].text == "RT @Ann: dam is broken"
    assert posts[0].repost_of.startswith("x:rt:ann:")
    assert posts[0].repost_of == posts[1].repost_of
    assert len({post.repost_of for post in posts}) == 3
    assert (
        post_of({"id": "1", "author": "a", "text": "RT @x: y", "network": "file"}).repost_of == ""
    )


def test_headlines_name_their_outlet() -> None:
    general = {"ts": "2025-07-24T16:27:00", "section": None, "url": None}
    post = post_of(general | {"title": "Rare protests in Ukraine - The New York Times"})
    assert (post.author, post.network) == ("The New York Times", "news")
    sourced = {"ts": "2024-10-02T19:19:25Z", "source": "BBC News", "category": "World"}
    post = post_of(sourced | {"title": "A", "url": "https://bbc.com/a"})
    assert (post.author_id, post.url) == ("BBC News", "https://bbc.com/a")


def test_stories_have_their_page_and_their_link() -> None:
    story = {"id": "25008941", "ts": "2020-11-06T18:10:51+00:00", "title": "On cgroups"}
    story |= {"url": "https://r.com/?a&amp;b", "author": None, "best_rank": 1, "points_last": 315}
    post = post_of(story)
    assert (post.id, post.author, post.author_id) == ("hackernews:25008941", "unknown", "")
    assert post.url == "https://news.ycombinator.com/item?id=25008941"
    assert post.links == ("https://r.com/?a&b",)
    assert post.engagement.likes == 315


def test_title_and_selftext_make_one_text() -> None:
    row = {"id": "p6yc", "ts": "2006-11-03T08:21:07Z", "subreddit": "s", "title": "A tale"}
    post = post_of(row | {"selftext": "Once &lt;upon&gt;", "score": 7, "comments": 1})
    assert post.text == "A tale\n\nOnce <upon>"
    assert post.id == "capture:any:p6yc"
    assert post_of(row | {"selftext": None}).text == "A tale"


def test_what_a_user_would_have() -> None:
    row = {"id": 7, "text": "Brücke gesperrt", "timestamp": 1_700_000_000, "user": {"name": "Eva"}}
    post = post_of(row | {"url": "https://example.org/7"}, Capture("mine"))
    assert (post.id, post.network, post.author) == ("capture:mine:7", "file", "Eva")
    assert post.created_ms == 1_700_000_000_000
    assert post.url == "https://example.org/7"
    assert post_of(row, Capture("mine", "telegram")).network == "telegram"
    assert post_of(row | {"network": "Twitter"}, Capture("mine", "telegram")).network == "x"


def test_old_x_api_rows() -> None:
    row = {
        "created_at": "Wed Aug 27 13:08:45 +0000 2014",
        "id": 504_608_112_345_678_901,
        "id_str": "504608112345678901",
        "full_text": "it &lt;moved&gt;",
        "user": {"id_str": "12", "screen_name": "eva", "name": "Eva"},
        "retweet_count": 2,
        "favorite_count": "5",
        "in_reply_to_status_id_str": None,
    }
    post = post_of(row)
    assert (post.id, post.author, post.author_id) == ("x:504608112345678901", "eva", "12")
    assert post.created_ms == 1_409_144_925_000
    assert post.engagement == Engagement(likes=5, reposts=2)
    assert post.text == "it <moved>"


def test_objects_of_the_apis_of_x_and_hacker_news() -> None:
    alone = {
        "id": "1846987139428634858",
        "text": "tram &amp; bus",
        "author_id": "2244994945",
        "created_at": "2024-10-17T19:00:00.000Z",
        "edit_history_tweet_ids": ["1846987139428634858"],
    }
    users = [{"id": "2244994945", "username": "ann"}]
    streamed = {"data": alone, "includes": {"users": users}, "matching_rules": [{"id": "1"}]}
    assert time_of(alone) == time_of(streamed) == 1_729_191_600_000
    post = post_of(streamed)
    assert (post.id, post.author, post.text) == ("x:1846987139428634858", "ann", "tram & bus")
    assert post_of(alone).author == "2244994945"
    item = {"by": "ann", "id": 7, "time": 1_700_000_000, "type": "comment", "parent": 6}
    post = post_of(item | {"text": "so <i>it</i> is"})
    assert (post.id, post.reply_to, post.text) == ("hackernews:7", "hackernews:6", "so it is")
    assert read(item | {"deleted": True}, ANY, 5) == Deleted("hackernews:7", 5)


def test_mastodon_and_bluesky_objects() -> None:
    status = {
        "id": "108914354907984653",
        "created_at": "2022-08-30T23:12:47.000Z",
        "language": "en",
        "uri": "https://a.example/users/u/statuses/1",
        "url": "https://a.example/@u/1",
        "content": "<p>Tram 4 <b>stopped</b></p>",
        "account": {"acct": "u@a.example", "uri": "https://a.example/users/u"},
        "favourites_count": 3,
    }
    post = post_of(status)
    assert (post.id, post.network) == ("https://a.example/users/u/statuses/1", "mastodon")
    assert (post.text, post.author) == ("Tram 4 stopped", "u@a.example")
    uri = "at://did:plc:abc/app.bsky.feed.post/3k"
    view = {
        "uri": uri,
        "cid": "bafy",
        "author": {"did": "did:plc:abc", "handle": "u.bsky.social"},
        "record": {"text": "Tram 4 stopped", "createdAt": "2024-01-01T00:00:00Z", "langs": ["en"]},
        "likeCount": 4,
    }
    post = post_of(view)
    assert (post.id, post.network, post.author_id) == (uri, "bluesky", "did:plc:abc")
    assert post.url == "https://bsky.app/profile/did:plc:abc/post/3k"
    assert (post.lang, post.engagement.likes) == ("en", 4)


ONE = Post(
    id="x:1", network="x", author="a", author_id="7", text="b", created_ms=1, seen_ms=5, lang="en"
)


@pytest.mark.parametrize(
    "event", [Posted(ONE), Edited(ONE), Deleted("x:1", 5), AccountGone("x", "7", 5)]
)
def test_our_own_events_come_back_as_they_were(event: Event) -> None:
    row = msgspec.json.decode(msgspec.json.encode(event))
    assert time_of(row) == 5
    assert read(row, ANY, 5) == event
    again = read(row, ANY, SEEN_MS)
    assert again is not None
    assert seen_ms(again) == SEEN_MS


def test_our_own_row_cannot_carry_what_cleaning_would_have_cut() -> None:
    hidden = msgspec.structs.replace(ONE, text="safe\U000e0041 text")
    post = post_of(msgspec.json.decode(msgspec.json.encode(Posted(hidden))))
    assert post.text == "safe text"
    assert [cut.kind for cut in post.cuts] == ["control"]


def test_a_broken_row_of_ours_is_an_error() -> None:
    with pytest.raises(ValueError, match="missing required field"):
        read({"type": "posted", "post": {"id": "x:1"}}, ANY, 0)


@pytest.mark.parametrize(
    ("written", "moment_ms"),
    [
        ("2013-05-01T10:00:00Z", 1_367_402_400_000),
        ("2013-05-01T12:00:00+02:00", 1_367_402_400_000),
        ("2013-05-01 10:00:00", 1_367_402_400_000),
        ("20130501", 1_367_366_400_000),
        ("Wed, 01 May 2013 12:00:00 +0200", 1_367_402_400_000),
        (1_367_402_400, 1_367_402_400_000),
        (1_367_402_400.5, 1_367_402_400_500),
        ("1367402400", 1_367_402_400_000),
        (1_367_402_400_000, 1_367_402_400_000),
        ("1409120110230", 1_409_120_110_230),
        (1_367_402_400_000_000, 1_367_402_400_000),
        (1_367_402_400_000_000_000, 1_367_402_400_000),
        ("1970-01-01T00:00:00Z", 0),
        ("2100-01-01T00:00:00Z", 4_102_444_800_000),
        (-86_400, -86_400_000),
        ("yesterday", None),
        ("2013-13-45T99:00:00Z", None),
        ("", None),
        (None, None),
        (True, None),
        (float("nan"), None),
        (10**30, None),
        ([2013], None),
    ],
)
def test_times(written: object, moment_ms: int | None) -> None:
    assert moment_of(written) == moment_ms


def test_a_post_without_a_time_was_made_when_seen() -> None:
    assert post_of({"id": 1, "text": "a", "ts": "yesterday"}).created_ms == SEEN_MS


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("12", 12), (4.0, 4), (-2, -1), (None, -1), (True, -1), ("1k", -1), (1e300, -1)],
)
def test_counts(value: object, number: int) -> None:
    assert count(value) == number


@pytest.mark.parametrize("row", [{}, {"text": ""}, {"text": None}, {"id": 4, "points": 1}])
def test_a_row_without_a_statement_is_nothing(row: dict[str, object]) -> None:
    assert read(row, ANY, 0) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(
    "type post id uri text content title selftext created_at ts author user account record url "
    "by time data edit_history_tweet_ids public_metrics matching_rules urls network likes read "
    "hot discuss source section subreddit lang author_id seen_ms".split()
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_no_row_is_more_than_a_bad_row(row: dict[str, object]) -> None:
    try:
        event = read(row, ANY, SEEN_MS)
    except ValueError:
        return
    if event is not None:
        msgspec.json.encode(event)
