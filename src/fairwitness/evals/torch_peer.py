"""`transformers` on PyTorch, driven over pipes: run by `engine_peer.py` in a Python that has both.

Reads one JSON table a line and answers each with one. It needs nothing of ours.
"""

import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer()
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(getattr(peer, asked.pop("do"))(**asked)) + "\n")


class Peer:
    """One model, its weights widened."""

    def load(self, path: str, threads: int, numbers: str) -> dict[str, bool]:
        """Read a GGUF file's weights as `numbers`, "float32" or "bfloat16"."""
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        folder, name = os.path.split(path)
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, dtype=getattr(torch, numbers)
        )
        self._model, self._torch = model.eval(), torch
        return {"ok": True}

    def prefill(self, ids: list[int]) -> dict[str, float]:
        """Return how long a prompt takes until its last logits are there."""
        started = time.perf_counter()
        self._feed(ids, None)
        return {"seconds": time.perf_counter() - started}

    def decode(self, ids: list[int], tokens: int) -> dict[str, Any]:
        """Continue a prompt greedily; return the tokens, and how long all but the first took."""
        token, cache = self._feed(ids, None)
        chosen = [token]
        started = time.perf_counter()
        while len(chosen) < tokens:
            token, cache = self._feed(chosen[-1:], cache)
            chosen.append(token)
        return {"seconds": time.perf_counter() - started, "ids": chosen}

    def _feed(self, ids: list[int], cache: Any) -> tuple[int, Any]:
        told = self._model(
            self._torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        return int(told.logits[0, -1].argmax()), told.past_key_values


if __name__ == "__main__":
    main()
