"""The log keeps what it acknowledged, whatever is done to it."""

import os
import resource
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.posts.log import Batch, Log, LogCorrupt, LogFull, read
from fairwitness.posts.post import Deleted
from fairwitness.posts.source import Gap


def batch(number: int, source: str = "file", size: int = 3) -> Batch:
    events = tuple(Deleted(f"{source}:{number}:{i}", 1000 + number) for i in range(size))
    return Batch(source, f"c{number}", events, clock_ms=1000 + number)


def stored(folder: Path) -> list[Batch]:
    return [each for _, each in read(folder)]


def test_what_is_appended_is_read_back_in_order_across_segments(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=500)
    written = [batch(n, source) for n in range(40) for source in ("a", "b")]
    ends = [log.append(each) for each in written]
    log.close()
    assert len(list(tmp_path.glob("*.log"))) > 3
    assert stored(tmp_path) == written
    for at, end in enumerate(ends[:-1]):
        assert [each for _, each in read(tmp_path, end)] == written[at + 1 :]


def test_reopening_remembers_each_source_from_the_last_segment_alone(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=400)
    log.append(Batch("a", "first", (), 5, gaps=(Gap(1, 2, "cut"),), dropped=2))
    for n in range(30):
        log.append(batch(n, "b"))
    log.close()
    again = Log(tmp_path, segment_bytes=400)
    assert again.sources["a"].cursor == "first"
    assert again.sources["a"].gaps == (Gap(1, 2, "cut"),)
    assert again.sources["a"].dropped == 2
    assert again.sources["b"].cursor == "c29"
    assert again.sources["b"].events == 90
    assert again.clock_ms == 1029
    again.close()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(min_value=0, max_value=4000), count=st.integers(1, 12))
def test_cutting_the_end_at_any_byte_loses_only_the_torn_batch(
    tmp_path_factory: pytest.TempPathFactory, cut: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = Log(folder, segment_bytes=600)
    ends = [log.append(batch(n)) for n in range(count)]
    log.close()
    last = max(folder.glob("*.log"))
    base = int(last.stem)
    size = max(last.stat().st_size - cut, 0)
    os.truncate(last, size)
    kept = [n for n, end in enumerate(ends) if end <= base + size]
    again = Log(folder, segment_bytes=600)
    assert stored(folder) == [batch(n) for n in kept]
    after = again.append(batch(99))
    again.close()
    assert stored(folder) == [*(batch(n) for n in kept), batch(99)]
    assert list(read(folder, after)) == []


def test_a_flipped_byte_before_whole_records_is_corruption_not_a_torn_end(tmp_path: Path) -> None:
    log = Log(tmp_path)
    ends = [log.append(batch(n)) for n in range(5)]
    log.close()
    path = next(tmp_path.glob("*.log"))
    damaged = bytearray(path.read_bytes())
    damaged[ends[1] + 20] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(LogCorrupt, match="damaged record"):
        Log(tmp_path)


def test_damage_in_an_older_segment_stops_the_reader(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=300)
    for n in range(20):
        log.append(batch(n))
    log.close()
    oldest = min(tmp_path.glob("*.log"))
    os.truncate(oldest, oldest.stat().st_size - 3)
    with pytest.raises(LogCorrupt, match="damaged record"):
        stored(tmp_path)


def test_a_file_that_is_no_segment_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{0:020d}.log").write_bytes(b"something else entirely")
    with pytest.raises(LogCorrupt, match="not a log segment"):
        Log(tmp_path)


def test_a_full_disk_refuses_the_batch_and_keeps_the_log(tmp_path: Path) -> None:
    """The kernel itself refuses to let the file grow, as a full disk would."""
    log = Log(tmp_path)
    log.append(batch(1))
    log.sync()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.position + 100, limits[1]))
        with pytest.raises(LogFull, match="no room left"):
            log.append(
                Batch("file", "c2", tuple(Deleted(os.urandom(9).hex(), 1) for _ in range(99)), 2)
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert stored(tmp_path) == [batch(1)]
    log.append(batch(2))
    log.close()
    assert stored(tmp_path) == [batch(1), batch(2)]


def test_a_full_disk_while_a_segment_starts_keeps_the_old_one(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=10)
    log.append(batch(1))
    tmp_path.chmod(0o700)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))
        with pytest.raises(LogFull):
            log.append(batch(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    log.append(batch(2))
    log.close()
    assert stored(tmp_path) == [batch(1), batch(2)]


def test_a_segment_that_never_began_is_set_aside_and_the_one_before_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=200)
    for n in range(8):
        log.append(batch(n))
    log.close()
    last = max(tmp_path.glob("*.log"))
    kept = [each for end, each in read(tmp_path) if end <= int(last.stem)]
    os.truncate(last, 30)
    again = Log(tmp_path, segment_bytes=200)
    assert stored(tmp_path) == kept
    assert again.sources["file"].cursor == kept[-1].cursor
    again.close()
    assert last.with_suffix(".torn").stat().st_size == 30
