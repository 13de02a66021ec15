"""The model that verifies: encoder, head and threshold as one thing to ask.

The encoder is fetched on first use (`encoder_download`), the head comes with the package, in
`entailment.safetensors`: made by `python -m fairwitness.train` and pinned by its hash. What it says
is a probability, brought into line with how often claims held where it was trained.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fairwitness.models.encoder import EncoderConfig, Floats, Parameters
from fairwitness.models.encoder_download import ENCODER, find_encoder
from fairwitness.models.encoder_files import open_encoder
from fairwitness.models.entailment import Reader, logits, shapes
from fairwitness.models.errors import ModelFileError
from fairwitness.models.safetensors import Safetensors, open_safetensors

HEAD = Path(__file__).with_name("entailment.safetensors")
HEAD_SHA256 = "e2f4398049ff591e6f3d5aa6781be309ad8b3a4619ba15da41c4329b274f1a4f"
NAME = f"{ENCODER}+entailment-1"


@dataclass(frozen=True)
class Head:
    """What was learned: weights, how sure a logit is, and from when on a claim is let through."""

    weights: Parameters
    scale: float
    """Of a logit, so that its probability is neither too sure nor too shy."""
    shift: float
    threshold: float
    """Of the probability; chosen on the folds that were learned from."""

    def surety(self, logit: float) -> float:
        """Return the probability that a logit stands for."""
        return float(1 / (1 + np.exp(-(self.scale * logit + self.shift))))


def open_head(path: Path = HEAD) -> Head:
    """Read a head.

    Raises:
        ModelFileError: damaged, or another than this version was made for.
    """
    file = open_safetensors(path)
    if path == HEAD and hashlib.sha256(path.read_bytes()).hexdigest() != HEAD_SHA256:
        raise ModelFileError(path, "is not the head that this version came with")
    told = _read(file, "calibration", (3,))
    weights = {
        name: _part(file, name, shape) for name, shape in shapes(EncoderConfig().width).items()
    }
    return Head(weights, float(told[0]), float(told[1]), float(told[2]))


def _part(file: Safetensors, name: str, shape: tuple[int, ...]) -> object:
    if len(shape) == 1:
        return _read(file, name, shape)
    return {
        "weight": _read(file, f"{name}.weight", shape),
        "bias": _read(file, f"{name}.bias", shape[1:]),
    }


def _read(file: Safetensors, name: str, shape: tuple[int, ...]) -> Floats:
    array = file.read(name)
    if array.shape != shape:
        raise ModelFileError(file.path, f"tensor {name!r} has shape {array.shape}, not {shape}")
    return array


class Verifier:
    """Says how surely a claim follows from a text in English."""

    name = NAME

    def __init__(self, reader: Reader, head: Head) -> None:
        self.reader, self._head = reader, head
        self.threshold = head.threshold

    def follows(self, claim: str, evidence: str) -> float:
        """Return the probability that `claim` follows from `evidence`."""
        read = self.reader.read
        logit = logits(np, self._head.weights, read(claim), read(evidence))
        return self._head.surety(float(logit))


def open_verifier(encoder: Path) -> Verifier:
    """Open the verifier over an encoder's file.

    Raises:
        ModelFileError: a file is damaged.
    """
    return Verifier(Reader(*open_encoder(encoder)), open_head())


@lru_cache(1)
def the_verifier() -> Verifier | None:
    """Return the verifier of this machine, opened once; None when its encoder was not fetched."""
    encoder = find_encoder()
    return open_verifier(encoder) if encoder else None
