"""Files and standard input: nothing in a file is fatal, nothing is read twice or lost."""

import asyncio
import gzip
import json
import logging
import os
from pathlib import Path

import msgspec
import pytest
import zstandard

from fairwitness.posts.clock import VirtualClock
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.source import SourceBatch, SourceRefused
from fairwitness.posts.sources import jsonl
from fairwitness.posts.sources.jsonl import JsonlFile
from fairwitness.posts.sources.lines import MAX_LINE_BYTES
from fairwitness.posts.sources.standard_input import StandardInput

CLOCK = VirtualClock(5_000)


def row(number: int) -> bytes:
    return json.dumps({"id": number, "text": f"statement number {number}"}).encode()


def written(path: Path, data: bytes) -> Path:
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zst":
        data = zstandard.compress(data[: len(data) // 2]) + zstandard.compress(
            data[len(data) // 2 :]
        )
    path.write_bytes(data)
    return path


async def all_of(file: JsonlFile, cursor: str = "") -> list[SourceBatch]:
    return [batch async for batch in file.batches(cursor)]


def ids(batches: list[SourceBatch]) -> list[int]:
    return [
        int(event.post.id.rsplit(":", 1)[1])
        for batch in batches
        for event in batch.events
        if isinstance(event, Posted)
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n\n"])
def test_every_cursor_resumes_after_its_batch(tmp_path: Path, name: str, ending: bytes) -> None:
    path = written(tmp_path / name, b"\n".join(map(row, range(1200))) + ending)
    file = JsonlFile(path, CLOCK, batch=100)
    batches = asyncio.run(all_of(file))
    assert ids(batches) == list(range(1200))
    assert all(len(batch.events) <= 100 for batch in batches)
    done = 0
    for batch in batches:
        done += len(batch.events)
        assert ids(asyncio.run(all_of(file, batch.cursor))) == list(range(done, 1200))


def test_posts_are_seen_now_and_named_after_folder_and_file(tmp_path: Path) -> None:
    path = written(tmp_path / "quake.2024.jsonl", row(1))
    (batch,) = asyncio.run(all_of(JsonlFile(path, CLOCK)))
    (event,) = batch.events
    assert isinstance(event, Posted)
    assert event.post.seen_ms == 5_000
    assert event.post.id == f"capture:{tmp_path.name}/quake:1"


def test_bad_lines_are_counted_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        b"\xef\xbb\xbf" + row(0),
        b"",
        b'{"id": 9, "text": "cut o',
        b"[1, 2]",
        b'{"id": 9, "text": "\xff\xfe"}',
        b"[" * 100_000,
        b'{"id": 9}',
        row(1),
        b'{"id": 2, "text": "half an emoji \\ud83d"}',
        json.dumps({"id": 3, "text": "x" * 1_000_000}).encode(),
        json.dumps({"id": 9, "text": "x" * MAX_LINE_BYTES}).encode(),
        row(4),
        b'{"type": "posted", "post": 3}',
    ]
    path = written(tmp_path / "a.jsonl", b"\n".join(lines))
    with caplog.at_level(logging.WARNING):
        batches = asyncio.run(all_of(JsonlFile(path, CLOCK)))
    assert ids(batches) == [0, 1, 2, 3, 4]
    assert sum(batch.dropped for batch in batches) == 7
    for number in ("3 (", "4 (not a JSON object)", "5 (", "6 (nested", "7 (no statement)", "11 (l"):
        assert number in caplog.text


def test_a_cursor_of_another_file_reads_from_the_start(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", row(1) + b"\n" + row(2))
    cursor = asyncio.run(all_of(JsonlFile(path, CLOCK)))[-1].cursor
    written(path, row(7) + b"\n" + row(8) + b"\n" + row(9))
    assert ids(asyncio.run(all_of(JsonlFile(path, CLOCK), cursor))) == [7, 8, 9]
    with pytest.raises(SourceRefused, match="not a cursor of a file"):
        asyncio.run(all_of(JsonlFile(path, CLOCK), "17"))


def test_a_shorter_file_is_read_from_the_start(tmp_path: Path) -> None:
    long = b"\n".join(map(row, range(200)))
    path = written(tmp_path / "a.jsonl", long)
    cursor = asyncio.run(all_of(JsonlFile(path, CLOCK)))[-1].cursor
    written(path, long[:2000])
    assert ids(asyncio.run(all_of(JsonlFile(path, CLOCK), cursor)))[0] == 0


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_an_unreadable_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(SourceRefused, match=name):
        asyncio.run(all_of(JsonlFile(path, CLOCK)))
    if path.suffix != ".jsonl":
        path.write_bytes(b"this is not packed\n" * 10)
        with pytest.raises(SourceRefused, match=name):
            asyncio.run(all_of(JsonlFile(path, CLOCK)))
    else:
        path.mkdir()
        with pytest.raises(SourceRefused, match=name):
            asyncio.run(all_of(JsonlFile(path, CLOCK)))


def test_a_truncated_archive_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, "text": os.urandom(64).hex()}).encode() for n in range(8000)]
    whole = gzip.compress(b"\n".join(lines))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    batches = asyncio.run(all_of(JsonlFile(path, CLOCK)))
    found = ids(batches)
    assert found == list(range(len(found)))
    assert 3700 < len(found) < 4100
    assert batches[-1].dropped == 1
    assert "breaks off" in batches[-1].gaps[0].reason
    path.write_bytes(whole)
    rest = asyncio.run(all_of(JsonlFile(path, CLOCK), batches[-1].cursor))
    assert found + ids(rest) == list(range(8000))


def test_following_survives_growth_rotation_and_truncation(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", row(0) + b"\n")

    async def follow() -> list[int]:
        found: list[int] = []
        stream = JsonlFile(path, CLOCK, follow=True).batches("")

        async def until(number: int) -> None:
            async with asyncio.timeout(5):
                async for batch in stream:
                    found.extend(ids([batch]))
                    if found[-1] == number:
                        return

        await until(0)
        with path.open("ab") as file:
            file.write(row(1) + b"\n" + row(2)[:9])
        await until(1)
        with path.open("ab") as file:
            file.write(row(2)[9:] + b"\n")
        await until(2)
        path.rename(tmp_path / "a.jsonl.1")
        with (tmp_path / "a.jsonl.1").open("ab") as file:
            file.write(row(3) + b"\n")
        written(path, row(4) + b"\n")
        await until(4)
        written(path, row(5) + b"\n" + row(6) + b"\n" + row(7) + b"\n")
        await until(7)
        await stream.aclose()
        return found

    assert asyncio.run(follow()) == list(range(8))


def test_what_is_written_while_a_file_is_rotated_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.jsonl", row(0) + b"\n")
    was_moved = jsonl._was_moved

    def rotate_just_now(*arguments: object) -> bool:
        monkeypatch.setattr(jsonl, "_was_moved", was_moved)
        with path.open("ab") as file:
            file.write(row(1) + b"\n")
        path.rename(tmp_path / "a.jsonl.1")
        written(path, row(2) + b"\n")
        return was_moved(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jsonl, "_was_moved", rotate_just_now)

    async def follow() -> list[int]:
        stream = JsonlFile(path, CLOCK, follow=True).batches("")
        found: list[int] = []
        async with asyncio.timeout(5):
            while len(found) < 3:
                found += ids([await anext(stream)])
        await stream.aclose()
        return found

    assert asyncio.run(follow()) == [0, 1, 2]


def test_a_compressed_file_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot follow"):
        JsonlFile(tmp_path / "a.jsonl.gz", CLOCK, follow=True)


def test_standard_input_gives_each_post_as_it_is_written() -> None:
    reading, writing = os.pipe()

    async def talk() -> list[int]:
        found: list[int] = []
        with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
            source = StandardInput(CLOCK, stream=stream)
            pipe.write(row(0) + b"\n" + row(1)[:7])
            async with asyncio.timeout(5):
                async for batch in source.batches(""):
                    assert batch.cursor == ""
                    found.extend(ids([batch]))
                    if found == [0]:
                        pipe.write(row(1)[7:] + b"\n" + row(2))
                        pipe.close()
        return found

    assert asyncio.run(talk()) == [0, 1, 2]


def test_standard_input_may_be_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", row(1) + b"\n" + row(2) + b"\n")

    async def read() -> list[SourceBatch]:
        with path.open("rb") as stream:
            return [batch async for batch in StandardInput(CLOCK, stream=stream).batches("")]

    assert ids(asyncio.run(read())) == [1, 2]


def test_events_that_were_kept_are_the_events_that_come(tmp_path: Path) -> None:
    post = Post(
        id="x:1", network="x", author="a", author_id="7", text="b", created_ms=1, seen_ms=5_000
    )
    path = written(tmp_path / "a.jsonl", msgspec.json.encode(Posted(post)))
    (batch,) = asyncio.run(all_of(JsonlFile(path, CLOCK)))
    assert batch.events == (Posted(post),)
