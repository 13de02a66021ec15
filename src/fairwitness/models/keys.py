"""The key-values of a model file, read with their types checked: all of them are foreign input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairwitness.models.errors import ModelFileError


@dataclass(frozen=True)
class Keys:
    """A table of a file; each method raises ModelFileError for a value of another type."""

    path: Path
    values: Mapping[str, object]

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number, or the default where there is none."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise ModelFileError(self.path, f"{key} is {value!r}, not an integer")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A positive number, or the default where there is none."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelFileError(self.path, f"{key} is {value!r}, not a number")
        if not 0 < value < math.inf:
            raise ModelFileError(self.path, f"{key} is {value!r}, not a positive number")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """A positive number, or None."""
        return None if self.values.get(key) is None else self.number(key)

    def optional_size(self, key: str) -> int | None:
        """A positive whole number, or None; files also write 0 and -1 for none."""
        value = self.integer(key, 0)
        return value if value > 0 else None

    def flag(self, key: str) -> bool:
        """True or false; false where there is none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise ModelFileError(self.path, f"{key} is {value!r}, not true or false")
        return value is True

    def word(self, key: str, default: str) -> str:
        """A string, or the default where there is none."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ModelFileError(self.path, f"{key} is {value!r}, not a string")
        return value

    def each_layer(self, key: str, layers: int, *, or_number: bool = False) -> list[object] | None:
        """One value a layer, or None where there is no such key (or, if so told, one number)."""
        value = self.values.get(key)
        if value is None or (or_number and isinstance(value, int)):
            return None
        listed = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(listed, list) or len(listed) != layers:
            raise ModelFileError(self.path, f"{key} is not a list of {layers} values, one a layer")
        return listed

    def table(self, key: str) -> Keys | None:
        """A table in this table, or None."""
        value = self.values.get(key)
        return Keys(self.path, value) if isinstance(value, dict) else None
