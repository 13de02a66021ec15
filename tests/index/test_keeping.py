"""What is kept is saved when it is time, and again where the disk was full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairwitness.index import saved
from fairwitness.index.copies import Copies
from fairwitness.index.keeping import Keeper


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow beyond some bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_full_disk_did_not_take_is_saved_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "copies"
    keeper = Keeper(path, Copies(16, 16), 0, every_rows=10, every_s=0.0)
    keeper.save(9)
    keeper.close()
    assert not path.exists(), "too little has come"
    with no_room():
        keeper.save(10)
        keeper.close()
    assert "not saved" in caplog.text
    assert list(tmp_path.iterdir()) == []
    keeper.save(11)
    keeper.close()
    assert saved.load(path, Copies(16, 16)) == 11
    keeper.save(20)
    keeper.close()
    assert saved.load(path, Copies(16, 16)) == 11, "saved a moment ago"
