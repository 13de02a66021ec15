"""Writing a head, as `models/verifier.py` reads it: float16 weights, and three float32 numbers."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from fairwitness.models.dequantise import FORMATS
from fairwitness.models.quantise import quantise
from fairwitness.models.safetensors_writer import write_safetensors
from fairwitness.models.writing import NewTensor

_F32, _F16 = FORMATS[0], FORMATS[1]


def write_head(path: Path, head: Any, scale: float, shift: float, threshold: float) -> str:
    """Write a head with its calibration; return the SHA-256 of the file.

    Raises:
        ModelFileError: the name is taken, or the disk refuses.
    """
    arrays = {"calibration": np.array([scale, shift, threshold], np.float32)}
    for name, part in head.items():
        if isinstance(part, dict):
            arrays |= {f"{name}.{key}": np.asarray(value) for key, value in part.items()}
        else:
            arrays[name] = np.asarray(part)
    write_safetensors(path, [_tensor(name, array) for name, array in sorted(arrays.items())])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tensor(name: str, array: np.ndarray[Any, Any]) -> NewTensor:
    number = _F32 if name == "calibration" else _F16
    return NewTensor(name, array.shape, number, lambda: quantise(number, array.astype(np.float32)))
