"""Our own engine behind a real socket: many at once, those who leave, and time that is over."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from fairwitness.engine import ChatOptions, LocalChat, Message
from fairwitness.models.registry import DEFAULT_MODEL, pull

LONG = 1900


@pytest.fixture(scope="module")
def own(tmp_path_factory, serving, wait_until):
    """A server whose chat model is the default one, in this process."""
    chat = LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL))
    with serving(tmp_path_factory.mktemp("home"), load_chat=lambda: chat) as running:
        wait_until(lambda: running.house.chat.model is not None)
        yield running


def body(text: str, **more: object) -> dict[str, object]:
    messages = [{"role": "user", "content": text}]
    return {"model": DEFAULT_MODEL, "messages": messages, "temperature": 0.8, "seed": 3} | more


def engine_of(served):
    return served.house.chat.model.engine


def streamed(url: str, sent: dict[str, object]) -> str:
    with httpx2.stream("POST", f"{url}/v1/chat/completions", json=sent | {"stream": True}) as reply:
        assert reply.status_code == 200
        lines = [line[6:] for line in reply.iter_lines() if line.startswith("data: {")]
    return "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines)


def test_thirty_two_streams_run_together(own, wait_until, holding) -> None:
    engine, texts = engine_of(own), [f"Count from {n}." for n in range(32)]
    alone = [
        "".join(
            own.house.chat.model.stream(
                [Message("user", text)], ChatOptions(max_tokens=6, temperature=0.8, seed=3)
            )
        )
        for text in texts[::4]
    ]
    with ThreadPoolExecutor(32) as pool:
        with holding(engine):
            steps = engine.load().counts.steps
            said = [pool.submit(streamed, own.url, body(each, max_tokens=6)) for each in texts]
            wait_until(lambda: engine.load().waiting == 32)
        assert [each.result(20) for each in said][::4] == alone
    assert engine.load().counts.steps - steps < 32, "no step was for one alone"
    assert engine.load().pages_held == 0


def sent_raw(url: str, sent: dict[str, object]) -> socket.socket:
    """A connection on which a request was sent and nothing read yet."""
    content = json.dumps(sent).encode()
    address = httpx2.URL(url)
    connection = socket.create_connection((address.host, address.port), 10)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def read_all(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as file:
        return file.read()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Two ends of a thousand connections are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 4096:
        pytest.skip("TOO FEW FILES: the hard limit is below 4096")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_thousand_wait_and_most_of_them_leave(own, many_files, wait_until, holding) -> None:
    engine, house = engine_of(own), own.house
    with holding(engine):
        asked = [sent_raw(own.url, body("Hi", max_tokens=1)) for _ in range(1024)]
        wait_until(lambda: house.chatting.in_flight == 1024)
        late = read_all(sent_raw(own.url, body("Hi", max_tokens=1)))
        assert late.startswith(b"HTTP/1.1 503")
        assert b'"code":"busy"' in late
        found = own.client.get("/v1/search", params={"q": "bridge"})
        assert found.status_code == 200, "who waits for the model is in nobody's way"
        for connection in asked[::2] + asked[101::2]:
            connection.close()
        stayed = asked[1:101:2]
    assert all(read_all(each).startswith(b"HTTP/1.1 200") for each in stayed)
    wait_until(lambda: house.chatting.in_flight == 0)
    load = engine.load()
    assert (load.running, load.waiting, load.pages_held) == (0, 0, 0)


def test_a_client_that_vanishes_gives_its_pages_back(own, wait_until) -> None:
    engine = engine_of(own)
    written = engine.load().counts.written_tokens
    connection = sent_raw(own.url, body("Tell a long story.", max_tokens=LONG, stream=True))
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    assert engine.load().running == 1
    assert engine.load().pages_held > 0
    connection.close()
    wait_until(lambda: engine.load().running == 0)
    assert engine.load().pages_held == 0
    assert engine.load().counts.written_tokens - written < LONG
    assert own.house.chatting.in_flight == 0


def test_time_that_is_over_ends_an_answer_wherever_it_is(own, wait_until, holding) -> None:
    engine, path = engine_of(own), "/v1/chat/completions"
    endless = body("Tell a long story.", max_tokens=LONG, timeout_s=0.3)
    whole = own.client.post(path, json=endless)
    assert whole.status_code == 504
    assert whole.json()["error"]["code"] == "deadline"
    begun = own.client.post(path, json=endless | {"stream": True})
    assert begun.status_code == 200
    assert json.loads(begun.text.strip().split("data: ")[-1])["error"]["code"] == "deadline"
    assert "[DONE]" not in begun.text
    with holding(engine):
        begun_s = time.monotonic()
        assert own.client.post(path, json=body("Hi", timeout_s=0.1)).status_code == 504
        assert time.monotonic() - begun_s < 5, "also while nothing steps"
    wait_until(lambda: own.house.chatting.in_flight == 0)
    assert engine.load().pages_held == 0
    in_time = own.client.post(path, json=body("Hi", max_tokens=2, timeout_s=20))
    assert in_time.json()["choices"][0]["finish_reason"] == "length"


def test_a_prompt_beyond_the_context_and_a_form_that_none_can_have_are_refused(own) -> None:
    refused = {
        "the context has 8192": body("word " * 9000),
        "structured_outputs": body("Hi", structured_outputs={"regex": "["}),
        "cannot be kept": body("Hi", structured_outputs={"grammar": 'start: start "a"'}),
    }
    for problem, sent in refused.items():
        for is_streamed in (False, True):
            reply = own.client.post("/v1/chat/completions", json=sent | {"stream": is_streamed})
            assert reply.status_code == 400, problem
            assert problem in reply.text
    assert engine_of(own).load().running == 0


def test_what_is_no_time_and_who_has_none_are_refused_by_name(own) -> None:
    for sent in (body("Hi", timeout_s=0), body("Hi", model="fairwitness", timeout_s=3)):
        reply = own.client.post("/v1/chat/completions", json=sent)
        assert reply.status_code == 400
        assert reply.json()["error"]["param"] == "timeout_s"
