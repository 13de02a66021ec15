"""Make tests/models/blocks.npz: what the `gguf` package unpacks and packs.

Run once by hand, in an environment of its own:

    python -m venv golden && golden/bin/pip install gguf==0.19.0
    golden/bin/python benchmarks/make_blocks_golden.py

For each block format that we read: three random blocks with scales of a sensible size, and their
weights. For each that we write: four blocks of random weights (one of them all zeros, one all the
same, one with ties at half a step), and the bytes that they become.
"""

from pathlib import Path

import numpy as np
from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from gguf.quants import dequantize, quantize

TARGET = Path(__file__).resolve().parent.parent / "tests" / "models" / "blocks.npz"
HALVES = {
    "F16": (),
    "BF16": (),
    "MXFP4": (),
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
}
WRITTEN = ("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")


def main() -> None:
    rng = np.random.default_rng(11)
    golden = {}
    for name, halves in HALVES.items():
        blocks = random_blocks(rng, name, halves)
        golden[f"{name}/blocks"] = blocks
        golden[f"{name}/weights"] = dequantize(blocks, Kind[name]).reshape(-1)
    weights = rng.normal(0, 0.3, (4, 32)).astype(np.float32)
    weights[1], weights[2], weights[3] = 0, 0.25, np.arange(32) / 2 - 7
    golden["weights"] = weights
    for name in WRITTEN:
        golden[f"{name}/packed"] = quantize(weights, Kind[name]).view(np.uint8).reshape(-1)
    np.savez_compressed(TARGET, **golden)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


def random_blocks(rng: np.random.Generator, name: str, halves: tuple[int, ...]) -> np.ndarray:
    size_bytes = GGML_QUANT_SIZES[Kind[name]][1]
    if size_bytes == 2:  # single floats, all finite
        blocks = rng.integers(0, 256, (64, 2), np.uint8)
        blocks[:, 1] &= 0xBB
        return blocks
    blocks = rng.integers(0, 256, (3, size_bytes), np.uint8)
    for start in halves:
        blocks[:, start : start + 2] = rng.normal(0, 2, (3, 1)).astype("<f2").view(np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = (0, 1, 130)  # below, at and above the least normal power
    return blocks


if __name__ == "__main__":
    main()
