"""The command itself, as a person runs it, in homes of its own, and its page in a real browser."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
).split()


class Command:
    """`fairwitness` in one home, each call a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "FAIRWITNESS_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}

    def run(
        self, *words: str, stdin: str = "", timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fairwitness", *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    def ask(self, question: str, *words: str) -> dict[str, Any]:
        answer = self.json("ask", question, "--model", "none", *words)
        check(answer)
        return answer


def check(answer: dict[str, Any]) -> None:
    """Hold what the issue demands of every answer's JSON."""
    sources = {source["n"]: source for source in answer["sources"]}
    for sentence in answer["sentences"]:
        assert sentence["citations"], sentence
        assert 0 <= sentence["support"] <= 1
        for citation in sentence["citations"]:
            text = sources[citation["source"]]["text"]
            assert 0 <= citation["start"] < citation["end"] <= len(text)
            if sentence["kind"] == "quote":
                assert text[citation["start"] : citation["end"]] == sentence["text"]
    assert answer["abstained"] == (not answer["sentences"])


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    return Command(tmp_path / "home")


def replayed(tmp_path_factory: pytest.TempPathFactory, capture: Path) -> Command:
    home = Command(tmp_path_factory.mktemp("home"))
    report = home.json("replay", str(capture), "--speed", "max")
    assert report["dropped"] == 0
    assert report["posts"] > 0
    return home


@pytest.fixture(scope="session")
def fight(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    data = shared / "data/fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz"
    return replayed(tmp_path_factory, data)


@pytest.fixture(scope="session")
def crisis(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return replayed(tmp_path_factory, shared / "data/crisislex/t26_labeled.dev.jsonl.gz")


@pytest.fixture(scope="session")
def weibo(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return replayed(tmp_path_factory, shared / "data/weibo-hot-search/hourly.dev.jsonl.gz")


def rows(path: Path, texts: dict[str, str]) -> Path:
    at = "https://social.example/@{}/1"
    made = [
        {"id": who, "author": who, "text": text, "network": "test", "url": at.format(who)}
        for who, text in texts.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


class _Writer(BaseHTTPRequestHandler):
    """A model server that says what it should once the gate is open."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.gate.wait(20)
        choice = {"index": 0, "delta": {"content": "Nobody said this."}}
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        told = [json.dumps({"choices": [each]}) for each in (choice, last)]
        with contextlib.suppress(OSError):  # who has read a sentence may leave
            self.wfile.write("".join(f"data: {each}\n\n" for each in [*told, "[DONE]"]).encode())

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "writer"}]}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def writer() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Writer)
    server.daemon_threads = True
    server.gate = threading.Event()
    server.gate.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Up:
    """`fairwitness up` on a home of a few posts."""

    def __init__(
        self, folder: Path, texts: dict[str, str], model_server: str = "", port: int = 0
    ) -> None:
        self.folder = folder
        self._env = {**os.environ, "FAIRWITNESS_HOME": str(folder / "home"), "NO_COLOR": "1"}
        if not (folder / "home").exists():
            self._command("ingest", str(rows(folder / "posts.jsonl", texts)))
        model = ["--model-server", model_server] if model_server else ["--model", "none"]
        words = ["up", "--json", "--port", str(port), *model]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fairwitness", *words],
            stdout=subprocess.PIPE,
            env=self._env,
            text=True,
        )
        assert self._process.stdout is not None
        told = ""
        while not told.endswith("}\n"):
            line = self._process.stdout.readline()
            assert line, f"`up` ended early: {told}"
            told += line
        self.url: str = json.loads(told)["url"]
        self._wait()

    def take_in(self, name: str, texts: dict[str, str]) -> None:
        self._command("ingest", str(rows(self.folder / f"{name}.jsonl", texts)))

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)

    def _command(self, *words: str) -> None:
        command = [sys.executable, "-m", "fairwitness", *words]
        subprocess.run(command, env=self._env, check=True, capture_output=True, timeout=60)

    def _wait(self) -> None:
        until_s = time.monotonic() + 20
        while time.monotonic() < until_s:
            try:
                if httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.05)
        raise AssertionError("the server does not serve")


@pytest.fixture(scope="module")
def up(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    writer: ThreadingHTTPServer,
) -> Iterator[Up]:
    """A server over the `TEXTS` of the test's module."""
    model = f"http://127.0.0.1:{writer.server_port}"
    running = Up(tmp_path_factory.mktemp("page"), request.module.TEXTS, model)
    yield running
    running.stop()


@pytest.fixture
def begin_up() -> type[Up]:
    return Up


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("NO CHROMIUM: the page is not tested in a browser; run .ci/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        browser.close()


class Visit:
    """A page and everything that it asked for or complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("console", lambda said: self.complaints.append(said.text))


@pytest.fixture
def visit(browser: Browser, up: Up) -> Iterator[Visit]:
    """The page of `up`; afterwards: no complaint, and no request left the server."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    visit = Visit(page)
    page.goto(up.url)
    yield visit
    page.close()
    assert visit.complaints == []
    assert visit.requested
    assert [each for each in visit.requested if not each.startswith(f"{up.url}/")] == []
