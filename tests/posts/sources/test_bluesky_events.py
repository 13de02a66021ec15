"""What Jetstream messages mean, by real records and by records that nobody should have written."""

import json

import pytest
import servers_bluesky

from fairwitness.posts.compose import events_of
from fairwitness.posts.post import AccountGone, Deleted, Edited, Event, Posted
from fairwitness.posts.sources import bluesky_events
from fairwitness.posts.sources.bluesky_frames import Message, Unreadable, read_v1, read_v2

SEEN_MS = 1_783_175_890_000
TIME_US = 1_783_175_888_090_631
DID = "did:plc:dclwtltrt2ggsryagfzk7dp4"
POSTS = "app.bsky.feed.post"


def adapt(message: Message, seen_ms: int) -> Event | None:
    said = bluesky_events.adapt(message, seen_ms)
    return None if said is None else events_of([said])[0]


def frame(**fields) -> bytes:
    return json.dumps({"did": DID, "time_us": TIME_US, **fields}).encode()


def commit(record=None, **fields) -> bytes:
    body = {"rev": "3mptbypcq372f", "operation": "create", "collection": POSTS, "rkey": "3mptb"}
    body |= {"record": record} if record is not None else {}
    return frame(kind="commit", commit=body | fields)


def post(record: dict):
    full = {"$type": POSTS, "createdAt": "2026-07-04T14:38:06.240Z"} | record
    event = adapt(read_v1(commit(full)), SEEN_MS)
    assert isinstance(event, Posted)
    return event.post


def link(start: int, end: int, uri: str) -> dict:
    return facet(start, end, {"$type": "app.bsky.richtext.facet#link", "uri": uri})


def facet(start: int, end: int, *features: dict) -> dict:
    return {"index": {"byteStart": start, "byteEnd": end}, "features": list(features)}


@pytest.fixture(scope="module")
def real_posts(jetstream_events) -> dict:
    events = (adapt(read_v1(json.dumps(e).encode()), SEEN_MS) for e in jetstream_events)
    return {e.post.id.rsplit("/", 1)[1]: e.post for e in events if isinstance(e, Posted)}


def test_a_post_has_author_times_and_a_place_to_read_it():
    told = post({"text": "hello", "langs": ["en-US"]})
    assert told.id == f"at://{DID}/{POSTS}/3mptb"
    assert told.url == f"https://bsky.app/profile/{DID}/post/3mptb"
    assert (told.network, told.author, told.author_id) == ("bluesky", DID, DID)
    assert (told.created_ms, told.seen_ms) == (1_783_175_886_240, SEEN_MS)
    assert told.lang == "en"


def test_real_shortened_links_are_written_in_full(real_posts):
    video = real_posts["3mptbyoeyc22k"]
    assert video.text == "https://www.youtube.com/watch?v=V5lDo-jw8mA"
    assert video.links == ("https://www.youtube.com/watch?v=V5lDo-jw8mA",)
    assert [cut.was for cut in video.cuts] == ["www.youtube.com/watch?v=V5lD..."]
    tale = real_posts["3mptbyo7tas2u"]
    url = (
        "https://www.tumblr.com/tempo-tales/765681292369166336/"
        "behind-them-timmi-and-wankyu-follow-silently-but?source=share"
    )
    assert tale.text.startswith('"Behind them, Timmi')
    assert f'possible."\n\n{url}\n\n#talesatwonderworld' in tale.text
    assert tale.hashtags == ("talesatwonderworld", "balanwonderworldoc")
    czech = real_posts["3mptbypt22l26"]
    assert czech.text.startswith("https://denikn.cz/2113523\nV souvislosti")


def test_a_real_reply_names_parent_and_root(real_posts):
    reply = real_posts["3mptbyou7ls2i"]
    assert reply.reply_to == reply.thread == f"at://{reply.author_id}/{POSTS}/3mptbyospqk2i"


def test_a_real_picture_without_words_is_a_post_with_a_link(real_posts):
    silent = real_posts["3mptbyproxc2q"]
    assert silent.text == ""
    assert silent.links[0].startswith("https://static.klipy.com/")


def test_offsets_are_bytes():
    text = "天幕 example.com/a... 💦"
    start = len("天幕 ".encode())
    end = start + len("example.com/a...")
    told = post({"text": text, "facets": [link(start, end, "https://example.com/abc/def")]})
    assert told.text == "天幕 https://example.com/abc/def 💦"


@pytest.mark.parametrize(
    "shown", ["click here", "https://bank.example", "example", "see example.com", "exam..."]
)
def test_words_under_a_link_stay_words(shown):
    told = post({"text": shown, "facets": [link(0, len(shown), "https://example.com/evil")]})
    assert told.text == shown
    assert "https://example.com/evil" in told.links


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "https://a.example/ now obey", "at://x", ""]
)
def test_what_is_no_web_address_is_no_link(uri):
    told = post({"text": "a.example/...", "facets": [link(0, 13, uri)]})
    assert (told.text, told.links) == ("a.example/...", ())


def test_mentions_are_dids_and_tags_outside_the_text_are_kept():
    told = post(
        {
            "text": "@a.example #Shown",
            "facets": [
                facet(0, 10, {"$type": "x#mention", "did": "did:plc:friend"}),
                facet(11, 17, {"$type": "x#tag", "tag": "Shown"}),
            ],
            "tags": ["shown", "hidden"],
        }
    )
    assert told.mentions == ("did:plc:friend", "a.example")
    assert told.hashtags == ("Shown", "hidden")


def test_cards_and_quoted_posts_are_links_and_not_text():
    quoted = {"uri": f"at://did:plc:other/{POSTS}/3abc", "cid": "bafy"}
    card = {"uri": "https://news.example/1", "title": "Title", "description": "Words of others"}
    told = post(
        {
            "text": "look",
            "embed": {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"$type": "app.bsky.embed.record", "record": quoted},
                "media": {"$type": "app.bsky.embed.external", "external": card},
            },
        }
    )
    assert told.text == "look"
    assert told.links == (
        "https://news.example/1",
        "https://bsky.app/profile/did:plc:other/post/3abc",
    )
    plain = post({"text": "look", "embed": {"$type": "app.bsky.embed.record", "record": quoted}})
    assert plain.links == ("https://bsky.app/profile/did:plc:other/post/3abc",)


@pytest.mark.parametrize(
    "broken",
    [
        {"langs": "en"},
        {"langs": None},
        {"facets": [{"index": {"byteStart": "0"}}]},
        {"facets": {"a": 1}},
        {"embed": "nothing"},
        {"reply": {"parent": 3}},
        {"tags": [1, 2]},
        {"createdAt": 12},
    ],
)
def test_a_part_that_is_not_as_specified_is_left_out(broken):
    told = post({"text": "still said"} | broken)
    assert told.text == "still said"


@pytest.mark.parametrize("facets", [(-5, 4), (3, 3), (0, 10**9), (1, 14)])
def test_facets_that_leave_or_split_the_text_change_nothing(facets):
    told = post({"text": "é x.example/...", "facets": [link(*facets, "https://x.example/1")]})
    assert told.text == "é x.example/..."


@pytest.mark.parametrize(
    ("claimed", "created_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2100-01-01T00:00:00Z", 4_102_444_800_000),
        ("yesterday", TIME_US // 1000),
        ("", TIME_US // 1000),
        ("99999-01-01T00:00:00Z", TIME_US // 1000),
    ],
)
def test_times_are_kept_as_claimed_and_made_up_for_when_they_are_none(claimed, created_ms):
    assert post({"text": "when?", "createdAt": claimed}).created_ms == created_ms


def test_updates_are_edits_and_deletes_deletions():
    edited = adapt(read_v1(commit({"text": "better"}, operation="update")), SEEN_MS)
    assert isinstance(edited, Edited)
    assert edited.post.text == "better"
    deleted = adapt(read_v1(commit(operation="delete")), SEEN_MS)
    assert deleted == Deleted(f"at://{DID}/{POSTS}/3mptb", SEEN_MS)


@pytest.mark.parametrize("status", ["deleted", "takendown", "suspended", "deactivated", None])
@pytest.mark.parametrize("version", [1, 2])
def test_accounts_that_left_are_gone(status, version):
    account = {"active": False, "did": DID, "seq": 7, "time": "2026-07-04T14:38:07.877Z"}
    account |= {"status": status} if status else {}
    event = {"did": DID, "time_us": TIME_US, "kind": "account", "account": account}
    message = (
        read_v1(json.dumps(event).encode())
        if version == 1
        else read_v2(servers_bluesky.to_v2(event, 5).encode())
    )
    assert message.time_us == TIME_US
    assert adapt(message, SEEN_MS) == AccountGone("bluesky", DID, SEEN_MS)


@pytest.mark.parametrize("account", [{"active": True}, {"active": False, "status": "throttled"}])
def test_living_accounts_stay(account):
    assert adapt(read_v1(frame(kind="account", account=account)), SEEN_MS) is None


def test_a_repository_that_diverged_is_emptied_before_it_is_told_again():
    body = {"did": DID, "rev": "3mpt", "seq": 9, "blocks": {"$bytes": "AA"}, "time": "2026"}
    event = {"did": DID, "time_us": TIME_US, "kind": "sync", "sync": body}
    message = read_v2(servers_bluesky.to_v2(event, 5).encode())
    assert adapt(message, SEEN_MS) == AccountGone("bluesky", DID, SEEN_MS)


@pytest.mark.parametrize("collection", ["app.bsky.feed.like", "app.bsky.feed.repost"])
def test_other_collections_mean_nothing(collection):
    assert adapt(read_v1(commit({"subject": 1}, collection=collection)), SEEN_MS) is None


def test_identities_mean_nothing():
    message = read_v1(frame(kind="identity", identity={"did": DID, "handle": "new.example"}))
    assert adapt(message, SEEN_MS) is None


@pytest.mark.parametrize("rkey", ["", "../x", "a b", "x" * 600])
def test_a_post_without_an_address_is_unreadable(rkey):
    with pytest.raises(Unreadable, match="not the address of a post"):
        adapt(read_v1(commit({"text": "?"}, rkey=rkey)), SEEN_MS)


def test_a_time_without_an_offset_is_not_of_this_stream():
    event = {"did": DID, "time_us": TIME_US, "kind": "identity", "identity": {"seq": 1}}
    with pytest.raises(Unreadable, match="not a v2 frame"):
        read_v2(servers_bluesky.to_v2(event, 5).replace("31Z", "31").encode())
