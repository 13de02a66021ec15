"""An answer that stays open, over a real socket, while another process takes posts in."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from fairwitness.answers import Changed, Finished
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.post import AccountGone, Deleted, Edited, Event, Post, Posted

QUESTION = "What happened to the lighthouse of Marwick?"
_numbers = itertools.count(1)


def said(author: str, text: str, **more: str) -> Post:
    now_ms = SystemClock().now_ms()
    return Post(
        id=f"https://example.org/@{author}/{next(_numbers)}",
        network="mastodon",
        author=author,
        author_id=f"https://example.org/@{author}",
        text=text,
        lang="en",
        created_ms=now_ms,
        seen_ms=now_ms,
        mentions=tuple(word[1:] for word in text.split() if word.startswith("@")),
        **more,
    )


@pytest.fixture
def happen(served, tmp_path: Path):
    """Let events happen: the server is handed a file of them."""

    def take(*events: Event) -> None:
        path = tmp_path / f"events{next(_numbers)}.jsonl"
        path.write_bytes(b"\n".join(map(msgspec.json.encode, events)) + b"\n")
        with served.client.stream("POST", "/v1/ingest", json={"path": str(path)}) as reply:
            assert json.loads(list(reply.iter_lines())[-1])["state"] == "ended"

    return take


class Open:
    """An open answer: what came first, and each change as it comes."""

    def __init__(self, events: Iterator[tuple[str, bytes]]) -> None:
        self.first = next(
            msgspec.json.decode(data, type=Finished).answer
            for name, data in events
            if name == "finished"
        )
        self._events = events

    def next(self) -> Changed:
        name, data = next(self._events)
        assert name == "changed"
        return msgspec.json.decode(data, type=Changed)


@contextmanager
def watching(url: str, **body: object) -> Iterator[Open]:
    with (
        httpx2.Client(base_url=url, timeout=8, trust_env=False) as client,
        client.stream("POST", "/v1/watch", json={"question": QUESTION, **body}) as reply,
    ):
        assert reply.status_code == 200
        source = httpx2.EventSource(reply)
        yield Open((event.event, event.data.encode()) for event in source)


def kinds(changed: Changed) -> set[str]:
    return {change.what for change in changed.changes}


def test_an_answer_is_born_corroborated_denied_and_withdrawn(served, happen) -> None:
    with watching(served.url) as answer:
        assert answer.first.abstained
        first = said("ana", "The lighthouse of Marwick is on fire")
        began_s = time.monotonic()
        happen(Posted(first))
        born = answer.next()
        assert time.monotonic() - began_s < 5
        assert kinds(born) == {"new"}
        assert (born.answer.standing, born.changes[0].post) == ("lone", first.id)

        second = said("bo", "Fire in the top of the Marwick lighthouse, seen from a boat")
        happen(Posted(second))
        more = answer.next()
        assert {"new", "corroborated"} <= kinds(more)
        assert more.answer.standing == "agreed"

        happen(Posted(said("kim", "@ana fake, it is a drill", reply_to=first.id)))
        denied = answer.next()
        assert "contradicted" in kinds(denied)
        assert denied.answer.standing == "denied"

        happen(Deleted(second.id, SystemClock().now_ms()))
        fewer = answer.next()
        gone = [c for c in fewer.changes if c.what == "withdrawn"]
        assert any((c.why, c.post) == ("deleted", second.id) for c in gone)
        assert second.text not in msgspec.json.encode(fewer).decode()


WITHIN_S = 2.0
"""From a post to the event that tells what it changed: what is promised."""


def test_every_kind_of_change_is_told_within_two_seconds_of_its_post(served, happen) -> None:
    first = said("ana", "The lighthouse of Marwick is on fire")
    second = said("bo", "Fire in the top of the Marwick lighthouse, seen from a boat")
    denial = said("kim", "@ana fake, it is a drill", reply_to=first.id)
    lived = (
        ("new", lambda: Posted(first)),
        ("corroborated", lambda: Posted(second)),
        ("contradicted", lambda: Posted(denial)),
        ("withdrawn", lambda: Deleted(first.id, SystemClock().now_ms())),
    )
    late: dict[str, float] = {}
    happen(Posted(said("lee", "Bread is half price in Oldtown")))  # whoever takes in is awake
    with watching(served.url) as answer:
        for what, event in lived:
            began_s = time.monotonic()
            happen(event())
            while what not in kinds(answer.next()):
                pass
            late[what] = time.monotonic() - began_s
    assert max(late.values()) < WITHIN_S, late


def test_an_edit_withdraws_what_it_took_away_and_an_account_takes_all(served, happen) -> None:
    post = said("ana", "The lighthouse of Marwick is on fire")
    other = said("bo", "Smoke over the bay, fire in the lighthouse of Marwick")
    happen(Posted(post), Posted(other))
    with watching(served.url) as answer:
        assert answer.first.standing == "agreed"
        now_ms = SystemClock().now_ms()
        edited = msgspec.structs.replace(
            post, text="The lighthouse of Marwick is open", seen_ms=now_ms
        )
        happen(Edited(edited))
        changed = answer.next()
        assert ("withdrawn", "edited", post.id) in {
            (c.what, c.why, c.post) for c in changed.changes
        }
        happen(AccountGone("mastodon", other.author_id, SystemClock().now_ms()))
        changed = answer.next()
        assert ("withdrawn", "deleted", other.id) in {
            (c.what, c.why, c.post) for c in changed.changes
        }


def test_an_alert_comes_when_so_many_agree_and_only_then(served, happen) -> None:
    happen(Posted(said("ana", "The lighthouse of Marwick is on fire")))
    with watching(served.url, question="Is the lighthouse of Marwick on fire?", alert=2) as answer:
        assert answer.first.standing == "lone"
        happen(Posted(said("bo", "Marwick lighthouse on fire, the road is closed")))
        assert "alert" in kinds(answer.next())
        happen(Posted(said("rui", "Fire in Marwick, the lighthouse burns since an hour ago")))
        assert "alert" not in kinds(answer.next())


def test_what_does_not_matter_is_not_told_and_the_stream_ends_with_the_server(
    served, happen, wait_until
) -> None:
    happen(Posted(said("ana", "The lighthouse of Marwick is on fire")))
    with watching(served.url) as answer:
        assert served.house.watching == 1
        happen(Posted(said("bo", "Bread is half price in Oldtown today")))
        stopping = threading.Timer(1.5, served.stop)
        stopping.start()
        with pytest.raises((StopIteration, httpx2.HTTPError)):
            answer.next()
        stopping.join()
    assert served.house.watching == 0


@pytest.mark.parametrize("body", [{"question": ""}, {"question": "why", "alert": "many"}])
def test_what_cannot_be_watched_is_refused(reading, body) -> None:
    assert reading.client.post("/v1/watch", json=body).status_code == 400


def test_no_more_answers_stay_open_than_can_be_kept(reading) -> None:
    reading.house.watching += 32
    try:
        reply = reading.client.post("/v1/watch", json={"question": QUESTION})
    finally:
        reading.house.watching -= 32
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "busy")


def test_a_post_is_explained_by_id_and_by_address(reading) -> None:
    (hit, *_) = reading.client.get("/v1/search", params={"q": "magnitude"}).json()["hits"]
    told = reading.client.get(f"/v1/explain/{hit['post']['id']}").json()
    assert told["sentences"][0]["text"] == hit["post"]["text"]
    assert reading.client.get("/v1/explain/https://x.com/i/status/7").status_code == 404


def test_a_kept_answer_holds_no_words_of_others_and_loses_what_they_take_back(
    served, happen, tmp_path: Path
) -> None:
    one = said("ana", "The lighthouse of Marwick is on fire")
    two = said("bo", "Fire in the top of the Marwick lighthouse, seen from a boat")
    happen(Posted(one), Posted(two))
    body = {"question": "Is the lighthouse of Marwick on fire?", "keep": True}
    given = served.client.post("/v1/ask", json=body).json()
    where = f"/v1/answers/{given['id']}"
    back = served.client.get(where).json()
    assert back["sentences"] == given["sentences"]
    assert back["withdrawn"] == []
    for file in (tmp_path / "home" / "answers").iterdir():
        assert one.text not in file.read_text()
    happen(Deleted(one.id, SystemClock().now_ms()))
    back = served.client.get(where).json()
    assert [lost["why"] for lost in back["withdrawn"]] == ["deleted", "rests on what was withdrawn"]
    assert [source["id"] for source in back["sources"]] == [two.id]
    edited = msgspec.structs.replace(two, text="A fine day in Marwick", seen_ms=two.seen_ms + 1000)
    happen(Edited(edited))
    assert served.client.get(where).json()["sentences"] == []


def test_answers_are_kept_for_whoever_asks_for_it_alone(reading) -> None:
    given = reading.client.post("/v1/ask", json={"question": QUESTION}).json()
    assert given["id"] == ""
    assert reading.client.get("/v1/answers/../../log").status_code == 404
    assert reading.client.get(f"/v1/answers/{'0' * 32}").status_code == 404
