"""All state is in one folder, opens as it was left, and says what is wrong when it cannot."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from fairwitness.home import Home, HomeBusy, HomeUnusable, Reading, default_folder, holder
from fairwitness.index import IndexBusy, IndexDiskFull, IndexMissing, LiveIndex, Query
from fairwitness.posts.clock import SystemClock, VirtualClock
from fairwitness.posts.log import LogCorrupt
from fairwitness.posts.post import AccountGone, Deleted, Edited, Engagement, Event, Post, Posted
from fairwitness.posts.source import Gap, SourceBatch


def post(number: int, text: str = "", seen_ms: int = 0, likes: int = -1) -> Post:
    return Post(
        id=f"s:{number}",
        network="test",
        author=f"ann{number % 5}",
        author_id=f"a{number % 5}",
        text=text or f"post {number} says that the bridge is closed",
        created_ms=1_000 + number,
        seen_ms=seen_ms or 1_000 + number,
        engagement=Engagement(likes=likes),
    )


def write(home: Home, *events: Event, cursor: str = "1", gaps: tuple[Gap, ...] = ()) -> None:
    home.ingest.write([("s", SourceBatch(events, cursor, gaps))])


def fill(home: Home) -> None:
    """Say, edit, delete, count, and let an account go."""
    write(home, *(Posted(post(n)) for n in range(60)))
    write(home, *(Edited(post(n, f"post {n} says it is open", 9_000)) for n in range(0, 60, 7)))
    write(home, *(Deleted(f"s:{n}", 9_500) for n in range(0, 60, 9)))
    write(home, *(Posted(post(n, likes=n, seen_ms=9_600)) for n in (1, 2)))
    write(home, AccountGone("test", "a3", 9_700), cursor="5", gaps=(Gap(1, 2, "x"),))


def results(index: LiveIndex) -> list[object]:
    found = []
    for as_of_ms in (None, 8_000):
        for query in (Query(words="bridge closed"), Query(words="open"), Query(authors=("ann1",))):
            answer = index.search(query, as_of_ms=as_of_ms, limit=100)
            found.append((answer.matched, [hit.post for hit in answer.hits]))
    return found


def edit_file(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def test_what_was_taken_in_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    fill(home)
    home.index.refresh()
    before = results(home.index)
    assert before[0][1], "the test must find something"
    home.close()
    again = Home(tmp_path, "test")
    assert results(again.index) == before
    assert again.log.sources["s"].cursor == "5"
    (report,) = again.health(0)
    assert (report.name, report.state, report.gaps) == ("s", "idle", (Gap(1, 2, "x"),))
    again.close()


def test_a_deleted_index_is_rebuilt_from_the_log_with_the_same_results(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    fill(home)
    home.index.refresh()
    before, posts = results(home.index), home.index.stats().posts
    home.close()
    shutil.rmtree(tmp_path / "index")
    told: list[tuple[int, int]] = []
    rebuilt = Home(tmp_path, "test", caught_up=lambda done, total: told.append((done, total)))
    assert results(rebuilt.index) == before
    assert rebuilt.index.stats().posts == posts
    assert rebuilt.index.position == rebuilt.log.position
    rebuilt.close()


def test_catching_up_tells_how_far_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    for start in range(0, 12_000, 2_000):
        write(home, *(Posted(post(n)) for n in range(start, start + 2_000)), cursor=str(start))
    total = home.log.position
    home.close()
    shutil.rmtree(tmp_path / "index")
    told: list[tuple[int, int]] = []
    Home(tmp_path, "test", caught_up=lambda *each: told.append(each)).close()
    assert len(told) >= 2
    assert told == sorted(told)
    assert {each[1] for each in told} == {total}
    assert told[-1][0] <= total


@pytest.mark.parametrize("name", ["manifest.json", "slices/000000000000/columns"])
def test_a_flipped_bit_in_the_index_is_noticed_and_the_index_built_again(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path, "test")
    fill(home)
    home.index.checkpoint()
    before = home.index.stats().posts
    home.close()
    edit_file(tmp_path / "index" / name, lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:])
    mended = Home(tmp_path, "test")
    assert name in caplog.text
    assert "built again from the log" in caplog.text
    assert mended.index.stats().posts == before
    assert mended.index.get("s:1") is not None
    mended.close()


def test_a_failed_opening_lets_go_of_everything(tmp_path: Path) -> None:
    Home(tmp_path, "test").close()
    other = LiveIndex.open(tmp_path / "index")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(IndexBusy):
            Home(tmp_path, "test")
    assert holder(tmp_path) is None
    assert len(os.listdir("/proc/self/fd")) <= before
    other.close()
    Home(tmp_path, "test").close()


def test_catching_up_without_room_for_the_index_lets_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path, "test")
    fill(home)
    home.close()
    shutil.rmtree(tmp_path / "index")

    def full(*_: object) -> None:
        raise IndexDiskFull("no room on the disk")

    with monkeypatch.context() as broken:
        broken.setattr(LiveIndex, "apply", full)
        with pytest.raises(IndexDiskFull):
            Home(tmp_path, "test")
    again = Home(tmp_path, "test")
    assert again.index.get("s:1") is not None
    again.close()


def test_a_torn_log_is_mended_counted_and_goes_on(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    write(home, Posted(post(1)), cursor="1")
    kept = home.log.position
    home.index.checkpoint()
    write(home, Posted(post(2)), cursor="2")
    torn = home.log.position - 3 - kept
    home.close()
    (segment,) = (tmp_path / "log").glob("*.log")
    os.truncate(segment, segment.stat().st_size - 3)
    again = Home(tmp_path, "test")
    assert again.log.torn_bytes == torn
    assert again.log.sources["s"].cursor == "1"
    assert again.index.get("s:1") is not None
    assert again.index.get("s:2") is None
    write(again, Posted(post(2)), cursor="2")
    assert again.index.get("s:2") is not None
    again.close()


def test_a_log_that_lost_what_its_index_knows_is_not_passed_over(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    fill(home)
    home.index.checkpoint()
    home.close()
    shutil.move(tmp_path / "log", tmp_path / "elsewhere")
    with pytest.raises(LogCorrupt, match="restore the log, or delete the folder"):
        Home(tmp_path, "test")
    shutil.rmtree(tmp_path / "log")
    shutil.move(tmp_path / "elsewhere", tmp_path / "log")
    Home(tmp_path, "test").close()


def test_an_index_of_another_log_is_noticed(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 200)):
        home = Home(tmp_path / name, "test")
        write(home, *(Posted(post(n, os.urandom(n % 40).hex())) for n in range(count)))
        home.index.checkpoint()
        home.close()
    shutil.rmtree(tmp_path / "b" / "index")
    shutil.copytree(tmp_path / "a" / "index", tmp_path / "b" / "index")
    with pytest.raises(LogCorrupt, match="no record at its byte"):
        Home(tmp_path / "b", "test")


def test_a_home_in_use_is_read_as_of_its_last_checkpoint(tmp_path: Path) -> None:
    home = Home(tmp_path, "up")
    write(home, Posted(post(1)), cursor="1", gaps=(Gap(1, 2, "x"),))
    home.index.checkpoint()
    write(home, Posted(post(2)), cursor="2")
    with pytest.raises(HomeBusy, match="fairwitness up"):
        Home(tmp_path, "ask")
    reading = Reading(tmp_path)
    assert reading.index.get("s:1") is not None
    assert reading.index.get("s:2") is None
    assert [h.post.id for h in reading.index.search(Query(words="bridge")).hits] == ["s:1"]
    (report,) = reading.health(0)
    assert (report.events, report.gaps) == (2, (Gap(1, 2, "x"),))
    assert reading.now_ms() >= home.log.clock_ms
    home.index.checkpoint()
    reading.index.refresh()
    assert reading.index.get("s:2") is not None
    reading.close()
    home.close()


def test_reading_where_there_is_no_home_says_so(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match=str(tmp_path)):
        Reading(tmp_path)


def test_a_replay_stands_where_it_stopped_and_a_live_home_goes_on(tmp_path: Path) -> None:
    home = Home(tmp_path, "replay")
    clock = VirtualClock(5_000)
    home.use_clock(clock)
    write(home, Posted(post(1)))
    clock.advance_to(77_000)
    write(home, Posted(post(2)))
    home.close()
    for opened in (Home, Reading):
        again = Home(tmp_path, "ask") if opened is Home else Reading(tmp_path)
        assert again.now_ms() == 77_000
        again.close()
    live = Home(tmp_path, "up")
    assert live.clock.virtual
    live.use_clock(SystemClock())
    write(live, Posted(post(3)))
    assert live.now_ms() > 10**12
    live.close()
    again = Home(tmp_path, "ask")
    assert not again.clock.virtual
    assert again.now_ms() > 10**12
    again.close()


def test_time_never_goes_behind_what_was_logged(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    write(home, Posted(post(1)))
    logged_ms = home.log.clock_ms
    home.use_clock(VirtualClock(5))
    assert home.now_ms() == logged_ms
    home.close()


def test_closing_twice_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    write(home, Posted(post(1)))
    home.close()
    other = Home(tmp_path / "other", "test")  # may get the same descriptors
    home.close()
    write(other, Posted(post(1)))
    assert holder(tmp_path / "other") is not None
    other.close()
    assert holder(tmp_path) is None


def test_two_homes_in_one_process_do_not_meet(tmp_path: Path) -> None:
    class Few:
        name = "few"

        def __init__(self, first: int) -> None:
            self.first = first

        async def batches(self, cursor: str) -> AsyncGenerator[SourceBatch, None]:
            for n in range(self.first, self.first + 20):
                yield SourceBatch((Posted(post(n)),), str(n))

    homes = [Home(tmp_path / name, "test") for name in ("a", "b")]

    async def run() -> None:
        await asyncio.gather(*(h.listen([Few(n * 100)]) for n, h in enumerate(homes)))

    asyncio.run(run())
    assert [h.index.stats().posts for h in homes] == [20, 20]
    assert homes[0].index.get("s:0") is not None
    assert homes[1].index.get("s:0") is None
    with pytest.raises(HomeBusy, match=str(os.getpid())):
        Home(tmp_path / "a", "again")
    for home in homes:
        home.close()


def test_a_moved_home_is_the_same_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "here", "test")
    fill(home)
    home.close()
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = Home(tmp_path / "there", "test")
    assert moved.index.get("s:1") is not None
    moved.close()


@pytest.mark.parametrize("wrong", ["file", "file/below", "lock is a folder", "log is a file"])
def test_a_folder_that_cannot_be_a_home_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / wrong
    if wrong.startswith(("lock", "log")):
        folder.mkdir()
        (folder / "lock").mkdir() if wrong.startswith("lock") else (folder / "log").write_text("")
    with pytest.raises(HomeUnusable) as caught:
        Home(folder, "test")
    assert f"home {folder} cannot be used" in str(caught.value)
    assert wrong.startswith("file") or holder(folder) is None


def test_a_full_or_read_only_disk_is_named_and_harms_nothing(tmp_path: Path) -> None:
    alone = ["unshare", "-rm"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"]).returncode:
        pytest.skip("NO MOUNT NAMESPACES here: opening on a full disk was not tested")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = Path(__file__).with_name("small_disk.py")
    done = subprocess.run(
        [*alone, sys.executable, str(program), str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    for fine in ("room", "full, after an orderly end", "room again", "room again, new"):
        assert said[fine] == "opened"
    assert said["full"].startswith("IndexDiskFull: no room on the disk")
    assert f"home {disk / 'new'} cannot be used: No space left" in said["full, new"]
    assert f"home {disk / 'home'} cannot be used: Read-only file system" in said["read-only"]
    assert f"home {disk / 'other'} cannot be used: Read-only file" in said["read-only, new"]


def test_a_home_opens_without_the_weight_of_models() -> None:
    code = "import sys, fairwitness.home; print([m for m in ('jax', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_folder_is_the_users_choice_or_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRWITNESS_HOME", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.setenv("FAIRWITNESS_HOME", "")
    assert default_folder().name == "fairwitness"
