"""Post objects of X's API v2."""

import msgspec

from fairwitness.posts import clean
from fairwitness.posts.compose import Parts, events_of
from fairwitness.posts.markup import MAX_CUTS
from fairwitness.posts.post import Cut, Edited, Engagement, Posted
from fairwitness.posts.sources.x_posts import User, XPost, read_post

ANN = User(id="7", username="ann")


def read(fields: dict[str, object]) -> Posted | Edited:
    post = msgspec.convert({"id": "30", "author_id": "7"} | fields, XPost)
    parts = parts_of(post)
    assert parts is not None
    event = events_of([parts])[0]
    assert isinstance(event, Posted | Edited)
    return event


def parts_of(post: XPost) -> Parts | None:
    return read_post(post, [ANN], 5_000, clean.from_escaped(post.raw))


def test_a_reply_with_links_mentions_and_counts() -> None:
    # The shape of the data dictionary's first example, with an emoji before the links.
    text = "Let\u2019s go @bob 🙌🏼🔴 &amp; see https://t.co/qQ6rbC5XtB or https://t.co/Vxp4UKnuJ9"
    urls = [
        {
            "start": 22,
            "end": 45,
            "url": "https://t.co/qQ6rbC5XtB",
            "expanded_url": "https://x.com/bob/status/1/photo/1",
        },
        {
            "start": 49,
            "end": 72,
            "url": "https://t.co/Vxp4UKnuJ9",
            "expanded_url": "https://short.example/a",
            "unwound_url": "https://long.example/article",
        },
    ]
    event = read(
        {
            "text": text,
            "lang": "en",
            "created_at": "2024-01-15T10:35:00.000Z",
            "conversation_id": "10",
            "edit_history_tweet_ids": ["30"],
            "in_reply_to_user_id": "8",
            "referenced_tweets": [{"type": "replied_to", "id": "20"}],
            "entities": {"urls": urls, "mentions": [{"username": "bob", "id": "8"}]},
            "public_metrics": {
                "retweet_count": 1,
                "reply_count": 2,
                "like_count": 3,
                "quote_count": 4,
                "bookmark_count": 5,
                "impression_count": 6,
            },
        }
    )
    assert isinstance(event, Posted)
    post = event.post
    assert post.text == (
        "Let\u2019s go @bob 🙌🏼🔴 & see https://x.com/bob/status/1/photo/1 or https://short.example/a"
    )
    assert (post.id, post.reply_to, post.thread) == ("x:30", "x:20", "x:10")
    assert (post.author, post.author_id, post.created_ms) == ("ann", "7", 1_705_314_900_000)
    assert post.engagement == Engagement(likes=3, reposts=1, replies=2, views=6)
    assert post.links[0] == "https://long.example/article"
    assert post.mentions == ("bob",)
    assert [cut.kind for cut in post.cuts] == ["entity", "url", "url"]
    for cut in post.cuts[1:]:
        assert cut.was.startswith("https://t.co/")
        assert post.text[cut.at :].startswith("https://")


def test_a_cut_after_a_link_moves_with_it() -> None:
    urls = [{"url": "https://t.co/a", "expanded_url": "https://example.org/long/path"}]
    post = read({"text": "https://t.co/a &lt;b", "entities": {"urls": urls}}).post
    assert post.text == "https://example.org/long/path <b"
    assert post.cuts == (Cut(0, "url", "https://t.co/a"), Cut(30, "entity", "&lt;"))


def test_a_link_that_would_smuggle_text_is_left_short() -> None:
    for hidden in ("https://a.example/ ignore this", "javascript:alert(1)", "https://a/\u202e"):
        urls = [{"url": "https://t.co/a", "expanded_url": hidden}]
        assert read({"text": "see https://t.co/a", "entities": {"urls": urls}}).post.text == (
            "see https://t.co/a"
        )


def test_a_text_of_links_takes_neither_long_nor_much_memory() -> None:
    urls = [{"url": "a", "expanded_url": "https://a.example/" + "x" * 15_000}]
    post = read({"text": "a" * 20_000, "entities": {"urls": urls}}).post
    assert len(post.cuts) == MAX_CUTS
    assert post.text.endswith("x" + "a" * (20_000 - MAX_CUTS))


def test_an_edit_supersedes_the_first_version() -> None:
    event = read({"text": "Hello world! (edited)", "edit_history_tweet_ids": ["10", "20", "30"]})
    assert isinstance(event, Edited)
    assert event.post.id == "x:10"
    assert event.post.url == "https://x.com/i/status/30"


def test_long_posts_quotes_and_retweets() -> None:
    post = read({"text": "the first 280…", "note_tweet": {"text": "the whole of it"}}).post
    assert post.text == "the whole of it"
    post = read({"text": "no!", "referenced_tweets": [{"type": "quoted", "id": "9"}]}).post
    assert post.links == ("https://x.com/i/status/9",)
    post = read({"text": "RT @b: a", "referenced_tweets": [{"type": "retweeted", "id": "9"}]}).post
    assert post.repost_of == "x:9"


def test_an_account_that_did_not_come_along_is_known_by_its_number() -> None:
    parts = parts_of(XPost(id="1", text="a", author_id="99"))
    assert parts is not None
    assert (parts.author, parts.author_id) == ("99", "99")
    assert parts_of(XPost(id="1")) is None


def test_of_links_that_overlap_the_first_in_the_text_and_in_the_list_is_shown() -> None:
    short, long = "https://t.co/a", "https://t.co/ab"
    urls = [
        {"url": u, "expanded_url": f"https://{n}.example"} for n, u in (("l", long), ("s", short))
    ]
    event = read({"text": f"{short} {long} {short}", "entities": {"urls": urls}})
    assert event.post.text == "https://s.example https://l.example https://s.example"
    assert [cut.was for cut in event.post.cuts] == [short, long, short]
