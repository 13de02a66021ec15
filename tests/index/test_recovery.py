"""What a kill, bad files or a full disk leave is put right from the log, or said."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, IndexDiskFull, LiveIndex, Query
from fairwitness.index.syntax import parse
from fairwitness.kernels import postings
from fairwitness.kernels.postings import Run
from fairwitness.posts.post import Deleted, Edited, Engagement, Event, Post, Posted

from . import killed_merging, killed_writer

Make = Callable[..., Post]
KILLS = 20


def shown(index: LiveIndex, as_of_ms: int | None = None) -> list[tuple[object, ...]]:
    hits = index.search(Query(), as_of_ms=as_of_ms, limit=100_000).hits
    return sorted((h.post.id, h.post.text, h.post.engagement.likes) for h in hits)


def test_a_writer_killed_at_any_moment_loses_and_repeats_nothing(tmp_path: Path) -> None:
    folder, dice = tmp_path / "index", random.Random(11)
    script = [sys.executable, killed_writer.__file__, str(folder)]
    for _ in range(KILLS):
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline() for _ in range(dice.randint(1, 2))]
            time.sleep(dice.uniform(0.0, 0.05))
            writer.kill()
            said += writer.stdout.read().splitlines()
        index = LiveIndex.open(folder)
        assert index.position >= max(int(line) for line in said if line.strip())
        ids = [id for id, *_ in shown(index)]
        assert len(ids) == len(set(ids)), "a post shows twice"
        index.close()
    survivor = LiveIndex.open(folder)
    assert 0 < survivor.position < killed_writer.BATCHES, "the kills came too early or too late"
    unhurt = LiveIndex.open(tmp_path / "unhurt", slice_rows=killed_writer.SLICE_ROWS)
    for index in (survivor, unhurt):
        killed_writer.work(index)
        index.refresh()
    assert survivor.stats().versions > 2 * killed_writer.SLICE_ROWS
    for moment_ms in (None, 100, 3_000):
        assert shown(survivor, moment_ms) == shown(unhurt, moment_ms)
        for word in killed_writer.WORDS:
            a, b = (
                sorted(
                    h.post.id
                    for h in i.search(Query(words=word), as_of_ms=moment_ms, limit=99_999).hits
                )
                for i in (survivor, unhurt)
            )
            assert a == b
    survivor.close()
    unhurt.close()


def test_reopened_it_is_as_at_the_checkpoint(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path, slice_rows=3)
    first = [Posted(post(c, "fire", 10, engagement=Engagement(likes=1))) for c in "abcd"]
    index.apply([*first, Posted(post("a", "fire", 12, engagement=Engagement(likes=2)))], 5)
    index.checkpoint()
    at_checkpoint = shown(index)
    later: list[Event] = [
        Edited(post("a", "flood", 20)),
        Posted(post("b", "fire", 20, engagement=Engagement(likes=9))),
        Deleted("c", 20),
        *(Posted(post(c, "fire", 20)) for c in "efghi"),
    ]
    index.apply(later, 9)
    index.refresh()
    after = [shown(index, moment_ms) for moment_ms in (None, 11, 15, 20)]
    index.close()
    index = LiveIndex.open(tmp_path)
    assert index.position == 5
    # Deletions alone may run ahead: they are in the log, and must not be undone for a moment.
    assert shown(index) == [each for each in at_checkpoint if each[0] != "c"]
    assert sorted(h.post.id for h in index.search(Query(words="fire")).hits) == ["a", "b", "d"]
    index.apply(later, 9)
    index.refresh()
    assert [shown(index, moment_ms) for moment_ms in (None, 11, 15, 20)] == after
    index.close()


def test_without_a_manifest_it_begins_anew(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path, slice_rows=3)
    index.apply([Posted(post(c, "fire")) for c in "abcd"], 5)
    index.checkpoint()
    index.close()
    (tmp_path / "manifest.json").unlink()
    index = LiveIndex.open(tmp_path)
    assert (index.position, index.stats().versions) == (0, 0)
    index.close()


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("manifest.json", lambda p: p.write_bytes(p.read_bytes()[:-9])),
        ("manifest.json", lambda p: p.write_bytes(p.read_bytes().replace(b'n":5', b'n":6'))),
        ("manifest.json", lambda p: p.write_bytes(b"\xff" * 99)),
        ("slices/000000000003/columns", lambda p: os.truncate(p, 100)),
        ("slices/000000000003/columns", lambda p: p.unlink()),
        ("slices/000000000003/columns", lambda p: p.write_bytes(b"\xff" * p.stat().st_size)),
        ("slices/000000000000/frozen", lambda p: os.truncate(p, 100)),
        ("slices/000000000000/frozen", lambda p: p.write_bytes(b"\xff" * p.stat().st_size)),
        ("slices/000000000000/texts", lambda p: os.truncate(p, 10)),
        ("slices/000000000000/ids", lambda p: p.write_bytes(b"nothing!")),
        ("slices/000000000000/words", lambda p: damage(p, slice(0, 4))),
        ("slices/000000000000/words", lambda p: next(p.iterdir()).unlink()),
    ],
)
def test_a_corrupt_file_is_named_with_the_cure(
    tmp_path: Path, post: Make, name: str, harm: Callable[[Path], object]
) -> None:
    folder = tmp_path / "index"
    index = LiveIndex.open(folder, slice_rows=3)
    index.apply([Posted(post(c, "fire")) for c in "abcd"], 5)
    index.checkpoint()
    index.close()
    harm(folder / name)
    with pytest.raises(IndexCorrupt, match=f"{name}.*delete the folder {folder} ") as caught:
        LiveIndex.open(folder)
    assert "rebuilt from the log" in str(caught.value)
    shutil.rmtree(folder)
    LiveIndex.open(folder).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB; only root may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("FULL DISK NOT TESTED: mounting a small tmpfs takes root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_said_and_made_up_for(small_disk: Path, post: Make) -> None:
    dice = random.Random(3)
    ballast = small_disk / "ballast"
    index = LiveIndex.open(small_disk / "index", slice_rows=40_000)
    ballast.write_bytes(b"\0" * 1_000_000)
    position, full = 0, 0
    while full < 3:
        position += 1
        texts = (f"common {dice.random()} {dice.random()}" for _ in range(200))
        events = [Posted(post(f"{position}-{n}", text)) for n, text in enumerate(texts)]
        try:
            index.apply(events, position)
            index.refresh()
            index.checkpoint()
        except IndexDiskFull as error:
            full += str(small_disk) in str(error)
        assert index.search(Query(words="common")).hits, "reading goes on"
    assert index.position < position
    ballast.unlink()
    index.checkpoint()
    assert index.position == position
    assert len(index.search(Query(words="common"), limit=99_999).hits) == 200 * position
    index.close()
    index = LiveIndex.open(small_disk / "index")
    assert len(index.search(Query(words="common"), limit=99_999).hits) == 200 * position
    index.close()


def test_a_flipped_bit_among_words_is_noticed_when_it_is_read(tmp_path: Path, post: Make) -> None:
    folder = tmp_path / "index"
    index = LiveIndex.open(folder)
    index.apply([Posted(post(c, f"fire in {c}")) for c in "abcd"], 5)
    index.checkpoint()
    index.close()
    damage(folder / "slices/000000000000/words", slice(-80, -79))
    index = LiveIndex.open(folder)
    with pytest.raises(IndexCorrupt, match=f"words.*delete the folder {folder} "):
        index.search(Query(words="fire"))
    index.close()


def damage(folder: Path, where: slice) -> None:
    """Turn over a bit of each of some bytes of the only run in `folder`."""
    (path,) = folder.glob("*.run")
    data = bytearray(path.read_bytes())
    data[where] = bytes(byte ^ 1 for byte in data[where])
    path.write_bytes(data)


def test_a_merge_that_a_kill_cut_short_is_in_nobodys_way(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path)
    for n in range(3):
        index.apply([Posted(post(f"{n}", "one fire"))], n + 1)
        index.checkpoint()
    index.apply([Posted(post("late", "one fire"))], 4)
    index.refresh()
    (folder,) = tmp_path.glob("slices/*/words")
    runs = [Run(path.read_bytes()) for path in sorted(folder.glob("*.run"))]
    assert len(runs) == 4
    (folder / "0000000000-0000000004.run").write_bytes(postings.merge(runs))
    (folder / "0000000000-0000000003.new").write_bytes(b"torn")
    index.close()  # as of the checkpoint, like a kill
    index = LiveIndex.open(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["0000000000-0000000003.run"]
    index.apply([Posted(post("other", "one fire"))], 4)
    index.refresh()
    found = [hit.post.id for hit in index.search(Query(words="fire")).hits]
    assert sorted(found) == ["0", "1", "2", "other"]
    index.close()


def test_runs_of_like_size_become_one_while_others_read(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path)
    reader = None
    for n in range(100):
        index.apply([Posted(post(f"{n}", f"fire n{n}", n))], n + 1)
        index.refresh()
        if reader is None:
            reader = LiveIndex.open(tmp_path, read_only=True)
        reader.refresh()
        assert len(reader.search(Query(words="fire"), limit=200).hits) == n + 1
        assert reader.search(Query(words=f"n{n}")).hits[0].post.id == str(n)
    assert reader is not None
    (folder,) = tmp_path.glob("slices/*/words")
    assert len(list(folder.iterdir())) < 40
    reader.close()
    index.close()


def test_numbers_that_a_kill_freed_are_used_again(tmp_path: Path, post: Make) -> None:
    """A slice has room for one change a row, and not for holes beside them."""

    def liked(names: range) -> list[Posted]:
        return [Posted(post(f"p{n}", "fire", engagement=Engagement(likes=n + 1))) for n in names]

    index = LiveIndex.open(tmp_path, slice_rows=40)
    index.apply([Posted(post("a", "fire"))], 1)
    index.checkpoint()
    index.apply(liked(range(20)), 2)
    index.apply([Posted(post("a", "fire", 2_000, engagement=Engagement(likes=7)))], 3)
    index.close()  # as of the checkpoint, like a kill
    index = LiveIndex.open(tmp_path)
    index.apply(liked(range(39)), 2)
    index.apply([Posted(post("a", "fire", 2_000, engagement=Engagement(likes=7)))], 3)
    index.refresh()
    found = {id: likes for id, _, likes in shown(index)}
    assert found == {"a": 7} | {f"p{n}": n + 1 for n in range(39)}
    index.close()


def test_what_a_full_disk_stopped_is_noticed_once_and_counted(small_disk: Path, post: Make) -> None:
    index = LiveIndex.open(small_disk / "index", slice_rows=20_000)
    disk, ballast = os.statvfs(small_disk), small_disk / "ballast"
    room_for_rows_and_not_for_counts = 450_000
    ballast.write_bytes(b"\0" * (disk.f_bavail * disk.f_bsize - room_for_rows_and_not_for_counts))
    texts = [
        f"{n} boats left the harbour of {n * 7} towns before {n + 9} storms" for n in range(50)
    ]
    liked = [
        Posted(post(f"p{n}", text, engagement=Engagement(likes=9))) for n, text in enumerate(texts)
    ]
    with pytest.raises(IndexDiskFull):
        index.apply(liked, 1)
    assert index.versions == 0
    ballast.unlink()
    index.checkpoint()
    assert len(index.search(parse("boats min_faves:9", 10_000), limit=99).hits) == 50
    assert index.stats().copies == 0
    index.close()


@pytest.mark.parametrize("when", ["half", "whole"])
def test_a_writer_killed_in_mid_merge_loses_nothing(tmp_path: Path, when: str) -> None:
    """Half of the merged run is written, or all of it and what it stands for is still there."""
    script = [sys.executable, killed_merging.__file__, str(tmp_path), when]
    killed = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")
    *_, position, where = killed.stdout.split()
    assert where == when
    (folder,) = tmp_path.glob("slices/*/words")
    left = {path.name for path in folder.iterdir()}
    assert any(name.endswith(".new") for name in left) == (when == "half")
    reader = LiveIndex.open(tmp_path, read_only=True)
    assert len(reader.search(Query(words="fire"), limit=99).hits) >= int(position)
    reader.close()
    index = LiveIndex.open(tmp_path)
    assert index.position >= int(position)
    assert not [path for path in folder.iterdir() if path.suffix != ".run"]
    for number in range(index.position, killed_merging.POSTS):
        index.apply([killed_merging.said(number)], number + 1)
        index.refresh()
    found = [hit.post.id for hit in index.search(Query(words="fire"), limit=99).hits]
    assert sorted(found, key=int) == [f"{n}" for n in range(killed_merging.POSTS)]
    index.close()
