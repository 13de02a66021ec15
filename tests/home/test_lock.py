"""One writer at a time, known by name to all others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairwitness.home import Holder, HomeBusy, HomeLock, holder


def test_a_second_writer_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path, "ingest")
    lock.announce("up", "http://127.0.0.1:8484")
    with pytest.raises(HomeBusy) as caught:
        HomeLock(tmp_path, "replay")
    for part in (str(tmp_path), "`fairwitness up`", str(os.getpid()), "http://127.0.0.1:8484"):
        assert part in str(caught.value)
    assert holder(tmp_path) == Holder(os.getpid(), "up", "http://127.0.0.1:8484")
    lock.announce("up")
    assert holder(tmp_path) == Holder(os.getpid(), "up", "")
    lock.release()


def test_a_lock_let_go_is_free_and_letting_go_twice_touches_nothing_else(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path, "ingest")
    lock.release()
    assert holder(tmp_path) is None
    with (tmp_path / "other").open("w") as other:  # gets the same descriptor
        lock.release()
        other.write("still open")
    HomeLock(tmp_path, "again").release()


def test_where_nothing_is_nobody_holds_it(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert holder(tmp_path / "nowhere") is None


@pytest.mark.parametrize("left", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1e99}', '{"pid": -1}'])
def test_what_the_lock_file_says_does_not_matter_when_nobody_holds_it(
    tmp_path: Path, left: str
) -> None:
    (tmp_path / "lock").write_text(left)
    assert holder(tmp_path) is None
    lock = HomeLock(tmp_path, "ingest")
    assert holder(tmp_path) == Holder(os.getpid(), "ingest", "")
    lock.release()


def test_a_holder_that_has_not_yet_said_who_it_is_is_not_taken_for_the_last_one(
    tmp_path: Path,
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock = HomeLock(tmp_path, "ingest")
    (tmp_path / "lock").write_text(json.dumps({"pid": gone.pid, "verb": "up", "url": "http://x"}))
    assert holder(tmp_path) == Holder(0, "", "")
    with pytest.raises(HomeBusy, match=r"in use by another process$"):
        HomeLock(tmp_path, "ask")
    lock.release()


def test_the_lock_is_gone_the_instant_its_holder_is(tmp_path: Path) -> None:
    take = (
        "import sys, pathlib, fairwitness.home.lock as l\n"
        "lock = l.HomeLock(pathlib.Path(sys.argv[1]), 'up')\n"
        "print('taken', flush=True)\nsys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", take, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert holder(tmp_path) == Holder(child.pid, "up", "")
        child.kill()
        child.wait()
    assert holder(tmp_path) is None
    HomeLock(tmp_path, "ask").release()


def test_of_many_that_start_at_once_exactly_one_wins(tmp_path: Path) -> None:
    program = Path(__file__).with_name("racing.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "home"), "8", "6"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rounds = json.loads(done.stdout)
    assert len(rounds) == 8
    for tries in rounds:
        (winner,) = [each["said"] for each in tries if each["won"]]
        others = [each["said"] for each in tries if not each["won"]]
        assert len(others) == 5
        for said in others:
            assert f"process {winner}" in said or said.endswith("another process")
