"""A kill forgets nothing of what trends: it is saved, and what came since is seen again."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import IndexCorrupt, LiveIndex, notice, saved
from fairwitness.index.trends import Bounds, Chart, Trends, read_chart
from fairwitness.posts.post import Deleted

from . import killed_teller

SMALL = Bounds(1 << 10, 1 << 12, 1 << 10, 1 << 10)


def killed_after(folder: Path, position: int, save_s: float = 0.0) -> None:
    script = [sys.executable, killed_teller.__file__, str(folder), str(save_s)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= position:
                break
        writer.kill()


def chart_after_the_rest(folder: Path) -> Chart:
    index = LiveIndex.open(folder, slice_rows=1_000)
    killed_teller.work(index)
    index.close()
    return read_chart(folder / "trends.json")


@pytest.fixture(scope="module")
def unhurt(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    chart = chart_after_the_rest(tmp_path_factory.mktemp("unhurt"))
    assert {"landslide", "#valley"} & {term for trend in chart.trends for term in trend.terms}
    return chart


@pytest.mark.parametrize("position", [12, 84, 96])
def test_after_a_kill_trends_are_as_if_there_had_been_none(
    tmp_path: Path, unhurt: Chart, position: int
) -> None:
    killed_after(tmp_path, position)
    assert (tmp_path / "trends").stat().st_size < Bounds().size_bytes()
    assert chart_after_the_rest(tmp_path) == unhurt


def test_what_came_after_the_last_save_is_seen_again(tmp_path: Path, unhurt: Chart) -> None:
    killed_after(tmp_path, 90, save_s=3_600)
    assert not (tmp_path / "trends").exists()
    assert chart_after_the_rest(tmp_path) == unhurt


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes().replace(b"t", b"u", 40)),
    ],
    ids=["cut off", "empty", "other bytes"],
)
def test_a_damaged_file_is_void_and_what_is_there_is_seen_again(
    tmp_path: Path, unhurt: Chart, harm: Callable[[Path], int]
) -> None:
    killed_after(tmp_path, 96)
    harm(tmp_path / "trends")
    assert chart_after_the_rest(tmp_path) == unhurt


def test_a_file_that_knows_rows_which_the_table_has_not_is_void(
    tmp_path: Path, unhurt: Chart
) -> None:
    killed_after(tmp_path, 96)
    trends = Trends(lambda _: None, lambda _: "en")
    saved.save(tmp_path / "trends", trends.layout, trends.arrays(), 10**9)
    assert chart_after_the_rest(tmp_path) == unhurt


def test_a_post_that_was_deleted_since_is_not_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "_SAVE_S", 0.0)
    index = LiveIndex.open(tmp_path, slice_rows=1_000)
    killed_teller.work(index)
    index.checkpoint()
    gone = read_chart(tmp_path / "trends.json").trends[0].first.id
    monkeypatch.setattr(notice, "_SAVE_S", 3_600.0)
    index.apply([Deleted(gone, 2_000_000_000)], killed_teller.TICKS + 1)
    index.checkpoint()
    index.close()
    index = LiveIndex.open(tmp_path)
    index.refresh()
    chart = read_chart(tmp_path / "trends.json")
    index.close()
    assert chart.trends
    shown = {each.id for trend in chart.trends for each in (trend.first, *trend.examples)}
    assert gone not in shown


def test_trends_of_other_bounds_do_not_fit(tmp_path: Path) -> None:
    small = Trends(lambda _: None, lambda _: "en", SMALL)
    saved.save(tmp_path / "t", small.layout, small.arrays(), 7)
    same = Trends(lambda _: None, lambda _: "en", SMALL)
    assert saved.load(tmp_path / "t", same) == 7
    assert os.listdir(tmp_path) == ["t"]
    with pytest.raises(IndexCorrupt, match="does not fit"):
        saved.load(tmp_path / "t", Trends(lambda _: None, lambda _: "en"))
