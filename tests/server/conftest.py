"""A house over a small home of posts, served on a real socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from fairwitness.home import Home
from fairwitness.posts.clock import from_iso
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.source import Source, SourceBatch
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


def fill(home: Home, some: Sequence[Post]) -> None:
    """Take posts down the road of a post."""
    home.ingest.write([("test", SourceBatch(tuple(Posted(each) for each in some), "c"))])
    home.index.refresh()


@dataclass
class Served:
    """A running server."""

    house: House
    url: str
    client: httpx2.Client
    stop: Callable[[], None]


@contextmanager
def serving(
    folder: Path, *, load_chat: Loader | None = None, sources: Sequence[Source] = ()
) -> Iterator[Served]:
    home = Home(folder, "up")
    if not home.log.sources:
        fill(home, posts())
    house = House(home, load_chat=load_chat, sources=sources)
    door = bind("127.0.0.1", 0)
    url, server = url_of(door), Server(house)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="server")
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"

    try:
        _wait_for(server, door)
        with httpx2.Client(base_url=url, timeout=20, trust_env=False) as client:
            yield Served(house, url, client, stop)
    finally:
        stop()
        home.close()


def _wait_for(server: Server, door: socket.socket) -> None:
    until_s = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < until_s, f"nothing serves on {door.getsockname()}"
        time.sleep(0.005)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "home") as running:
        yield running


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for tests that change nothing."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running
