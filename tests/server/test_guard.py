"""Other sites may not act here, and files are for programs on this machine."""

import pytest
from starlette.requests import Request

from fairwitness.server.errors import ApiError
from fairwitness.server.guard import require_local

ASK = {"question": "Who gives bread away?"}


def test_every_answer_carries_the_headers_that_keep_browsers_safe(reading) -> None:
    for path in ("/", "/page/main.js", "/v1/status", "/nothing"):
        headers = reading.client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{url}"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_page_elsewhere_cannot_ask(reading, headers: dict, status: int) -> None:
    sent = {name: value.format(url=reading.url) for name, value in headers.items()}
    assert reading.client.post("/v1/ask", json=ASK, headers=sent).status_code == status


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Host": "evil.example"}, "only under a name of this machine"),
        ({"Host": "localhost.evil.example:80"}, "only under a name of this machine"),
        ({"X-Forwarded-For": "127.0.0.1"}, "not through a proxy"),
        ({"Origin": "https://evil.example"}, "another site"),
    ],
)
def test_files_are_for_programs_that_call_us_by_our_name(
    reading, tmp_path, headers: dict, message: str
) -> None:
    for route in ("/v1/ingest", "/v1/replay"):
        body = {"path": str(tmp_path / "posts.jsonl")}
        reply = reading.client.post(route, json=body, headers=headers)
        assert reply.status_code == 403
        assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("client", "host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:8765", True),
        ("127.0.0.1", "localhost:8765", True),
        ("::1", "[::1]:8765", True),
        ("::ffff:127.0.0.1", "localhost", True),
        ("192.168.1.7", "localhost", False),
        ("::ffff:10.0.0.1", "localhost", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "192.168.1.7", False),
    ],
)
def test_local_is_who_connects_from_here_to_here(client: str, host: str, allowed: bool) -> None:
    headers = [(b"host", host.encode())]
    request = Request({"type": "http", "headers": headers, "client": (client, 5)})
    if allowed:
        require_local(request)
    else:
        with pytest.raises(ApiError, match="only"):
            require_local(request)
