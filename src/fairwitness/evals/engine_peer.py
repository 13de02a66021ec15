"""llama.cpp and `transformers` beside our engine: each installed once in an environment of its own,
and driven over pipes."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairwitness.evals import llama_peer, torch_peer
from fairwitness.models.registry import cache_folder

REQUIREMENT = "llama-cpp-python==0.3.36"
TRANSFORMERS = "transformers==5.23.0"
_BESIDE_TRANSFORMERS = ("torch==2.13.0", "gguf==0.19.0", "accelerate")

# GCC 12 takes the settings of AMX's tiles for eight bytes and throws the other 56
# away, so that llama.cpp's own tiles crash (`_tile_loadconfig` in its amxtileintrin.h). With this
# put before each file they are whole, and llama.cpp decodes 1.8 times as fast.
TILES = """\
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#undef _tile_loadconfig
#define _tile_loadconfig(config) \\
    __asm__ volatile("ldtilecfg %0" ::"m"(*(const char(*)[64])(config)))
#endif
"""


class PeerFailed(Exception):
    """The peer cannot be installed, or died; the message says of what."""


class RunningPeer:
    """A peer in a process of its own."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name, self._process = name, process
        self.has_tiles = False
        """Whether llama.cpp turned weights into tiles of its own."""

    def ask(self, do: str, **told: object) -> dict[str, Any]:
        """Return what it answers.

        Raises:
            PeerFailed: it is gone.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **told}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError as error:
            raise PeerFailed(f"{self._name} went away: {error}") from error
        if not line:
            raise PeerFailed(f"{self._name} ended with {self._process.wait(10)} at {do}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def decode_s(self, ids: Sequence[int], tokens: int) -> float:
        """Seconds for all tokens after the first, greedily."""
        return float(self.ask("decode", ids=list(ids), tokens=tokens)["seconds"])

    def prefill_s(self, ids: Sequence[int]) -> float:
        """Seconds for a prompt."""
        return float(self.ask("prefill", ids=list(ids))["seconds"])

    def streams_s(self, prompts: Sequence[Sequence[int]], tokens: int) -> float:
        """Seconds for all tokens of several requests together, greedily, from the beginning."""
        asked = [list(prompt) for prompt in prompts]
        return float(self.ask("streams", prompts=asked, tokens=tokens)["seconds"])


@contextmanager
def running(
    python: Path, model: Path | None = None, threads: int = 2, sequences: int = 1
) -> Iterator[RunningPeer]:
    """Run llama.cpp with a model, with tiles of its own (`use_extra_bufts`), or without them where
    it does not live with them."""
    for repack in (True, False):
        process = _started(python, llama_peer.__file__)
        peer = RunningPeer("llama.cpp", process)
        try:
            if model is not None:
                told = {"threads": threads, "repack": repack, "sequences": sequences}
                peer.ask("load", path=str(model), **told)
                peer.ask("decode", ids=list(range(1, 65)), tokens=3)
        except PeerFailed:
            _end(process)
            if not repack:
                raise
            continue
        peer.has_tiles = repack
        try:
            yield peer
        finally:
            _end(process)
        return


def python_of_peer(folder: Path | None) -> Path:
    """The peer's Python, made in `folder` (else the cache) if it is not there: minutes, once.

    Raises:
        PeerFailed: it could not be installed.
    """
    folder = folder or cache_folder() / "peers" / REQUIREMENT.replace("==", "-")
    python = folder / "bin" / "python"
    header = folder / "tiles.h"
    is_whole = header.exists() and header.read_text() == TILES
    if is_whole and python.exists() and _imports(python, "llama_cpp"):
        return python
    venv.create(folder, with_pip=True, clear=True)
    # from source, so that it is compiled for this very processor
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    install += ["--no-binary", "llama-cpp-python", REQUIREMENT]
    header.write_text(TILES)
    flags = {**os.environ, "CXXFLAGS": f"-include {header}"}
    done = subprocess.run(install, env=flags, capture_output=True, text=True, check=False)
    if done.returncode:
        header.unlink()
        raise PeerFailed(f"{REQUIREMENT} could not be installed: {done.stderr[-500:]}")
    return python


def best_threads(python: Path, model: Path) -> int:
    """How many threads llama.cpp writes fastest with: two, or one where two wait for each other."""

    def taken_s(threads: int) -> float:
        with running(python, model, threads) as peer:
            return min(peer.decode_s(range(1, 17), 33) for _ in range(3))

    return min((2, 1), key=taken_s)


@contextmanager
def running_transformers(python: Path, model: Path, numbers: str) -> Iterator[RunningPeer]:
    """Run `transformers` with a GGUF file's weights, widened to "float32" or "bfloat16"."""
    process = _started(python, torch_peer.__file__)
    peer = RunningPeer("transformers", process)
    try:
        peer.ask("load", path=str(model), threads=2, numbers=numbers)
        yield peer
    finally:
        _end(process)


def python_of_transformers(folder: Path | None) -> Path:
    """The same for `transformers` on PyTorch.

    Raises:
        PeerFailed: it could not be installed.
    """
    folder = folder or cache_folder() / "peers" / TRANSFORMERS.replace("==", "-")
    python = folder / "bin" / "python"
    if python.exists() and _imports(python, "transformers, torch, gguf, accelerate"):
        return python
    venv.create(folder, with_pip=True, clear=True)
    install = [str(python), "-m", "pip", "install", "--quiet", TRANSFORMERS, *_BESIDE_TRANSFORMERS]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerFailed(f"{TRANSFORMERS} could not be installed: {done.stderr[-500:]}")
    return python


def _imports(python: Path, modules: str) -> bool:
    return not subprocess.run(
        [python, "-c", f"import {modules}"], capture_output=True, check=False
    ).returncode


def _started(python: Path, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
