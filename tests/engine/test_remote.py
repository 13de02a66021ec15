"""RemoteChat against real servers on the loopback, good ones and bad ones."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairwitness.engine import (
    ChatDeadlineError,
    ChatError,
    ChatModel,
    ChatOptions,
    Message,
    RemoteChat,
    Usage,
)
from fairwitness.engine.forms import JsonForm, PatternForm
from fairwitness.engine.logprobs import TokenLogprob

ASK = [Message("system", "Be brief."), Message("user", "Hello?")]
Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        self.server.on_models(self)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(json.loads(self.rfile.read(length)))
        self.server.keys.append(self.headers.get("Authorization"))
        self.server.on_chat(self)

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def events(self, *events: object) -> None:
        lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
        body = "".join(f"data: {line}\n\n" for line in lines)
        self.answer(200, body.encode(), "text/event-stream; charset=utf-8")

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.on_models: Behaviour = lambda handler: handler.answer(
            200,
            b'{"object": "list", "data": [{"id": "first", "owned_by": "us"}, {"id": "second"}]}',
        )
        self.on_chat: Behaviour = lambda handler: handler.events(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
            {"choices": [{"delta": {"content": "Hel"}, "finish_reason": None}], "usage": None},
            {"choices": [{"delta": {"content": "lo ☃"}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
            {
                "choices": [],
                "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
            },
            "[DONE]",
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early is part of these tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def connect(server) -> Iterator[Callable[..., RemoteChat]]:
    made = []

    def make(model: str | None = "first", **settings: object) -> RemoteChat:
        made.append(RemoteChat(server.url, model, **settings))
        return made[-1]

    yield make
    for chat in made:
        chat.close()


def said(chat: ChatModel, options: ChatOptions | None = None) -> str:
    return "".join(chat.stream(ASK, options or ChatOptions()))


def test_answer_arrives_in_pieces_with_its_usage(connect):
    stream = connect().stream(ASK, ChatOptions())
    assert list(stream) == ["Hel", "lo ☃"]
    assert stream.usage == Usage(12, 3)
    assert stream.finish == "stop"


def test_options_and_messages_reach_the_server(server, connect):
    options = ChatOptions(max_tokens=5, temperature=0.5, top_p=0.9, seed=8, stop=("X",))
    said(connect(model=None, api_key="sesame"), options)
    asked = server.asked[0]
    assert server.keys == ["Bearer sesame"]
    assert asked["model"] == "first"
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    chosen = {key: asked[key] for key in ("max_tokens", "temperature", "top_p", "seed", "stop")}
    assert chosen == {
        "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "seed": 8, "stop": ["X"],
    }  # fmt: skip
    assert asked["stream"] is True


def test_what_not_every_server_knows_is_sent_only_when_it_says_something(server, connect):
    said(connect())
    assert not {"top_k", "logprobs", "logit_bias", "response_format"} & set(server.asked[0])
    options = ChatOptions(
        min_p=0.1,
        presence_penalty=0.5,
        logit_bias={7: -1.0},
        top_logprobs=2,
        form=JsonForm('{"type": "integer"}'),
    )
    said(connect(), options)
    asked = server.asked[1]
    assert asked["min_p"] == 0.1
    assert asked["presence_penalty"] == 0.5
    assert asked["logit_bias"] == {"7": -1.0}
    assert (asked["logprobs"], asked["top_logprobs"]) == (True, 2)
    assert asked["response_format"]["json_schema"]["schema"] == {"type": "integer"}


def test_a_form_that_no_protocol_carries_is_refused(connect):
    with pytest.raises(ChatError, match="cannot be asked for a pattern") as told:
        connect().stream(ASK, ChatOptions(form=PatternForm("a+")))
    assert told.value.option == "form"


def test_logprobs_of_the_server_are_passed_on(server, connect):
    each = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    choice = {"delta": {"content": "Hi"}, "finish_reason": "stop", "logprobs": {"content": [each]}}
    server.on_chat = lambda handler: handler.events({"choices": [choice]}, "[DONE]")
    stream = connect().stream(ASK, ChatOptions(top_logprobs=0))
    assert "".join(stream) == "Hi"
    assert stream.logprobs == [TokenLogprob("Hi", -0.5, (72, 105), ())]


def test_url_may_end_in_v1(server):
    chat = RemoteChat(f"{server.url}/v1/")
    assert said(chat) == "Hello ☃"
    chat.close()


def test_length_is_told(server, connect):
    server.on_chat = lambda handler: handler.events(
        {"choices": [{"delta": {"content": "cut"}, "finish_reason": "length"}]}
    )
    stream = connect().stream(ASK, ChatOptions())
    assert list(stream) == ["cut"]
    assert stream.finish == "length"
    assert stream.usage is None


def test_closing_hangs_up(server, connect):
    hung_up = threading.Event()

    def for_ever(handler: Handler) -> None:
        try:
            while True:
                handler.events({"choices": [{"delta": {"content": "more "}}]})
        except OSError:
            hung_up.set()

    server.on_chat = for_ever
    stream = connect().stream(ASK, ChatOptions())
    assert next(stream) == "more "
    stream.close()
    assert hung_up.wait(10)


def break_off(handler: Handler) -> None:
    """Promise more than is sent, then hang up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'data: {"choices": [{"delta": {"content": "half an"}}]}\n\n')


BAD = {
    "answered 500: 'out of memory'": lambda handler: handler.answer(500, b"out of memory"),
    "answered 401": lambda handler: handler.answer(401, b'{"error": "no key"}'),
    "answered 503: 'xxxxxxxx": lambda handler: handler.answer(503, b"x" * 10_000_000),
    "is no chat chunk: 'garbage'": lambda handler: handler.events("garbage"),
    "is no chat chunk: '[1]'": lambda handler: handler.events("[1]"),
    "is no chat chunk": lambda handler: handler.events({"choices": [{"delta": {"content": 7}}]}),
    "failed: {'message': 'overloaded'}": lambda handler: handler.answer(
        200, b'data: {"error":{"message":"overloaded"}}\n\n', "text/event-stream"
    ),
    "broke off its answer": lambda handler: handler.events(
        {"choices": [{"delta": {"content": "half an"}}]}
    ),
    "failed: peer closed connection": break_off,
    "Expected response with content type": lambda handler: handler.answer(
        200, b"<html>", "text/html"
    ),
    "exceeded the 1048576 byte limit": lambda handler: handler.answer(
        200, b"data: " + b"x" * 3_000_000, "text/event-stream"
    ),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_server_is_told_with_its_address(server, connect, problem):
    server.on_chat = BAD[problem]
    with pytest.raises(ChatError) as caught:
        said(connect())
    assert problem in str(caught.value)
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("body", "problem"), [(b"nonsense", "is no list of models"), (b'{"data": []}', "has no models")]
)
def test_server_without_models_is_told(server, connect, body, problem):
    server.on_models = lambda handler: handler.answer(200, body)
    with pytest.raises(ChatError, match=problem):
        connect(model=None)


def test_refused_connection_is_told():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    chat = RemoteChat(url, "any")
    with pytest.raises(ChatError, match=f"{url}/v1 cannot be reached"):
        said(chat)
    chat.close()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://[", "http://127.0.0.1:x"]
)
def test_url_that_is_none_is_told(url):
    with pytest.raises(ChatError):
        RemoteChat(url)


@pytest.mark.parametrize("is_silent", [True, False])
def test_time_that_is_over_ends_an_answer_of_another_server(server, connect, is_silent):
    def slowly(handler: Handler) -> None:
        handler.answer(200, b"", "text/event-stream")
        with suppress(OSError):  # whoever asked has gone
            for _ in range(60):
                time.sleep(0.05)
                if not is_silent:
                    handler.wfile.write(b'data: {"choices": [{"delta": {"content": "on "}}]}\n\n')

    server.on_chat = slowly
    begun_s = time.monotonic()
    with pytest.raises(ChatDeadlineError, match="the time for this request is over"):
        said(connect(), ChatOptions(timeout_s=0.2))
    assert time.monotonic() - begun_s < 2.5  # the server takes three
