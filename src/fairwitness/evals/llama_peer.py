"""llama.cpp, driven over pipes: run by `engine_peer.py` in a Python that has llama-cpp-python.

Reads one JSON table a line and answers each with one. It needs nothing of ours.
"""

import ctypes
import json
import os
import sys
import time
from typing import Any

FORMATS = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "F16": 1}  # enum llama_ftype in llama.h


def main() -> None:
    """Serve until the input ends; what llama.cpp prints of itself goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    from llama_cpp import llama_cpp as api

    peer = Peer(api)
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(getattr(peer, asked.pop("do"))(**asked)) + "\n")


class Peer:
    """One model, loaded."""

    def __init__(self, api: Any) -> None:
        self._api = api
        api.llama_backend_init()
        self._batch = api.llama_batch_init(2048, 0, 1)

    def version(self) -> dict[str, str]:
        """Return the version of the package."""
        from importlib.metadata import version

        return {"version": version("llama-cpp-python")}

    def convert(self, source: str, target: str, format: str) -> dict[str, bool]:
        """Write the same weights in another format."""
        told = self._api.llama_model_quantize_default_params()
        told.ftype, told.allow_requantize, told.nthread = FORMATS[format], True, 2
        failed = self._api.llama_model_quantize(
            source.encode(), target.encode(), ctypes.byref(told)
        )
        return {"ok": not failed}

    def load(self, path: str, threads: int, repack: bool, sequences: int = 1) -> dict[str, bool]:
        """Load a model; `repack` lets llama.cpp turn weights into tiles of its own. There is room
        for 2,048 positions, or for so many sequences of 256."""
        model_told = self._api.llama_model_default_params()
        model_told.use_extra_bufts = repack
        self._model = self._api.llama_model_load_from_file(path.encode(), model_told)
        told = self._api.llama_context_default_params()
        told.n_ctx, told.n_batch, told.n_ubatch = max(2048, 256 * sequences), 2048, 512
        told.n_seq_max = sequences
        told.n_threads = told.n_threads_batch = threads
        self._context = self._api.llama_init_from_model(self._model, told)
        vocabulary = self._api.llama_model_get_vocab(self._model)
        self._vocabulary = self._api.llama_vocab_n_tokens(vocabulary)
        return {"ok": True}

    def prefill(self, ids: list[int]) -> dict[str, float]:
        """Return how long a prompt takes until its last logits are there."""
        self._forget()
        started = time.perf_counter()
        self._feed(ids)
        return {"seconds": time.perf_counter() - started}

    def decode(self, ids: list[int], tokens: int) -> dict[str, Any]:
        """Continue a prompt greedily; return the tokens, and how long all but the first took."""
        self._forget()
        self._feed(ids)
        chosen = [self._likeliest()]
        started = time.perf_counter()
        while len(chosen) < tokens:
            self._feed(chosen[-1:])
            chosen.append(self._likeliest())
        return {"seconds": time.perf_counter() - started, "ids": chosen}

    def streams(self, prompts: list[list[int]], tokens: int) -> dict[str, Any]:
        """Continue all prompts together, greedily; return how long it took from the beginning, and
        each one's tokens."""
        self._forget()
        started = time.perf_counter()
        # a batch takes as many prompts as fit
        together = max(1, 2048 // max(map(len, prompts)))
        chosen: list[list[int]] = []
        for first in range(0, len(prompts), together):
            some = prompts[first : first + together]
            rows = [
                (token, place, first + i, place == len(prompt) - 1)
                for i, prompt in enumerate(some)
                for place, token in enumerate(prompt)
            ]
            chosen += [[token] for token in self._feed_rows(rows)]
        for step in range(tokens - 1):
            places = [len(prompt) + step for prompt in prompts]
            rows = [
                (ids[-1], place, i, True)
                for i, (ids, place) in enumerate(zip(chosen, places, strict=True))
            ]
            for ids, token in zip(chosen, self._feed_rows(rows), strict=True):
                ids.append(token)
        return {"seconds": time.perf_counter() - started, "ids": chosen}

    def _feed_rows(self, rows: list[tuple[int, int, int, bool]]) -> list[int]:
        """Run rows of (token, position, sequence, wanted); return the likeliest of each wanted."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, is_wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, is_wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        failed = self._api.llama_decode(self._context, batch)
        if failed:
            raise RuntimeError(f"llama_decode says {failed}")
        return [self._likeliest(i) for i, row in enumerate(rows) if row[3]]

    def _forget(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)

    def _feed(self, ids: list[int]) -> None:
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        failed = self._api.llama_decode(
            self._context, self._api.llama_batch_get_one(tokens, len(ids))
        )
        if failed:
            raise RuntimeError(f"llama_decode says {failed}")

    def _likeliest(self, row: int = -1) -> int:
        import numpy as np

        logits = self._api.llama_get_logits_ith(self._context, row)
        return int(np.argmax(np.ctypeslib.as_array(logits, (self._vocabulary,))))


if __name__ == "__main__":
    main()
