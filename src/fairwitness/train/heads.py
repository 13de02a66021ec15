"""Writing a head, as `models/verifier.py` reads it: float16 weights, and float32 for
trees and calibration."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from fairwitness.models.dequantise import FORMATS
from fairwitness.models.quantise import quantise
from fairwitness.models.safetensors_writer import write_safetensors
from fairwitness.models.verifier import Head
from fairwitness.models.writing import NewTensor

_F32, _F16 = FORMATS[0], FORMATS[1]


def write_head(path: Path, head: Head) -> str:
    """Write a head with its trees and calibration; return the SHA-256 of the file.

    Raises:
        ModelFileError: the name is taken, or the disk refuses.
    """
    arrays = {"calibration": np.array([head.scale, head.shift, head.threshold], np.float32)}
    for name, part in head.weights.items():
        if isinstance(part, dict):
            arrays |= {f"{name}.{key}": np.asarray(value) for key, value in part.items()}
        else:
            arrays[name] = np.asarray(part)
    for name, array in head.trees._asdict().items():
        arrays[f"trees.{name}"] = np.asarray(array, np.float32).reshape(-1)
    write_safetensors(path, [_tensor(name, array) for name, array in sorted(arrays.items())])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tensor(name: str, array: np.ndarray[Any, Any]) -> NewTensor:
    number = _F32 if name == "calibration" or name.startswith("trees.") else _F16
    return NewTensor(name, array.shape, number, lambda: quantise(number, array.astype(np.float32)))
