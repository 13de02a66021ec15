"""Fetching from a Hugging Face hub: the real client against a small hub on the loopback."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PULL = "import sys; from fairwitness.models.registry import pull; print(pull(sys.argv[1]))"


class Hub(ThreadingHTTPServer):
    """One repository, owner/repo, with `files`."""

    files: dict[str, bytes]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.serve()

    def do_GET(self) -> None:
        self.serve()

    def serve(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/models/owner/repo":
            siblings = [{"rfilename": n, "size": len(d)} for n, d in self.server.files.items()]
            info = {"id": "owner/repo", "sha": COMMIT, "siblings": siblings}
            return self.answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})
        name = path.removeprefix(f"/owner/repo/resolve/{COMMIT}/")
        data = self.server.files.get(name)
        if data is None:
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        return self.answer(200, data, {"ETag": etag, "X-Repo-Commit": COMMIT})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(make_folder, tiny_gguf) -> Iterator[Hub]:
    with Hub(("127.0.0.1", 0), Handler) as server:
        server.files = {path.name: path.read_bytes() for path in make_folder().iterdir()}
        server.files |= {"tiny.gguf": tiny_gguf.read_bytes(), "README.md": b"# A tiny model"}
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def pull(hub: Hub, cache: Path, name: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "FAIRWITNESS_CACHE": str(cache),
    }
    command = [sys.executable, "-c", PULL, name]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_folder_is_fetched_without_what_is_not_needed(hub, tmp_path):
    cache = tmp_path / "cache"
    run = pull(hub, cache, "hf:owner/repo")
    folder = cache / "models" / "hf" / "owner" / "repo"
    assert run.stdout.strip() == str(folder), run.stderr
    fetched = {path.name for path in folder.iterdir() if path.is_file()}
    assert fetched == set(hub.files) - {"tiny.gguf", "README.md"}
    hub.files = {}  # what is here is not asked for again
    assert pull(hub, cache, "hf:owner/repo").returncode == 0


def test_one_file_is_fetched(hub, tmp_path):
    run = pull(hub, tmp_path / "cache", "hf:owner/repo:tiny.gguf")
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).read_bytes() == hub.files["tiny.gguf"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("hf:owner/repo:other.gguf", "hf:owner/repo has no other.gguf, only"),
        ("hf:owner/nothing", "ModelDownloadError: hf:owner/nothing cannot be fetched"),
    ],
)
def test_what_the_hub_has_not_is_told(hub, tmp_path, name, problem):
    assert problem in pull(hub, tmp_path / "cache", name).stderr
