"""A server whose writer is another process: what is heard, what is full, what is killed."""

import functools
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairwitness.home import Home, HomeBusy, Sources, Writer, holder
from fairwitness.home import writer as writer_module
from fairwitness.posts.log import read

AT_ONCE = 1_000
QUESTION = {"question": "Who gives bread away?"}


@contextmanager
def ticking(path: Path) -> Iterator[Sources]:
    """A file of `AT_ONCE` posts to which a thread adds another all the time."""
    over = threading.Event()

    def tick() -> None:
        with path.open("w") as file:
            for number in itertools.count(1):
                file.write(json.dumps(row(number)) + "\n")
                if number < AT_ONCE:
                    continue
                file.flush()
                if over.wait(0.005):
                    return

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield Sources((str(path),), follow=True, network="test")
    finally:
        over.set()
        thread.join()


def row(number: int) -> dict[str, object]:
    return {"id": f"{number}", "author": "clock", "text": f"Tick {number}", "ts": number}


def logged(folder: Path) -> list[str]:
    posted = [event.post for _, batch in read(folder / "log") for event in batch.events]
    return [post.id for post in posted if post.network == "test"]


def more(running, before: int) -> bool:
    return posts(running) > before + 20


def states(running) -> set[str]:
    return {source["state"] for source in running.client.get("/v1/status").json()["sources"]}


def posts(running) -> int:
    return running.house.home.index.stats().posts


def test_sources_are_heard_and_found_while_the_server_runs(tmp_path, serving, wait_until) -> None:
    with (
        ticking(tmp_path / "ticks.jsonl") as sources,
        serving(tmp_path / "home", sources=sources) as running,
    ):
        wait_until(lambda: posts(running) > 20)
        wait_until(lambda: states(running) == {"idle", "live"})  # reports come later than posts
        status = running.client.get("/v1/status").json()
        assert status["intake"] == {"state": "running", "problem": ""}
        replay = running.client.post("/v1/replay", json={"path": "/nowhere"})
        assert replay.status_code == 409
        assert "live sources" in replay.json()["error"]["message"]
        assert running.house.writer.pid != os.getpid()
        threads = {thread.name.split("_")[0] for thread in threading.enumerate()}
        assert "log" not in threads, "nothing is written by the process that serves"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process: Linux")
def test_a_full_disk_blocks_the_taking_in_and_not_the_reading(
    tmp_path, serving, wait_until
) -> None:
    folder = tmp_path / "home"
    with (
        ticking(tmp_path / "ticks.jsonl") as sources,
        serving(folder, sources=sources) as running,
    ):
        home, pid = running.house.home, running.house.writer.pid
        wait_until(lambda: home.report.log_position > 20_000)
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        room = (home.report.log_position, hard)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, room)
        wait_until(lambda: home.report.intake.state == "blocked")
        assert "no room" in running.client.get("/v1/status").json()["intake"]["problem"]
        assert running.client.get("/readyz").status_code == 503
        assert running.client.get("/healthz").status_code == 200
        assert not running.client.post("/v1/ask", json=QUESTION).json()["abstained"]
        stood_at = posts(running)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: posts(running) > stood_at + 5)
        wait_until(lambda: running.client.get("/readyz").status_code == 200)
    told = [int(each.rpartition(":")[2]) for each in logged(folder)]
    assert told == list(range(1, len(told) + 1)), "nothing was lost and nothing is twice"


def test_a_killed_writer_loses_nothing_is_not_missed_and_comes_back(
    tmp_path, serving, wait_until, caplog
) -> None:
    folder = tmp_path / "home"
    with (
        ticking(tmp_path / "ticks.jsonl") as sources,
        serving(folder, sources=sources) as running,
    ):
        wait_until(lambda: posts(running) > 50)
        for _ in range(2):
            wait_until(lambda: "live" in states(running))
            killed, known = running.house.writer.pid, set(logged(folder))
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: running.house.home.report.intake.state == "failed")
            ready = running.client.get("/readyz")
            assert ready.status_code == 503
            assert "signal 9" in ready.json()["intake"]["problem"]
            assert "waiting" in states(running)
            held = holder(folder)
            assert held, "nobody comes in between"
            assert (held.pid, held.url) == (os.getpid(), running.url)
            while running.client.get("/readyz").status_code == 503:
                assert running.client.get("/v1/search?q=bread").json()["matched"] >= 1
                assert not running.client.post("/v1/ask", json=QUESTION).json()["abstained"]
            assert running.house.writer.pid != killed
            assert known <= set(logged(folder)), "what was acknowledged is there"
            before = posts(running)
            wait_until(functools.partial(more, running, before))
    told = [int(each.rpartition(":")[2]) for each in logged(folder)]
    assert told == list(range(1, len(told) + 1)), "nothing was lost and nothing is twice"
    assert "starting another" in caplog.text


@pytest.mark.parametrize("path", ["/v1/search?q=bread", "/v1/ask"])
def test_damage_that_a_question_comes_upon_is_mended_from_the_log(
    tmp_path, serving, filled, wait_until, caplog, path: str
) -> None:
    folder = filled(tmp_path / "home", "posts")
    Home(folder, "test").close()  # brings the index up to its log
    runs = list(folder.glob("index/slices/*/words/*.run"))
    assert runs
    for run in runs:
        data = bytearray(run.read_bytes())
        data[-80] ^= 1
        run.write_bytes(data)

    def asked() -> int:
        if path == "/v1/ask":
            return running.client.post(path, json=QUESTION).status_code
        return running.client.get(path).status_code

    with serving(folder) as running:
        pid = running.house.writer.pid
        assert asked() == 503
        wait_until(lambda: asked() == 200)
        assert running.client.get("/v1/search?q=bread").json()["matched"] >= 1
        assert not running.client.post("/v1/ask", json=QUESTION).json()["abstained"]
        assert running.house.writer.pid != pid
    assert "words are damaged" in caplog.text


def test_a_file_that_is_being_read_by_a_killed_writer_fails_and_can_go_on(
    served, tmp_path, wait_until
) -> None:
    path = tmp_path / "ticks.jsonl"
    path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(1, 601)))
    body = {"path": str(path), "speed": 10}
    with served.client.stream("POST", "/v1/replay", json=body) as reply:
        told = (json.loads(line) for line in reply.iter_lines())
        assert next(told)["state"] == "running"
        os.kill(served.house.writer.pid, signal.SIGKILL)
        *_, last = told
    assert last["state"] == "failed"
    assert "signal 9" in last["problem"]
    down = served.client.post("/v1/replay", json=body)
    assert (down.status_code, down.json()["error"]["code"]) == (503, "down")
    wait_until(lambda: served.client.get("/readyz").status_code == 200)
    reply = served.client.post("/v1/replay", json={**body, "speed": "max"})
    assert json.loads(reply.text.splitlines()[-1])["posts"] == 607


def test_a_writer_that_cannot_come_back_is_told_and_tried_again(
    served, tmp_path, wait_until, monkeypatch
) -> None:
    monkeypatch.setattr(writer_module, "LONGEST_PAUSE_S", 0.5)
    logs = tmp_path / "home" / "log"
    os.kill(served.house.writer.pid, signal.SIGKILL)
    logs.rename(logs.with_name("away"))
    logs.write_text("a file where a folder should be")
    wait_until(lambda: "cannot be used" in served.house.home.report.intake.problem)
    assert served.client.get("/v1/search?q=bread").json()["matched"] >= 1
    logs.unlink()
    logs.with_name("away").rename(logs)
    wait_until(lambda: served.client.get("/readyz").status_code == 200)


SCRIPT = """
import sys, time
from pathlib import Path
from fairwitness.home import Sources, Writer
writer = Writer(Path(sys.argv[1]), "up", Sources((sys.argv[2],), follow=True, network="test"))
print(writer.pid, flush=True)
time.sleep(60)
"""


def test_a_writer_ends_in_order_when_its_server_is_killed(tmp_path, wait_until) -> None:
    folder = tmp_path / "home"
    with ticking(tmp_path / "ticks.jsonl") as sources:
        command = [sys.executable, "-c", SCRIPT, str(folder), sources.names[0]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            pid = int(server.stdout.readline())
            wait_until(lambda: len(logged(folder)) > 20)
            os.kill(pid, signal.SIGINT)  # as a terminal would
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(HomeBusy, match="fairwitness up"):
                Home(folder, "test")
            server.kill()
            killed_s = time.monotonic()
            wait_until(lambda: holder(folder) is None)
            assert time.monotonic() - killed_s < 5
    home = Home(folder, "test")
    assert home.index.position == home.log.position, "it had settled"
    assert home.index.stats().posts == len(logged(folder)) > 20
    home.close()


def test_a_writer_that_cannot_begin_says_why_and_lets_go(tmp_path: Path) -> None:
    with pytest.raises(writer_module.WriterFailed, match="no source or file 'tiktok'"):
        Writer(tmp_path / "home", "up", Sources(("tiktok",)))
    Home(tmp_path / "home", "test").close()


def test_a_home_reads_its_log_to_the_end_before_it_is_served(tmp_path: Path, filled) -> None:
    folder, told = filled(tmp_path / "home", source="test"), []

    def caught_up(done: int, total: int) -> None:
        told.append((done, total))

    writer = Writer(folder, "up", caught_up=caught_up)
    try:
        assert writer.home.index.stats().posts == 7
        assert writer.home.report.log_position == writer.home.report.index_position
    finally:
        writer.close()
    writer.close()
    assert holder(folder) is None
