"""The command line as a person meets it: help, errors, exit codes, JSON, two on one home."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from fairwitness.cli.main import cli
from fairwitness.index import Parts

POSTS = [
    {
        "id": "1",
        "ts": "2024-05-04T12:00:00Z",
        "author": "ana",
        "text": "Ana Ruiz won the race in Portville",
    },
    {
        "id": "2",
        "ts": "2024-05-04T12:01:00Z",
        "author": "bo",
        "text": "I saw it, Ana Ruiz won the race by a metre",
    },
    {
        "id": "3",
        "ts": "2024-05-04T12:02:00Z",
        "author": "cy",
        "text": "Rain over Oldtown, the ferry is late",
    },
]
ENV = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160"}


def run(home: Path, *words: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fairwitness", *words],
        input=stdin,
        capture_output=True,
        text=True,
        env={**ENV, "FAIRWITNESS_HOME": str(home)},
        timeout=120,
        check=False,
    )


def posts_in(home: Path, at_least: int) -> int:
    """Wait until readers see so many posts in a home that is written; return how many they see."""
    deadline_s, posts = time.monotonic() + 60, 0
    while posts < at_least and time.monotonic() < deadline_s:
        done = run(home, "status", "--json")
        posts = json.loads(done.stdout)["posts"] if done.returncode == 0 else 0
    return posts


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    file = tmp_path / "race.jsonl"
    file.write_text("".join(json.dumps(post) + "\n" for post in POSTS))
    return file


@pytest.fixture
def home(tmp_path: Path, capture: Path) -> Path:
    folder = tmp_path / "home"
    assert run(folder, "replay", str(capture), "--speed", "max").returncode == 0
    return folder


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    words = ["up", "--port", "0", "--model", "none", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fairwitness", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**ENV, "FAIRWITNESS_HOME": str(home)},
    )
    assert process.stdout is not None
    told = ""
    while not told.endswith("}\n"):
        told += process.stdout.readline()
    url = json.loads(told)["url"]
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            httpx2.get(f"{url}/healthz", trust_env=False)
            break
        except httpx2.HTTPError:
            time.sleep(0.05)
    yield url
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def test_every_verb_has_help_with_an_example(tmp_path):
    for name, verb in cli.commands.items():
        done = run(tmp_path, name, "--help")
        assert done.returncode == 0
        assert "Example:" in done.stdout, name
        for sub in getattr(verb, "commands", {}):
            assert "Example:" in run(tmp_path, name, sub, "--help").stdout, (name, sub)


def test_ask_says_quotes_witnesses_and_numbered_sources(home):
    words = ("ask", "Who won the race?", "--model", "none")
    told = run(home, *words).stdout
    parts = ["2 independent witnesses", "posts searched as of", "First: ana on ", "[1] ana on "]
    quoted, spread = "“Ana Ruiz won the race in Portville” [1]", "2 posts read say so"
    assert [part for part in (quoted, spread, *parts) if part not in told] == []
    assert run(home, *words, "--length", "short").stdout.count("“") == 1


def test_two_are_compared_each_with_its_side_and_what_both_say(tmp_path):
    texts = {
        "ana": "Ana Ruiz promises free trams for all pupils",
        "bo": "Ana Ruiz wants to close the harbour at night",
        "cy": "Bo Weber also promises free trams, for pupils and for the old",
        "di": "Bo Weber will build a stadium on the hill",
    }
    rows = [{"id": who, "author": who, "text": text} for who, text in texts.items()]
    said = "".join(json.dumps(row) + "\n" for row in rows)
    assert run(tmp_path, "ingest", "-", stdin=said).returncode == 0
    words = ("ask", "Compare Ana Ruiz and Bo Weber", "--model", "none")
    lines = run(tmp_path, *words).stdout.splitlines()
    one, other = lines.index("Ana Ruiz"), lines.index("Bo Weber")
    quoted = [
        [line.split("”")[0][1:] for line in part if "“" in line]
        for part in (lines[one:other], lines[other:])
    ]
    assert [set(side) for side in quoted] == [
        set(list(texts.values())[:2]),
        set(list(texts.values())[2:]),
    ]
    assert "said of both: 1; only of the first: 1; only of the second: 1." in "\n".join(lines)
    told = json.loads(run(tmp_path, *words, "--json").stdout)
    assert told["compared"]["sides"] == ["Ana Ruiz", "Bo Weber"]
    both = [told["sentences"][at]["text"] for at in told["compared"]["both"][0]]
    assert both == [texts["ana"], texts["cy"]]


def test_ask_through_the_server_and_directly_is_one_answer(home, server):
    through = json.loads(run(home, "ask", "Who won the race?", "--json").stdout)
    assert through["sentences"][0]["text"] == "Ana Ruiz won the race in Portville"
    told = run(home, "ask", "Who won the race?").stdout
    assert "2 independent witnesses" in told
    found = json.loads(run(home, "search", "ferry", "--json").stdout)
    assert [hit["post"]["text"] for hit in found["hits"]] == [POSTS[2]["text"]]
    assert json.loads(run(home, "status", "--json").stdout)["running"] == server


def test_a_follow_up_and_an_edited_question_directly_and_through_the_server(home, tmp_path, server):
    told = run(home, "ask", "where?", "--after", "Who won the race?", "--explain").stdout
    assert "Understood: where? (Who won the race?)" in told
    assert "asks where" in told
    assert "searched 3 posts for" in told
    both = run(home, "ask", "Who won the race? And who won the chess final?").stdout
    assert both.index("Who won the race?") < both.index("Ana Ruiz") < both.index("No witness")
    file = tmp_path / "question.json"
    file.write_text(run(home, "ask", "What about the boat?", "--explain", "--json").stdout)
    asked = json.loads(file.read_text())
    assert asked["abstained"]
    asked["explained"]["questions"][0]["words"] = ["ferry"]
    file.write_text(json.dumps(asked))
    again = json.loads(run(home, "ask", "--edited", str(file), "--json").stdout)
    assert again["as_of"] == asked["as_of"]
    assert "the ferry is late" in again["answer"]
    wrong = run(home, "ask", "--edited", "-", stdin="{}")
    assert wrong.returncode == 1
    assert "is not what --explain --json prints" in wrong.stderr


def test_edited_and_after_reach_a_home_that_nobody_serves(home):
    boat = {"question": "What about the boat?", "words": ["ferry"]}
    given = json.dumps({"explained": {"questions": [boat]}})
    told = run(home, "ask", "--edited", "-", "--model", "none", stdin=given).stdout
    assert "the ferry is late" in told
    missing = run(home, "ask")
    assert missing.returncode == 2
    assert "QUESTION" in missing.stderr


@contextmanager
def model_that_never_ends() -> Iterator[tuple[str, threading.Event]]:
    """A model server that is asked and says nothing; the event is set when it is asked."""
    asked, ended = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.set()
            ended.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def test_ctrl_c_in_a_report_shows_what_there_is_and_says_so(home):
    with model_that_never_ends() as (url, asked):
        words = ["ask", "--deep", "Who won the race?", "--model-server", url, "--model", "m"]
        asking = subprocess.Popen(
            [sys.executable, "-m", "fairwitness", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**ENV, "FAIRWITNESS_HOME": str(home)},
        )
        assert asked.wait(60)
        asking.send_signal(signal.SIGINT)
        told, progress = asking.communicate(timeout=20)
    assert asking.returncode == 130
    assert "“Ana Ruiz won the race in Portville” [1]" in told
    assert "PARTIAL: interrupted" in told
    assert "1/1 Who won the race?" in progress
    assert "Traceback" not in progress


def test_a_report_through_the_server_and_directly_is_one_report(home, server):
    words = ("ask", "--deep", "Who won the race?", "--as-of", "2024-05-05T00:00:00Z", "--json")
    through = json.loads(run(home, *words).stdout)
    body = {"question": "Who won the race?", "as_of": "2024-05-05T00:00:00Z"}
    asked = httpx2.post(f"{server}/v1/deep", json=body, trust_env=False).json()
    for one in (through, asked):
        one.pop("seconds")
    assert through == asked
    assert through["partial"] == ""


def test_a_budget_without_a_report_is_asked_wrongly(tmp_path):
    done = run(tmp_path, "ask", "Who?", "--seconds", "5")
    assert (done.returncode, done.stderr) == (1, "Error: --seconds needs --deep\n")


def test_search_directly_and_through_the_server_have_one_form(home, tmp_path):
    direct = json.loads(run(home, "search", "race", "--json").stdout)
    assert direct["hits"][0]["parts"].keys() == set(Parts._fields)
    assert direct["searched"] == 3


def test_search_reads_what_x_does_and_points_at_what_it_cannot_read(home):
    def found(*words: str) -> list[str]:
        told = run(home, "search", *words, "--json")
        return sorted(hit["post"]["author"] for hit in json.loads(told.stdout)["hits"])

    assert found('"won the race"', "-metre") == ["ana"]
    assert found("race", "-from:bo", "--limit", "5") == ["ana"]
    assert found("ferry OR from:bo until:2024-05-05") == ["bo", "cy"]
    done = run(home, "search", "race", "form:bo")
    assert done.returncode == 1
    assert "  race form:bo\n       ^ no operator form:; did you mean from:?" in done.stderr
    assert "no such option: --limt" in run(home, "search", "race", "--limt", "5").stderr
    assert "no post holds all of it" in run(home, "search", "race", "ferry").stdout


def test_replay_through_a_running_server(home, server, tmp_path):
    more = tmp_path / "more.jsonl"
    more.write_text(
        json.dumps(
            {"id": "9", "ts": "2024-05-04T13:00:00Z", "text": "The ferry sank", "author": "di"}
        )
    )
    report = json.loads(run(home, "replay", str(more), "--speed", "max", "--json").stdout)
    assert (report["events"], report["posts"]) == (1, 4)
    assert json.loads(run(home, "search", "sank", "--json").stdout)["hits"]


def test_a_second_writer_is_refused_by_name(home, server):
    done = run(home, "up", "--port", "0", "--model", "none")
    assert done.returncode == 1
    assert "in use by `fairwitness up` (process " in done.stderr
    assert server in done.stderr


def test_ingest_from_standard_input(tmp_path):
    home = tmp_path / "fresh"
    lines = "".join(json.dumps(post) + "\n" for post in POSTS) + "not json\n\n[1,2]\n"
    done = run(home, "ingest", "-", "--json", stdin=lines)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["sources"]
    assert (report["events"], report["dropped"]) == (3, 2)
    assert json.loads(run(home, "status", "--json").stdout)["posts"] == 3


def test_ingest_reads_while_another_asks(tmp_path):
    home = tmp_path / "fresh"
    ingest = subprocess.Popen(
        [sys.executable, "-m", "fairwitness", "ingest", "-"],
        stdin=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
        env={**ENV, "FAIRWITNESS_HOME": str(home)},
    )
    assert ingest.stdin is not None
    ingest.stdin.write("".join(json.dumps(post) + "\n" for post in POSTS))
    ingest.stdin.flush()
    assert posts_in(home, 3) == 3, "a reader sees the last checkpoint"
    ingest.send_signal(signal.SIGINT)
    ingest.stdin.close()
    assert ingest.wait(20) == 0
    assert json.loads(run(home, "status", "--json").stdout)["posts"] == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ask", ""], 1, "the question is empty"),
        (["ask", "x" * 100_000], 1, "the question has 100,000 characters"),
        (["ask", "Who?", "--as-of", "yesterdayish"], 2, "not a time: 'yesterdayish'"),
        (["ask", "Who?", "--mode", "grim"], 2, "'grim'"),
        (["ask"], 2, "QUESTION"),
        (["replay", "nowhere.jsonl"], 2, "nowhere.jsonl"),
        (["replay", __file__, "--speed", "0"], 2, "speed must be"),
        (["ingest", "tiktok"], 1, "no source or file 'tiktok'"),
        (["ingest", "x"], 1, "--x-daily-usd"),
        (["ingest", "x", "--x-daily-usd", "1"], 1, "--x-rule"),
        (["ingest", "x", "--x-daily-usd", "1", "--x-rule", "cat"], 1, "FW_X_TOKEN"),
        (["ingest", "mastodon:https://m.example"], 1, "FW_MASTODON_TOKEN"),
        (["models", "show", "hf:nobody/nothing"], 1, "models pull"),
        (["generate", "hi", "--model", "/nowhere.gguf"], 1, "/nowhere.gguf"),
        (["generate", "hi", "--model-server", "http://127.0.0.1:9"], 1, "127.0.0.1:9"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_plain_line(tmp_path, words, code, said):
    done = run(tmp_path / "home", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_capture_of_rubbish_is_counted_not_fatal(tmp_path):
    file = tmp_path / "bad.jsonl"
    huge = json.dumps({"id": "big", "ts": 1_700_000_000, "author": "a", "text": "long " * 200_000})
    old = json.dumps({"id": "old", "ts": 0, "author": "a", "text": "from nineteen seventy"})
    new = json.dumps(
        {"id": "new", "ts": "2100-01-01T00:00:00Z", "author": "a", "text": "from the future"}
    )
    good = json.dumps(POSTS[0])
    file.write_bytes(
        b"\xff\xfe broken\n{\n\n"
        + b"\n".join(x.encode() for x in (huge, old, new, good, good))
        + b"\n"
        + b"\x80" * 100
    )
    home = tmp_path / "home"
    done = run(home, "replay", str(file), "--speed", "max", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["events"] == 4
    assert report["duplicates"] == 1
    assert report["dropped"] == 3


def test_ctrl_c_in_a_replay_loses_nothing_and_it_goes_on(tmp_path):
    file = tmp_path / "slow.jsonl"
    rows = (
        {"id": str(n), "ts": 1_700_000_000 + n, "author": "a", "text": f"post number {n} here"}
        for n in range(400)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    home = tmp_path / "home"
    playing = subprocess.Popen(
        [sys.executable, "-m", "fairwitness", "replay", str(file), "--speed", "10"],
        stderr=subprocess.PIPE,
        text=True,
        env={**ENV, "FAIRWITNESS_HOME": str(home)},
    )
    assert posts_in(home, 1) > 0
    playing.send_signal(signal.SIGINT)
    _, told = playing.communicate(timeout=60)
    assert playing.returncode == 130
    assert "what was acknowledged is kept" in told
    assert "Traceback" not in told
    half = json.loads(run(home, "status", "--json").stdout)["posts"]
    assert 0 < half < 400
    report = json.loads(run(home, "replay", str(file), "--speed", "max", "--json").stdout)
    assert report["events"] + half == 400 == report["posts"]


def test_a_port_in_use_is_named_before_anything_else_is_done(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path / "home", "up", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use; choose another with --port" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_model_file_that_is_cut_short_is_named(tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + (272).to_bytes(8, "little") + b"\0" * 9)
    done = run(tmp_path / "home", "generate", "hi", "--model", str(cut))
    assert done.returncode == 1
    assert str(cut) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    done = run(file / "home", "status")
    assert "Traceback" not in done.stderr
    done = run(file / "home", "ingest", "-", stdin="")
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
