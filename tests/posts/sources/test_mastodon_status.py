"""What a status means, by the examples of Mastodon's documentation."""

import json

import pytest

from fairwitness.posts.compose import compose
from fairwitness.posts.sources.mastodon_status import Server, Unreadable, read_status, to_parts

SEEN_MS = 1_783_175_890_000
SERVER = Server("web.example.social", "example.social")

REPLY = {
    "id": "108914327388663283",
    "created_at": "2022-08-30T23:05:46.839Z",
    "in_reply_to_id": "108914298452377720",
    "spoiler_text": "",
    "visibility": "public",
    "language": None,
    "uri": "https://far.example/objects/e9cebb0c",
    "url": "https://far.example/objects/e9cebb0c",
    "replies_count": 1,
    "reblogs_count": 2,
    "favourites_count": 3,
    "content": '<span class="h-card"><a class="u-url mention" href="https://p.example/users/dis" '
    'rel="nofollow">@<span>dis</span></a></span> glad i was able to help',
    "reblog": None,
    "account": {"acct": "freon@far.example", "url": "https://far.example/users/freon"},
    "mentions": [{"id": "1", "url": "https://p.example/users/dis", "acct": "dis@p.example"}],
    "tags": [],
}


def post(**fields):
    return compose(to_parts(read_status(json.dumps(REPLY | fields)), SERVER, SEEN_MS))


def test_a_reply():
    told = post()
    assert told.id == "mastodon:web.example.social:108914327388663283"
    assert told.reply_to == "mastodon:web.example.social:108914298452377720"
    assert told.text == "@dis glad i was able to help"
    assert (told.author, told.author_id) == ("freon@far.example", "https://far.example/users/freon")
    assert told.mentions[0] == "dis@p.example"
    assert told.links == ()
    assert told.url == "https://far.example/objects/e9cebb0c"
    assert (told.created_ms, told.seen_ms) == (1_661_900_746_839, SEEN_MS)
    engagement = told.engagement
    assert (engagement.likes, engagement.reposts, engagement.replies) == (3, 2, 1)


def test_people_of_the_server_get_its_domain():
    account = {"acct": "ana", "uri": "https://web.example.social/users/ana"}
    told = post(account=account, mentions=[{"acct": "bob"}])
    assert told.author == "ana@example.social"
    assert told.author_id == "https://web.example.social/users/ana"
    assert "bob@example.social" in told.mentions


def test_hidden_pieces_of_a_link_make_it_whole():
    content = (
        '<p>read <a href="https://www.news.example/money/2019/dec/07/i-lost"><span '
        'class="invisible">https://www.</span><span class="ellipsis">news.example/money/2019</span>'
        '<span class="invisible">/dec/07/i-lost</span></a> <a href="https://c.example/tags/'
        'Qualit%C3%A4t" class="mention hashtag">#<span>Qualität</span></a></p>'
    )
    told = post(content=content, tags=[{"name": "qualität"}, {"name": "apart"}], mentions=[])
    assert told.text == "read https://www.news.example/money/2019/dec/07/i-lost #Qualität"
    assert told.links == ("https://www.news.example/money/2019/dec/07/i-lost",)
    assert told.hashtags == ("Qualität", "apart")


def test_a_content_warning_is_the_first_line():
    told = post(spoiler_text="politics & <food>", content="<p>soup</p>", mentions=[])
    assert told.text == "politics & <food>\n\nsoup"


def test_a_reblog_repeats_the_words_of_another():
    booster = {"acct": "boost", "uri": "https://web.example.social/users/boost"}
    told = post(id="200", account=booster, content="", in_reply_to_id=None, reblog=REPLY)
    assert told.repost_of == "mastodon:web.example.social:108914327388663283"
    assert (told.author, told.text) == ("boost@example.social", "@dis glad i was able to help")
    assert told.reply_to == ""


@pytest.mark.parametrize("url", [None, "javascript:alert(1)"])
def test_a_place_to_read_it_is_on_the_web(url):
    assert post(url=url).url == "https://far.example/objects/e9cebb0c"


def test_a_time_that_is_none_is_when_we_saw_it():
    assert post(created_at="soon").created_ms == SEEN_MS


def test_an_id_that_is_none_is_unreadable():
    with pytest.raises(Unreadable, match="not an id of a status"):
        post(id="1/../2")
