"""Posts and indexes for these tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairwitness.index import LiveIndex
from fairwitness.posts.post import Post


def make_post(id: str, text: str, seen_ms: int = 1_000, **more: Any) -> Post:
    fields = {"network": "x", "author": "Ann", "author_id": "ann", "created_ms": seen_ms} | more
    return Post(id=id, text=text, seen_ms=seen_ms, **fields)


@pytest.fixture
def post() -> Callable[..., Post]:
    return make_post


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    opened = LiveIndex.open(tmp_path / "index", slice_rows=8)
    yield opened
    opened.close()
