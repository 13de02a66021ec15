"""A place to take posts in."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Helpers stand beside the tests and are imported by their names.
sys.path.append(str(Path(__file__).parent))
from places import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()
