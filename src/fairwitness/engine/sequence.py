"""One running sequence: its KV cache, how far it is filled, and what of it can be shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHUNK = 128  # tokens of a full prefill piece; what sequences share is whole chunks
MIN_CAPACITY = 512


@dataclass(eq=False)
class Sequence:
    """Positions below `length` are filled.

    `chunk_ids` are the tokens of the whole chunks at the start. Each was computed by the same
    program from the same tokens whatever came after, so another prompt with the same beginning gets
    the very bits that it would have computed.
    """

    cache: Any  # `decoder.Cache`, or `kernels.pages.Pages`; this file needs no JAX
    capacity: int = MIN_CAPACITY
    length: int = 0
    chunk_ids: tuple[int, ...] = ()

    def rewind(self, length: int) -> None:
        """Forget all from `length` on; what stands there is masked until it is overwritten."""
        self.length = length
        self.chunk_ids = self.chunk_ids[:length]


def capacity_for(positions: int) -> int:
    """The cache size for this many positions: a power of two, so that few programs are compiled."""
    return max(MIN_CAPACITY, 1 << (positions - 1).bit_length())


def shared_tokens(chunk_ids: tuple[int, ...], prompt_ids: tuple[int, ...]) -> int:
    """How many leading tokens of a prompt need not run: whole chunks, and never the last token,
    whose logits are wanted."""
    most = min(len(chunk_ids), len(prompt_ids) - 1) // CHUNK * CHUNK
    for start in range(0, most, CHUNK):
        if chunk_ids[start : start + CHUNK] != prompt_ids[start : start + CHUNK]:
            return start
    return most
