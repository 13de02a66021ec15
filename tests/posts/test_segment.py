"""Records are found whole or not at all, and positions belong to one log."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.posts import segment
from fairwitness.posts.log import Batch, Log, LogCorrupt, LogError, LogRefused, read
from fairwitness.posts.post import Deleted
from fairwitness.posts.records import storable
from fairwitness.posts.source import Gap


def batch(number: int, source: str = "s") -> Batch:
    return Batch(source, f"c{number}", (Deleted(f"{source}:{number}", number),), number)


def write(path: Path, payloads: list[bytes], base: int = 0) -> list[int]:
    """Write a segment; return where each record ends."""
    data, ends = segment.FILE_HEADER, []
    for payload in payloads:
        data += segment.frame(payload, base + len(data))
        ends.append(base + len(data))
    path.write_bytes(data)
    return ends


@given(
    payloads=st.lists(st.binary(max_size=300), max_size=8),
    base=st.integers(0, 2**40),
    cut=st.integers(0, 3000),
)
def test_what_is_whole_is_read_and_what_is_torn_is_measured(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], base: int, cut: int
) -> None:
    path = segment.path_of(tmp_path_factory.mktemp("s"), base)
    ends = write(path, payloads, base)
    size = max(len(segment.FILE_HEADER), path.stat().st_size - cut)
    os.truncate(path, size)
    found = list(segment.read(path, base, base))
    whole = [end for end in ends if end - base <= size]
    assert [each.end for each in found] == whole
    assert [each.payload for each in found] == payloads[: len(whole)]
    end = whole[-1] if whole else base + len(segment.FILE_HEADER)
    assert segment.check_tail(path, base, end) == base + size - end


def test_a_record_is_valid_only_where_it_was_written(tmp_path: Path) -> None:
    path = segment.path_of(tmp_path, 0)
    write(path, [b"one", b"two"])
    moved = segment.path_of(tmp_path, 4096)
    shutil.copy(path, moved)
    assert list(segment.read(moved, 4096, 4096)) == []


def test_files_of_others_in_the_folder_are_no_segments(tmp_path: Path) -> None:
    for name in ("notes.log", "00000000000000000007.torn", "readme.txt"):
        (tmp_path / name).write_text("not ours")
    write(segment.path_of(tmp_path, 30), [])
    assert segment.bases(tmp_path) == [30]


def test_a_length_beyond_all_reason_is_not_read_into_memory(tmp_path: Path) -> None:
    path = segment.path_of(tmp_path, 0)
    write(path, [])
    with path.open("ab") as file:
        file.write(segment._RECORD.pack(segment._MAGIC, 2**32 - 1, 0))
    assert list(segment.read(path, 0, 0)) == []


def test_reading_from_where_no_record_ends_is_an_error_and_not_silence(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=300)
    ends = [log.append(batch(n)) for n in range(20)]
    log.close()
    assert len(list(tmp_path.glob("*.log"))) > 2
    assert list(read(tmp_path, ends[-1])) == []
    for wrong in (1, ends[3] + 1, ends[-2] + 5, ends[-1] + 1, ends[-1] + 10**9):
        with pytest.raises(LogCorrupt, match=f"no record at its byte {wrong}"):
            list(read(tmp_path, wrong))


def test_a_closed_log_stays_closed_and_touches_no_file_of_others(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.append(batch(1))
    log.close()
    # The number of its descriptor is free now, and the next file gets it.
    with (tmp_path / "other").open("w") as other:
        log.close()
        for use in (log.sync, lambda: log.append(batch(2))):
            with pytest.raises(LogError, match="is closed"):
                use()
        other.write("still open")
    assert [each for _, each in read(tmp_path / "log")] == [batch(1)]


def test_a_log_that_cannot_cut_a_torn_record_off_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    log.append(batch(1))

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(segment, "write_all", fails)
        broken.setattr(os, "ftruncate", fails)
        with pytest.raises(LogError, match="Input/output error"):
            log.append(batch(2))
    with pytest.raises(LogError, match="cannot cut a half-written record off"):
        log.append(batch(2))
    with pytest.raises(LogError):
        log.close()
    assert [each for _, each in read(tmp_path)] == [batch(1)]


def test_what_could_not_be_read_back_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    log = Log(tmp_path)
    odd = [Deleted("\ud83d", 1), Deleted("ok", 2), Deleted("x", 2**70), Deleted(None, 1)]  # type: ignore[arg-type]
    assert storable(odd).events == [Deleted("ok", 2)]
    assert storable([]).events == []
    before = log.position
    with pytest.raises(LogRefused, match="s"):
        log.append(Batch("s", "\ud83d", (), 1, gaps=(Gap(1, 2, "x"),)))
    assert log.position == before
    log.append(batch(1))
    log.close()
    assert [each for _, each in read(tmp_path)] == [batch(1)]


def test_a_record_that_readers_would_take_for_damage_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    monkeypatch.setattr(segment, "MAX_PAYLOAD_BYTES", 40)
    with pytest.raises(LogRefused, match="too many for one record"):
        log.append(Batch("s", os.urandom(50).hex(), (), 1))
    log.close()


def test_a_batch_is_the_same_after_a_round_through_the_log() -> None:
    whole = Batch("s", "c", (Deleted("x", 1),), 5, True, (Gap(1, 2, "why"),), 7)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Batch) == whole
