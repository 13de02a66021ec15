"""The same posts through other search engines, on the same machine, with the same 1 s freshness.

Run: python benchmarks/peers/run.py --texts CAPTURES --out build/peers.json [--quick]

It takes a quarter of an hour at most, `--quick` four minutes, installing apart.
Posts are those of `fairwitness bench index`, cleaned and told their language by us beforehand, and
vectors are ours: peers are spared that work. Each peer runs in a Python environment of its own
(`requirements.txt`, made here) and by itself. A peer that cannot be installed or fails is in the
result with its error. The JSON is what `fairwitness bench index --peers FILE` prints beside ours.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwitness.evals.asking import QUESTIONS
from fairwitness.evals.feeding import decoded, moment_ms
from fairwitness.evals.firehose import Firehose, texts_in, write_tails
from fairwitness.evals.machine import commit, machine
from fairwitness.index import meaning
from fairwitness.kernels.texts import pack
from fairwitness.posts.post import Posted
from fairwitness.posts.sources.lines import Lines

HERE = Path(__file__).parent
PEERS = {
    "sqlite-fts5": "sqlite_fts5",
    "lancedb": "lancedb_peer",
    "qdrant-edge": "qdrant_edge_peer",
    "milvus-lite": "milvus_lite_peer",
    "postgresql": "postgres_peer",
}
DIMENSIONS = 256
_TOGETHER = 2_000
_SPENT = 0.85
"""Of a peer's time, on rates: what is left is for a trial that takes longer than the one before."""


_FULL = {"seconds": 20.0, "preload": 30_000, "posts": 300_000, "timeout": 170.0}
_QUICK = {"seconds": 3.0, "preload": 2_000, "posts": 20_000, "timeout": 42.0}


def main() -> None:
    options = _options()
    with contextlib.ExitStack() as stack:
        work = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(parents=True, exist_ok=True)
        work.chmod(0o755)
        _note(f"writing {options.posts:,} posts with vectors")
        write_posts(work, options.texts, options.posts)
        result: dict[str, Any] = {}
        for name in options.peers or PEERS:
            with contextlib.suppress(KeyboardInterrupt):
                result[name] = _run(name, work, options)
            if name not in result:  # interrupted: what was measured is kept
                break
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(result, indent=1) + "\n")
    _note(f"written to {options.out}")


def write_posts(work: Path, texts: Path | None, count: int) -> None:
    """Write posts, vectors and questions where `trial.py` reads them."""
    write_tails(work / "tails", texts_in(texts)[0])
    firehose = Firehose(work / "tails")
    vectors = np.lib.format.open_memmap(
        work / "vectors.npy", "w+", dtype=np.float16, shape=(count, DIMENSIONS)
    )
    with (work / "posts.jsonl").open("w", encoding="utf-8") as file:
        for first in range(0, count, _TOGETHER):
            together = min(_TOGETHER, count - first)
            said = firehose.say(first, together, moment_ms(first))
            events = decoded(Lines(), said, itertools.repeat(moment_ms(first)), "").events
            posts = [event.post for event in events if isinstance(event, Posted)]
            vectors[first : first + together] = vectors_of([post.text for post in posts])
            for post in posts:
                row = {"text": post.text, "author": post.author, "lang": post.lang}
                row["created_ms"] = post.created_ms
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    asked = vectors_of([question.words for question in QUESTIONS])
    questions = [
        {"words": q.words, "lang": "".join(q.langs), "vector": vector.tolist()}
        for q, vector in zip(QUESTIONS, asked, strict=True)
    ]
    (work / "questions.json").write_text(json.dumps(questions))


def vectors_of(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return unit vectors `[texts, DIMENSIONS]`, as our own index has them.

    A text without a known word has none with us; here it has one that all such texts share, for
    engines refuse vectors of zeros.
    """
    vectors = meaning.codes_and_vectors(pack(texts))[1]
    vectors[~vectors.any(axis=1), 0] = 1.0
    return vectors


def _run(name: str, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one peer, or why there are none."""
    _note(f"{name}: begins")
    about = {"vectors_from": meaning.table().name, "machine": machine(), "commit": commit()}
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=work))
    folder.chmod(0o755)
    try:
        python = _python(options.venv)
        command = [str(python), str(HERE / "trial.py"), "--peer", PEERS[name]]
        command += ["--data", str(work), "--work", str(folder), "--out", str(folder / "out.json")]
        command += ["--seconds", str(options.seconds), "--preload", str(options.preload)]
        command += ["--within", str(_SPENT * options.timeout)]
        # One warns of its own columns at each search, one of where it puts its sockets.
        quiet = {"LANCEDB_LOG": "error", "PYTHONWARNINGS": "ignore"}
        _run_with_servers(command, {**os.environ, **quiet}, options.timeout)
        figures: dict[str, Any] = json.loads((folder / "out.json").read_text())
        return {**figures, **about}
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": f"{type(error).__name__}: {error}"[:500], **about}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_with_servers(command: list[str], env: dict[str, str], timeout_s: float) -> None:
    """Run a trial, and end the servers that it started, also when it took too long."""
    process = subprocess.Popen(command, env=env, start_new_session=True)
    try:
        if status := process.wait(timeout_s):
            raise subprocess.CalledProcessError(status, command[:2])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _python(folder: Path) -> Path:
    """Return the peers' Python, made with all of `requirements.txt` when it is not there."""
    python = folder / "bin" / "python"
    wanted = (HERE / "requirements.txt").read_text()
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        _note("installing the peers")
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r"]
        subprocess.run([*install, str(HERE / "requirements.txt")], check=True)
        stamp.write_text(wanted)
    return python


def _note(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, help="folder of captures; else the bundled sample")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="folder to work in; else a temporary one")
    parser.add_argument("--venv", type=Path, default=Path("build/peers-venv").absolute())
    parser.add_argument("--peers", nargs="*", choices=list(PEERS))
    parser.add_argument("--quick", action="store_true", help="short trials on few posts")
    parser.add_argument("--seconds", type=float, help="how long each rate is tried")
    parser.add_argument("--preload", type=int, help="posts that are there before")
    parser.add_argument("--posts", type=int, help="different posts")
    parser.add_argument("--timeout", type=float, help="seconds a peer may take")
    options = parser.parse_args()
    for name, wanted in (_QUICK if options.quick else _FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, wanted)
    return options


if __name__ == "__main__":
    main()
