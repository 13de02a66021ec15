"""Documents: every feed that feedparser is tested with, JSON Feed, and documents made to hurt."""

import time
from pathlib import Path

import pytest

from fairwitness.posts.sources.feeds_document import MAX_ENTRIES, FeedError, read_document
from fairwitness.posts.sources.feeds_entries import Known, changes, cleaned_text

URL = "http://127.0.0.1:8097/feed"


def test_every_fixture_is_read_or_refused_by_name(shared: Path) -> None:
    files = sorted((shared / "data" / "feedparser-fixtures" / "tests").rglob("*.*"))
    assert len(files) > 2100
    refused, posts, slowest_s = [], 0, 0.0
    for file in files:
        start_s = time.perf_counter()
        try:
            document = read_document(file.read_bytes(), URL)
            events, entries, _ = changes(document, Known(), URL, 5)
            posts += len(events)
            assert len(entries) == len(events)
        except FeedError as error:
            refused.append(str(error))
        slowest_s = max(slowest_s, time.perf_counter() - start_s)
    assert len(refused) < 10, refused
    assert all(reason.startswith("not a feed") and URL in reason for reason in refused)
    assert posts > 400
    assert slowest_s < 2


def test_a_headers_charset_is_heard() -> None:
    body = "<rss version='2.0'><channel><title>\u8981\u95fb</title></channel></rss>".encode(
        "gb2312"
    )
    assert read_document(body, URL, "application/rss+xml; charset=gb2312").title == "\u8981\u95fb"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("eva@daily.example (Eva Li)", "Eva Li"),
        ("Eva Li (eva@daily.example)", "Eva Li"),
        ("Eva Li &lt;e@x.com&gt;", "Eva Li"),
        ("Eva Li", "Eva Li"),
        ("Eva (Linz)", "Eva (Linz)"),
        ("eva@x.com", "eva@x.com"),
    ],
)
def test_authors_are_named(written: str, name: str) -> None:
    (entry,) = read_document(item(f"<author>{written}</author>".encode()), URL).entries
    assert entry.author == name


RSS = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>The Daily</title><link>https://daily.example/</link>
<language>de-at</language>
<item><title>Zug &amp;amp; Bus stehen</title><link>https://daily.example/1</link>
<guid isPermaLink="false">d-1</guid><pubDate>Wed, 01 May 2013 12:00:00 +0200</pubDate>
<description>&lt;p&gt;Seit &lt;b&gt;heute&lt;/b&gt; fährt in Linz kein Zug mehr.&lt;/p&gt;
&lt;script&gt;evil()&lt;/script&gt;</description><author>eva@daily.example (Eva)</author></item>
<item><title>Kurz</title><link>https://daily.example/2</link>
<description>Kurz: mehr dazu gleich</description>
<source url="https://wire.example/rss">The Wire</source></item>
<item><title>Nur ein Titel</title><description>  nur ein   Titel. </description></item>
</channel></rss>""".encode()


def test_entries_become_posts_of_their_outlet() -> None:
    events, _, _ = changes(read_document(RSS, URL), Known(), URL, 5_000)
    last, wire, first = (event.post for event in events)  # type: ignore[union-attr]
    assert first.id == f"rss:{URL}#d-1"
    assert first.text == "Zug & Bus stehen\n\nSeit heute fährt in Linz kein Zug mehr."
    assert (first.author, first.author_id) == ("Eva", "https://daily.example/")
    assert (first.url, first.network) == ("https://daily.example/1", "rss")
    assert (first.created_ms, first.seen_ms) == (1_367_402_400_000, 5_000)
    assert first.lang == "de"
    assert {cut.was for cut in first.cuts} >= {"<b>", "evil()"}
    assert wire.text == "Kurz: mehr dazu gleich", "a title that the body repeats is dropped"
    assert (wire.author, wire.author_id) == ("The Wire", "https://wire.example/rss")
    assert last.text == "Nur ein Titel"
    assert (last.author, last.created_ms, last.url) == ("The Daily", 5_000, "")


def test_new_changed_and_repeated_entries_are_told_apart() -> None:
    document = read_document(RSS, URL)
    events, entries, jumped = changes(document, Known(), URL, 1)
    assert ([type(event).__name__ for event in events], jumped) == (["Posted"] * 3, False)
    known = Known(entries=entries)
    assert changes(document, known, URL, 2) == ((), entries, False)
    other = read_document(RSS.replace(b"in Linz", b"in Graz"), URL)
    (event,), changed, jumped = changes(other, known, URL, 3)
    assert (type(event).__name__, jumped) == ("Edited", False)
    assert "in Graz" in event.post.text  # type: ignore[union-attr]
    assert changed.keys() == entries.keys()
    moved_on = b'<rss version="2.0"><channel><item><title>All new</title></item></channel></rss>'
    events, kept, jumped = changes(read_document(moved_on, URL), known, URL, 4)
    assert (len(events), len(kept), jumped) == (1, 4, True)


def test_json_feeds() -> None:
    body = b"""\xef\xbb\xbf{"version": "https://jsonfeed.org/version/1.1", "title": "Notes",
    "home_page_url": "https://n.example/", "language": "en-GB", "_ext": {"a": 1},
    "authors": [{"name": "Ann"}, {"url": "https://b.example"}],
    "items": [
      {"id": "https://n.example/2", "url": "https://n.example/2", "content_text": "a < b\\nthen c",
       "date_published": "2024-02-07T14:04:00-05:00", "external_url": "https://else.example/x"},
      {"id": 1, "title": "One & only", "content_html": "<p>Snow in <i>Oslo</i></p>",
       "author": {"name": "Bo"}, "language": "no"},
      {"id": "3", "content_text": 7},
      "junk"
    ]}"""
    document = read_document(body, URL)
    events, _, _ = changes(document, Known(), URL, 5)
    one, two = (event.post for event in events)  # type: ignore[union-attr]
    assert (two.id, two.text) == (f"rss:{URL}#https://n.example/2", "a < b\nthen c")
    assert (two.author, two.author_id, two.links) == (
        "Ann",
        "https://n.example/",
        ("https://else.example/x",),
    )
    assert two.created_ms == 1_707_332_640_000
    assert (one.id, one.text, one.author) == (f"rss:{URL}#1", "One & only\n\nSnow in Oslo", "Bo")
    assert not document.finished
    assert read_document(body.replace(b'"_ext"', b'"expired": true, "_ext"'), URL).finished


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \n",
        b"<html><body>Not found</body></html>",
        b"{}",
        b'{"version": "https://example.org/1", "items": []}',
        b'{"version": "https://jsonfeed.org/version/1", "items": 3}',
        b'{"version": "https://jsonfeed.org/version/1", "items": [',
        b'{"a":' * 50_000,
        bytes(range(256)) * 50,
        b"/etc/passwd",
        b"http://127.0.0.1:9/feed",
    ],
)
def test_what_is_no_feed_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(FeedError, match=f"not a feed.*{URL}"):
        read_document(body, URL)


def item(inside: bytes) -> bytes:
    return (
        b'<rss version="2.0"><channel><title>t</title><item>' + inside + b"</item></channel></rss>"
    )


ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
HOSTILE = {
    "entities that multiply": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol">'
    + ENTITIES
    + b"]>"
    + item(b"<title>&j;</title>"),
    "deep elements": item(b"<z>" * 20_000 + b"x" + b"</z>" * 20_000),
    "deep markup": item(b"<description>" + b"&lt;b&gt;" * 50_000 + b"</description>"),
    "open comments": item(b"<description>" + b"&lt;!--" * 100_000 + b"</description>"),
    "open CDATA": item(b"<description>" + b"<![CDATA[" * 100_000 + b"</description>"),
    "one megabyte": item(
        b"<title>a</title><description>" + b"hello " * 180_000 + b"</description>"
    ),
    "many items": item(b"<title>a</title></item><item>" * 5_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_take_bounded_time(name: str) -> None:
    start_s = time.perf_counter()
    document = read_document(HOSTILE[name], URL)
    assert time.perf_counter() - start_s < 5
    assert len(document.entries) <= MAX_ENTRIES
    assert sum(len(entry.body) + len(entry.title) for entry in document.entries) < 2_000_000


def test_no_file_is_read_into_a_feed() -> None:
    doctype = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    document = read_document(doctype + item(b"<title>a &x; b</title>"), URL)
    assert "root" not in document.entries[0].title


def test_a_long_text_is_cut_and_said_to_be() -> None:
    (entry,) = read_document(HOSTILE["one megabyte"], URL).entries
    cleaned = cleaned_text(entry)
    assert len(cleaned.text) <= 20_000
    assert cleaned.cuts[-1].kind == "length"
