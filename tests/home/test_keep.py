"""What is old is dropped from the index and the log, and does not come back."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairwitness.cli.up import up
from fairwitness.home import Home, Reading
from fairwitness.index import LiveIndex, Query
from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.log import Log
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.source import SourceBatch

DAY_MS = 86_400_000
SLICE_ROWS, SEGMENT_BYTES = 20, 1_000


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices and segments that a few posts fill."""
    monkeypatch.setitem(LiveIndex.open.__func__.__kwdefaults__, "slice_rows", SLICE_ROWS)
    monkeypatch.setitem(Log.__init__.__kwdefaults__, "segment_bytes", SEGMENT_BYTES)


def post(id_: str, day: int) -> Posted:
    text = f"the river {id_} is rising fast near the old bridge of town number {id_}"
    at_ms = day * DAY_MS
    return Posted(
        Post(
            id=id_, network="x", author="ann", author_id=f"a{id_}", text=text,
            created_ms=at_ms, seen_ms=at_ms,
        )
    )  # fmt: skip


def take_in(home: Home, days: range) -> None:
    """Give a home ten posts a day, as a source would, and close the day with a checkpoint."""
    for day in days:
        home.use_clock(VirtualClock(day * DAY_MS))
        events = tuple(post(f"{day}-{n}", day) for n in range(10))
        home.ingest.write([("river", SourceBatch(events, f"day {day}"))])
        home.ingest._settle()


def days_of(index: LiveIndex) -> set[int]:
    hits = index.search(Query(words="river"), limit=10_000).hits
    return {int(hit.post.id.split("-")[0]) for hit in hits}


def bases(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in (folder / "log").glob("*.log"))


def test_old_slices_and_segments_go_and_new_posts_stay(tmp_path: Path) -> None:
    home = Home(tmp_path, "test", keep_ms=3 * DAY_MS)
    take_in(home, range(1, 13))
    kept = days_of(home.index)
    assert set(range(9, 13)) <= kept, "three days at least"
    assert min(kept) >= 7, "and not more than a slice and its like above it"
    assert len(list((tmp_path / "index" / "slices").iterdir())) <= 5
    assert bases(tmp_path)[0] > 0
    assert home.index.get("1-0") is None
    assert home.log.sources["river"].cursor == "day 12"
    home.close()
    reading = Reading(tmp_path)
    assert days_of(reading.index) == kept
    reading.close()
    again = Home(tmp_path, "test", keep_ms=3 * DAY_MS)
    assert days_of(again.index) == kept
    home_ids = [f"{day}-{n}" for day in sorted(kept) for n in range(10)]
    assert all(again.index.get(each) for each in home_ids)
    take_in(again, range(13, 15))
    assert {13, 14} <= days_of(again.index)
    again.close()


def test_an_index_built_again_does_not_bring_back_what_was_dropped(tmp_path: Path) -> None:
    home = Home(tmp_path, "test", keep_ms=3 * DAY_MS)
    take_in(home, range(1, 13))
    home.close()
    shutil.rmtree(tmp_path / "index")
    rebuilt = Home(tmp_path, "test", keep_ms=3 * DAY_MS)
    assert days_of(rebuilt.index) == set(range(9, 13))
    rebuilt.close()


def test_without_a_limit_nothing_is_dropped(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    take_in(home, range(1, 13))
    assert days_of(home.index) == set(range(1, 13))
    assert bases(tmp_path)[0] == 0
    home.close()


def test_the_log_keeps_what_the_index_would_still_read(tmp_path: Path) -> None:
    home = Home(tmp_path, "test")
    take_in(home, range(1, 10))
    before = bases(tmp_path)
    assert len(before) >= 3
    assert home.log.drop_before(1, home.log.position) == 0
    assert home.log.drop_before(100 * DAY_MS, before[1]) == 1
    assert bases(tmp_path) == before[1:]
    assert home.log.drop_before(100 * DAY_MS, home.log.position) == len(before) - 2
    assert bases(tmp_path) == before[-1:], "the last is written to"
    home.close()
    Home(tmp_path, "test").close()


@pytest.mark.parametrize("value", ["7", "d", "-1d", "0d", "7y", "1.5d"])
def test_a_duration_that_is_none_is_refused(value: str) -> None:
    result = CliRunner().invoke(up, ["--keep", value])
    assert result.exit_code == 2
    assert "takes a time like 12h, 30d or 8w" in result.output
