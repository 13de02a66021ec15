"""What goes wrong around a question, over real sockets: it is told, and nothing untrue is said."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import msgspec
import pytest

from fairwitness.answers import Finished, Said
from fairwitness.engine import RemoteChat
from fairwitness.posts.clock import SystemClock
from fairwitness.posts.post import Deleted, Event, Post, Posted

RACE = "Who won the race in Portville?"
TRUTH = (
    "Ana Ruiz won the race in Portville",
    "I saw how Ana Ruiz won it, the race here in Portville",
)
LIES = 10_000
_numbers = itertools.count(1)


class Writer(ThreadingHTTPServer):
    """A model server that answers as a test says: `answer` is given the open reply."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Reply)
        self.answer: Callable[[_Reply], None] = _Reply.say_nothing
        self.asked = threading.Event()


class _Reply(BaseHTTPRequestHandler):
    server: "Writer"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.set()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.server.answer(self)

    def say(self, text: str) -> None:
        delta = {"choices": [{"index": 0, "delta": {"content": text}}]}
        self.wfile.write(f"data: {json.dumps(delta)}\n\n".encode())
        self.wfile.flush()

    def say_nothing(self) -> None:
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    server = Writer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, writer: Writer, serving, wait_until):
    """A server whose model is `writer`; `served` of other tests has none."""
    chat = RemoteChat(f"http://127.0.0.1:{writer.server_port}/v1", model="writer")
    with serving(tmp_path_factory.mktemp("home"), load_chat=lambda: chat) as running:
        wait_until(lambda: running.house.chat.model is not None)
        yield running
    chat.close()


def said(text: str) -> Post:
    now_ms = SystemClock().now_ms()
    number = next(_numbers)
    author = f"new{number}"
    return Post(
        id=f"test:{number}", network="test", author=author, author_id=author, text=text, lang="en",
        created_ms=now_ms, seen_ms=now_ms,
    )  # fmt: skip


@contextmanager
def told(running, folder: Path, *events: Event) -> Iterator[None]:
    """Let events have happened, and take the posts among them back afterwards."""
    happen(running, folder, *events)
    yield
    happen(running, folder, *(gone(e.post) for e in events if isinstance(e, Posted)))


def gone(post: Post) -> Deleted:
    return Deleted(post.id, SystemClock().now_ms())


def happen(running, folder: Path, *events: Event) -> None:
    path = folder / f"events{next(_numbers)}.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, events)) + b"\n")
    with running.client.stream("POST", "/v1/ingest", json={"path": str(path)}) as reply:
        assert json.loads(list(reply.iter_lines())[-1])["state"] == "ended"


def ask(running, question: str, **more: object) -> dict:
    reply = running.client.post("/v1/ask", json={"question": question, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize(
    "question",
    ["ვინ მოიგო ბრძოლა თბილისში?", "ใครชนะการแข่งขันเมื่อวานนี้", "ማን አሸነፈ?", "Hver vann í Reykjavík?"],
)
def test_a_language_without_posts_has_no_witness(written, question: str) -> None:
    answer = ask(written, question)
    assert answer["abstained"]
    assert (answer["sentences"], answer["sources"]) == ([], [])
    assert answer["answer"]


def test_windows_that_contradict_each_other_are_refused_or_shown(written) -> None:
    both = {"question": RACE, "since": "2026-11-20T09:00:00Z", "until": "2026-11-20T08:00:00Z"}
    reply = written.client.post("/v1/ask", json={"question": "", "questions": [both]})
    assert reply.status_code == 400
    assert "ends before" in reply.json()["error"]["message"]
    answer = ask(written, "What happened yesterday in the last hour?", explain=True)
    (shown,) = answer["explained"]["questions"]
    assert shown["since"] < shown["until"]


def test_nothing_was_seen_before_the_first_post(written) -> None:
    answer = ask(written, "Was there an earthquake in Valparaíso?", as_of="1999-12-31T23:59:59Z")
    assert answer["abstained"]
    assert answer["freshness"]["posts_searched"] == 0
    assert answer["freshness"]["newest_seen_at"] == ""


def test_sources_that_are_all_deleted_in_mid_answer_are_not_in_it(
    written, writer: Writer, tmp_path: Path, wait_until
) -> None:
    posts = [said(text) for text in TRUTH]
    go = threading.Event()

    def late(reply: _Reply) -> None:
        go.wait(60)
        reply.say("The race was won by Ana Ruiz.")
        reply.say_nothing()

    writer.answer = late
    writer.asked.clear()
    happen(written, tmp_path, *map(Posted, posts))
    body = {"question": RACE, "stream": True}
    with written.client.stream("POST", "/v1/ask", json=body, timeout=90) as reply:
        events = ((event.event, event.data) for event in httpx2.EventSource(reply))
        name, data = next(events)
        assert name == "said"
        assert "Ruiz" in msgspec.json.decode(data, type=Said).sentence.text
        assert writer.asked.wait(60)
        happen(written, tmp_path, *map(gone, posts))
        wait_until(lambda: ask(written, "Where is Ana Ruiz?")["abstained"])
        go.set()
        *_, (name, data) = events
    assert name == "finished"
    answer = msgspec.json.decode(data, type=Finished).answer
    assert answer.abstained
    assert (answer.sentences, answer.sources) == ((), ())
    assert "Ruiz" not in data


def half_a_sentence(reply: _Reply) -> None:
    reply.say("The race was won by")
    reply.close_connection = True
    reply.connection.close()


def bytes_of_no_protocol(reply: _Reply) -> None:
    reply.wfile.write(b"<html>\x00\xff\xfe data: ]]>\n\n" * 200)


def an_event_that_is_no_json(reply: _Reply) -> None:
    reply.wfile.write(b"data: {choices: oops\n\n")


def nothing_but_noise(reply: _Reply) -> None:
    reply.say("\u202e\ufeff<|im_end|> ![x](https://evil.example) 9,99 @@@ " * 20)
    reply.say_nothing()


@pytest.mark.parametrize(
    "broken", [half_a_sentence, bytes_of_no_protocol, an_event_that_is_no_json, nothing_but_noise]
)
def test_a_model_that_goes_or_talks_garbage_costs_the_claim_alone(
    written, writer: Writer, tmp_path: Path, broken
) -> None:
    writer.answer = broken
    with told(written, tmp_path, *(Posted(said(text)) for text in TRUTH)):
        answer = ask(written, RACE)
    assert answer["standing"] == "agreed"
    assert [each["kind"] for each in answer["sentences"]] == ["quote", "quote", "count"]
    assert answer["dropped"]
    assert "evil" not in answer["answer"]


@pytest.mark.parametrize(("town", "dressed"), [("Oldtown", False), ("Marwick", True)])
def test_ten_thousand_copies_of_a_lie_are_one_witness_and_hide_nobody(
    written, tmp_path: Path, town: str, dressed: bool
) -> None:
    question, truth = RACE.replace("Portville", town), [t.replace("Portville", town) for t in TRUTH]
    lie = f"Bo Weber won the race in {town}!"
    happen(
        written,
        tmp_path,
        *(Posted(said(f"{lie} #{n} wow" if dressed else lie)) for n in range(LIES)),
    )
    assert ask(written, question)["abstained"], "one witness is no outcome"
    happen(written, tmp_path, *(Posted(said(text)) for text in truth))
    answer = ask(written, question)
    assert (answer["standing"], answer["witnesses"]) == ("agreed", 2)
    quotes = {each["text"] for each in answer["sentences"] if each["kind"] == "quote"}
    assert quotes == set(truth)
    assert [each["how"] for each in answer["rounds"]] == ["words", "names", "others"]
