"""Compile the kernels: every file of `csrc` into one shared library beside this file.

The library carries a hash of the sources that it was made of, so a stale one is noticed. This file
needs nothing but Python: the build hook runs it before anything is installed, the Makefile with
whatever `python3` there is, and a developer as `python -m fairwitness.kernels.build`.
`FAIRWITNESS_SANITIZE=address,undefined` makes and opens another library, which watches itself.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CSRC = FOLDER / "csrc"

SANITIZE = "FAIRWITNESS_SANITIZE"
"""The environment variable that names what to watch, as the compiler's `-fsanitize` does."""

_WATCHED = os.environ.get(SANITIZE, "")
LIBRARY = FOLDER / f"_native{_WATCHED and '-' + _WATCHED.replace(',', '-')}.so"

_COMPILERS = ("c++", "g++", "clang++")
# No -march=native: a wheel may move to another machine. Kernels choose their instructions when
# they run (`csrc/kernel.h`).
_WARNINGS = ("-Wall", "-Wextra", "-Wno-psabi")  # wide vectors never cross the library's border
_WATCHING = (f"-fsanitize={_WATCHED}", "-O1", "-g1")  # with more it takes minutes a file
_SPEED = _WATCHING if _WATCHED else ("-O3",)
_FLAGS = (*_SPEED, "-std=c++17", "-fPIC", "-fvisibility=hidden", "-pthread", *_WARNINGS)


class BuildFailed(Exception):
    """There is no compiler, or it did not accept the sources; the message says which."""


def sources_hash() -> str:
    """Return a hash of the names and contents of all sources, 32 hexadecimal digits."""
    told = hashlib.sha256()
    for path in sorted(CSRC.glob("*.*")):
        content = path.read_bytes()
        told.update(f"{path.name} {len(content)}\n".encode() + content)
    return told.hexdigest()[:32]


def build() -> Path:
    """Compile all sources and put the library in place at once; raise `BuildFailed` or OSError."""
    compiler = _compiler()
    name = sources_hash()
    with tempfile.TemporaryDirectory(prefix="fairwitness-kernels-") as scratch:
        folder = Path(scratch)
        told = folder / "sources.cpp"
        told.write_text(
            'extern "C" __attribute__((visibility("default"))) const char *fw_sources();\n'
            f'const char *fw_sources() {{ return "{name}"; }}\n'
        )
        sources = [*sorted(CSRC.glob("*.cpp")), told]
        objects = [folder / f"{number}.o" for number in range(len(sources))]

        def compile_one(number: int) -> None:
            paths = ["-c", str(sources[number]), "-o", str(objects[number])]
            _run([*compiler, *_FLAGS, *paths])

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, range(len(sources))))
        # Beside its place, so that a rename puts it there whole: others may be loading the old one.
        fresh = LIBRARY.with_suffix(f".{os.getpid()}.so")
        try:
            _run([*compiler, *_FLAGS, "-shared", *map(str, objects), "-o", str(fresh)])
            fresh.replace(LIBRARY)
        finally:
            fresh.unlink(missing_ok=True)
    return LIBRARY


def _compiler() -> list[str]:
    chosen = shlex.split(os.environ.get("CXX", ""))
    if chosen:
        return chosen
    for name in _COMPILERS:
        if shutil.which(name):
            return [name]
    raise BuildFailed(f"no C++ compiler: none of {', '.join(_COMPILERS)} is installed")


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildFailed(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise BuildFailed(f"{shlex.join(command)} failed:\n{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr)


def main() -> None:
    """Build in place; without a compiler say so and go on, for everything works in Python too."""
    try:
        print(f"built {build()}")
    except (BuildFailed, OSError) as error:
        print(
            f"WARNING: no native kernels, plain Python takes their place: {error}", file=sys.stderr
        )


if __name__ == "__main__":
    main()
