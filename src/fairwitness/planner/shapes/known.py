"""The shapes that ship with us, by name, and any `config.json` by its path."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fairwitness.planner.shapes.errors import ShapeError
from fairwitness.planner.shapes.reading import read_shape
from fairwitness.planner.shapes.shape import ModelShape

_CONFIGS = "configs.json"


def known_shapes() -> tuple[str, ...]:
    """Names that `find_shape` knows, sorted."""
    return tuple(sorted(_configs()))


def find_shape(name: str) -> ModelShape:
    """A shipped shape (`grok-1`), or the one in a `config.json` or its folder.

    Raises:
        ShapeError: no such shape or file, or one that cannot be read.
    """
    if name in _configs():
        return read_shape(name, _configs()[name])
    path = Path(name)
    path = path / "config.json" if path.is_dir() else path
    if not path.is_file():
        known = ", ".join(known_shapes())
        raise ShapeError(name, f"neither a file nor one of the known shapes: {known}")
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ShapeError(name, f"not a JSON file: {error}") from error
    if not isinstance(config, Mapping):
        raise ShapeError(name, "the JSON holds no object")
    return read_shape(name, config)


@cache
def _configs() -> Mapping[str, Mapping[str, object]]:
    """Published configs as they are, each with where it is from under `_source`."""
    file = importlib.resources.files("fairwitness.planner.shapes") / _CONFIGS
    configs: Mapping[str, Mapping[str, object]] = json.loads(file.read_text("utf-8"))
    return configs
