"""llama.cpp beside our engine: installed once in an environment of its own, driven over pipes."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairwitness.evals import llama_peer
from fairwitness.models.registry import cache_folder

REQUIREMENT = "llama-cpp-python==0.3.36"


class PeerFailed(Exception):
    """The peer cannot be installed, or died; the message says of what."""


class LlamaCpp:
    """A running llama.cpp."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

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
            raise PeerFailed(f"llama.cpp went away: {error}") from error
        if not line:
            raise PeerFailed(f"llama.cpp ended with {self._process.wait(10)} at {do}")
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
) -> Iterator[LlamaCpp]:
    """Run llama.cpp with a model, in the form that it is fastest in and lives with.

    Its own tiles (`use_extra_bufts`) crash 0.3.36 on some virtual machines; then it runs without.
    """
    for repack in (True, False):
        process = _started(python)
        peer = LlamaCpp(process)
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
    if python.exists() and _imports(python):
        return python
    venv.create(folder, with_pip=True, clear=True)
    # from source, so that it is compiled for this very processor
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-binary", "llama-cpp-python"]
    done = subprocess.run([*install, REQUIREMENT], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerFailed(f"{REQUIREMENT} could not be installed: {done.stderr[-500:]}")
    return python


def _imports(python: Path) -> bool:
    return not subprocess.run(
        [python, "-c", "import llama_cpp"], capture_output=True, check=False
    ).returncode


def _started(python: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), llama_peer.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
