"""Posts found over HTTP, with each score taken apart."""

from urllib.parse import quote

import pytest


def test_hits_carry_the_post_and_the_parts_of_the_score(reading) -> None:
    reply = reading.client.get("/v1/search", params={"q": "bridge", "limit": 5})
    assert reply.status_code == 200
    found = reply.json()
    assert found["searched"] == 7
    (hit,) = found["hits"]
    assert hit["post"]["text"].startswith("Strong earthquake in Valparaíso")
    assert set(hit["parts"]) == {"words", "recency", "engagement", "trust", "meaning"}
    assert hit["score"] == pytest.approx(sum(hit["parts"].values()))


def test_a_body_and_a_query_string_find_the_same(reading) -> None:
    wanted = {
        "q": "Valparaíso puente",
        "lang": ["en", "es"],
        "author": ["luis", "rui"],
        "network": ["mastodon"],
        "since": "2026-11-20T08:00:30Z",
        "until": "2026-11-20T09:00:00Z",
        "as_of": "2026-11-20T09:00:00Z",
    }
    by_body = reading.client.post("/v1/search", json=wanted).json()
    by_query = reading.client.get("/v1/search", params=wanted).json()
    assert by_body == by_query
    assert {hit["post"]["author"] for hit in by_body["hits"]} == {"luis", "rui"}


def test_each_filter_filters(reading) -> None:
    def authors(**params: str) -> list[str]:
        found = reading.client.get("/v1/search", params=params).json()
        return sorted(hit["post"]["author"] for hit in found["hits"])

    assert authors(lang="es") == ["rui"]
    assert authors(author="@BO") == ["bo"]
    assert authors(network="bluesky") == []
    assert authors(as_of="2026-11-20T08:01:30Z") == ["ana", "luis"]
    assert authors(until="2026-11-20T08:00:30Z") == ["ana"]
    assert authors(since="2026-11-20T08:05:30Z") == ["rui"]
    assert len(authors(limit="3")) == 3


def test_the_search_box_is_read(reading) -> None:
    def authors(q: str, **params: str) -> tuple[list[str], str]:
        found = reading.client.get("/v1/search", params={"q": q, **params}).json()
        return sorted(hit["post"]["author"] for hit in found["hits"]), found["match"]

    assert authors("from:luis OR from:rui") == (["luis", "rui"], "all")
    assert authors("bridge -from:bo") == (["luis"], "all")
    assert authors("bridge", author="bo") == ([], "any")
    assert authors('"strong earthquake" until:2026-11-20') == ([], "all")
    assert authors("since:2026-11-20T08:05:30Z") == (["rui"], "all")
    assert authors("within_time:30s", as_of="2026-11-20T08:01:10Z") == (["luis"], "all")
    assert authors("bridge nowhere")[1] == "any"


@pytest.mark.parametrize(
    ("q", "at", "says"),
    [
        ("bridge form:bo", 7, "q: no operator form:; did you mean from:? (at character 8)"),
        ('津波 "open', 3, "q: this quote is never closed (at character 4)"),
        ("since:2026-02-30", 6, "q: no such date: 2026-02-30 (at character 7)"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(reading, q: str, at: int, says: str) -> None:
    for reply in (
        reading.client.get("/v1/search", params={"q": q}),
        reading.client.post("/v1/search", json={"q": q}),
    ):
        assert reply.status_code == 400
        assert reply.json()["error"] == {
            "message": says,
            "type": "invalid_request_error",
            "param": "q",
            "code": "bad_query",
            "at": at,
        }


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"as_of": "2026-13-01"}, "as_of"),
        ({"colour": "red"}, None),
    ],
)
def test_what_is_wrong_with_a_search_is_said(reading, params: dict, param: str | None) -> None:
    reply = reading.client.get("/v1/search", params=params)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param


def test_a_post_is_found_by_its_id_and_only_once_it_was_seen(reading) -> None:
    path = "/v1/posts/" + quote("capture:test/posts:1", safe="")
    assert reading.client.get(path).json()["author"] == "luis"
    assert reading.client.get("/v1/posts/capture:test/posts:1").json()["author"] == "luis"
    early = reading.client.get(path, params={"as_of": "2026-11-20T08:00:30Z"})
    assert early.status_code == 404
    assert "no such post: capture:test/posts:1" in early.json()["error"]["message"]
