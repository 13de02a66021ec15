"""Files that the command line hands to the running server."""

import json
import shutil
from pathlib import Path

import pytest


def rows(path: Path, count: int, *, start: int = 0) -> Path:
    with path.open("a") as file:
        for n in range(start, start + count):
            row = {
                "id": f"{n}",
                "text": f"Ferry number {n} left the harbour of Ancud.",
                "created_at": f"2014-03-01T10:{n // 60:02d}:{n % 60:02d}Z",
                "author": f"sailor{n}",
            }
            file.write(json.dumps(row) + "\n")
    return path


def lines(served, route: str, **body: object) -> list[dict]:
    reply = served.client.post(route, json=body)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


def test_a_file_is_taken_in_and_found_while_the_server_runs(served, tmp_path) -> None:
    path = rows(tmp_path / "ferries.jsonl", 30)
    *_, last = lines(served, "/v1/ingest", path=str(path), network="mastodon")
    assert (last["state"], last["events"], last["done"], last["posts"]) == ("ended", 30, 30, 37)
    found = served.client.get("/v1/search", params={"q": "ferry", "limit": 50}).json()
    assert len(found["hits"]) == 30
    assert served.client.get("/v1/status").json()["networks"] == {"mastodon": 37}


def test_a_second_time_goes_on_from_where_the_first_stopped(served, tmp_path) -> None:
    path = rows(tmp_path / "ferries.jsonl", 10)
    assert lines(served, "/v1/ingest", path=str(path))[-1]["events"] == 10
    rows(path, 5, start=10)
    assert lines(served, "/v1/ingest", path=str(path))[-1]["events"] == 5


def test_a_capture_is_replayed_on_its_own_clock(served, tmp_path) -> None:
    path = rows(tmp_path / "ferries.jsonl", 20)
    *_, last = lines(served, "/v1/replay", path=str(path), speed="max")
    assert (last["state"], last["events"]) == ("ended", 20)
    (hit, *_) = served.client.get("/v1/search", params={"q": "ferry 7"}).json()["hits"]
    assert hit["post"]["seen_ms"] == hit["post"]["created_ms"]
    assert served.client.get("/v1/status").json()["virtual"] is True


def test_a_client_that_goes_away_puts_the_file_down(served, tmp_path, wait_until) -> None:
    path = rows(tmp_path / "ferries.jsonl", 600)
    body = {"path": str(path), "speed": 2}

    def heard(source: str) -> str:
        sources = served.client.get("/v1/status").json()["sources"]
        return next((each["state"] for each in sources if each["name"] == source), "")

    with served.client.stream("POST", "/v1/replay", json=body) as reply:
        lines_read = reply.iter_lines()  # dropping it would close the connection
        first = json.loads(next(lines_read))
        assert first["state"] == "running"
        wait_until(lambda: heard(first["source"]) == "live")
        busy = served.client.post("/v1/replay", json=body)
        assert busy.status_code == 409
        assert "is being read" in busy.json()["error"]["message"]
    wait_until(lambda: heard(first["source"]) == "idle")
    *_, last = lines(served, "/v1/replay", path=str(path), speed="max")
    assert (last["state"], last["dropped"]) == ("ended", 0)
    assert last["posts"] == 607


@pytest.mark.parametrize(
    ("route", "body", "message"),
    [
        ("/v1/ingest", {"path": "posts.jsonl"}, "path: not absolute: posts.jsonl"),
        ("/v1/ingest", {"path": "/nowhere/posts.jsonl"}, "path: no such file"),
        ("/v1/replay", {"path": "/nowhere", "speed": 0}, "speed: expected `float` > 0"),
        ("/v1/replay", {"path": "/nowhere", "speed": "fast"}, "speed: invalid enum value"),
        ("/v1/replay", {}, "missing required field `path`"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(served, route: str, body: dict, message: str) -> None:
    reply = served.client.post(route, json=body)
    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


def test_a_compressed_file_cannot_be_followed(served, tmp_path) -> None:
    path = tmp_path / "posts.jsonl.gz"
    path.write_bytes(b"")
    reply = served.client.post("/v1/ingest", json={"path": str(path), "follow": True})
    assert reply.status_code == 400
    assert "cannot follow a compressed file" in reply.json()["error"]["message"]


def test_a_file_that_cannot_be_read_fails_with_the_reason(served, tmp_path) -> None:
    path = tmp_path / "posts.jsonl.zst"
    shutil.copy(rows(tmp_path / "plain.jsonl", 3), path)
    *_, last = lines(served, "/v1/ingest", path=str(path))
    assert last["state"] == "failed"
    assert "cannot read" in last["problem"]
