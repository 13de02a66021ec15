"""A house over a small home of posts, served on a real socket."""

import itertools
import json
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import numpy as np
import pytest

from fairwitness.engine import RemoteChat
from fairwitness.home import Home, Sources, Writer
from fairwitness.posts.clock import from_iso
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.source import SourceBatch
from fairwitness.server import House, bind, url_of
from fairwitness.server.chat_slot import Loader
from fairwitness.server.serve import Server

START_MS = from_iso("2026-11-20T08:00:00Z")

TEXTS = (
    ("ana", "Magnitude 5.8 earthquake felt in Valparaíso just now, everybody is in the street."),
    ("luis", "Strong earthquake in Valparaíso, the bridge at Las Torpederas is closed."),
    (
        "kim",
        "🌊🌊 Tsunami warning cancelled for Valparaíso after the earthquake, says the navy 👍🏽.",
    ),
    (
        "kim2",
        "🌊🌊 Tsunami warning cancelled for Valparaíso after the earthquake, says the navy 👍🏽.",
    ),
    ("bo", "The bakery on Cerro Alegre gives bread away to everyone tonight."),
    (
        "mal",
        "<img src=x onerror=alert(1)><script>alert(2)</script> Free bread for hackers <b>now</b>.",
    ),
    ("rui", "El puente de Las Torpederas está cerrado por el terremoto, eviten la zona."),
)


def post(number: int, author: str, text: str, **more: str) -> Post:
    moment_ms = START_MS + number * 60_000
    return Post(
        id=f"capture:test/posts:{number}",
        network="mastodon",
        author=author,
        author_id=f"https://example.org/@{author}",
        text=text,
        created_ms=moment_ms - 1500,
        seen_ms=moment_ms,
        lang="es" if author == "rui" else "en",
        **more,
    )


def posts() -> list[Post]:
    return [
        post(n, author, text, url="" if author == "bo" else f"https://example.org/@{author}/{n}")
        for n, (author, text) in enumerate(TEXTS)
    ]


def fill(home: Home, some: Sequence[Post], source: str = "test") -> None:
    """Take posts down the road of a post."""
    home.ingest.write([(source, SourceBatch(tuple(Posted(each) for each in some), "c"))])
    home.index.refresh()


@dataclass
class Served:
    """A running server."""

    house: House
    url: str
    client: httpx2.Client
    stop: Callable[[], None]


@contextmanager
def serve_home(
    folder: Path, *, load_chat: Loader | None = None, sources: Sources | None = None
) -> Iterator[Served]:
    home = Home(folder, "test")
    if not home.log.sources:
        fill(home, posts())
    home.close()
    writer = Writer(folder, "up", sources)
    house = House(writer, load_chat=load_chat)
    door = bind("127.0.0.1", 0)
    url, server = url_of(door), Server(house, "up")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="server")
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"

    try:
        until(lambda: server.started)
        with httpx2.Client(base_url=url, timeout=20, trust_env=False) as client:
            yield Served(house, url, client, stop)
    finally:
        stop()
        writer.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve_home(tmp_path / "home") as running:
        yield running


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for tests that change nothing."""
    with serve_home(tmp_path_factory.mktemp("home")) as running:
        yield running


class _Scripted(BaseHTTPRequestHandler):
    """Speaks the protocol of OpenAI: says the last message again, a word at a time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(
            {"object": "list", "data": [{"id": "parrot", "object": "model"}]}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        text = asked["messages"][-1]["content"]
        if text == "refuse":
            self.send_error(500, "the parrot sleeps")
            return
        words = [f"{word} " for word in text.split()]
        endless = "forever" in text
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self._say(itertools.cycle(words) if endless else words[: asked["max_tokens"]], endless)
        except OSError:
            self.server.left.set()

    def _say(self, words: Iterable[str], endless: bool) -> None:
        said = 0
        for said, word in enumerate(words, 1):  # noqa: B007
            self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
            time.sleep(0.02 if endless else 0)
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 7, "completion_tokens": said, "total_tokens": 7 + said}
        self._event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: object) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


class Parrot(ThreadingHTTPServer):
    """A model server; `left` is set when a client breaks off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.asked: list[dict[str, object]] = []
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@pytest.fixture(scope="session")
def parrot() -> Iterator[Parrot]:
    server = Parrot()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def talking(tmp_path: Path, parrot: Parrot) -> Iterator[Served]:
    """A server whose chat model is the parrot."""
    chat = RemoteChat(parrot.url)
    parrot.left.clear()
    with serve_home(tmp_path / "home", load_chat=lambda: chat) as running:
        until(lambda: running.house.chat.model is not None)
        yield running
    chat.close()


def until(true: Callable[[], bool], timeout_s: float = 30) -> None:
    until_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def serving():
    """Serve the home in a folder, made of `posts` when it is empty."""
    return serve_home


@pytest.fixture(scope="session")
def filled():
    """Make a home of `posts` that `source` told."""

    def make(folder: Path, source: str) -> Path:
        home = Home(folder, "test")
        fill(home, posts(), source)
        home.close()
        return folder

    return make


@pytest.fixture(scope="session")
def wait_until():
    """Wait for something to become true, or fail."""
    return until


@pytest.fixture(scope="session")
def saved_adapter() -> Callable[[Path, float], Path]:
    """Save an adapter of the default model's first values, as PEFT does."""

    def save(folder: Path, size: float) -> Path:
        rng, table, body = np.random.default_rng(3), {}, b""
        for side, shape in (("A", (2, 576)), ("B", (192, 2))):
            raw = rng.normal(0, size, shape).astype("<f4").tobytes()
            name = f"base_model.model.model.layers.0.self_attn.v_proj.lora_{side}.weight"
            place = [len(body), len(body) + len(raw)]
            table[name] = {"dtype": "F32", "shape": shape, "data_offsets": place}
            body += raw
        folder.mkdir()
        head = json.dumps(table).encode()
        file = folder / "adapter_model.safetensors"
        file.write_bytes(struct.pack("<Q", len(head)) + head + body)
        config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return folder

    return save
