"""The floors of the house: a room imports only from rooms below it, and files stay short.

The rule is read off the syntax tree, so an import inside a function or under TYPE_CHECKING counts
like any other. Every check here is also run on a small house that breaks it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "fairwitness"

# From the ground up. Rooms of one floor do not import each other.
FLOORS = (
    frozenset({"posts", "models", "planner", "data"}),
    frozenset({"index", "engine", "train"}),
    frozenset({"answers"}),
    frozenset({"home"}),
    frozenset({"evals", "feedback"}),
    frozenset({"server"}),
    frozenset({"cli"}),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS, start=1) for room in rooms}
FLOOR_OF["kernels"] = 0  # native loops are the ground that cleaning and models stand on alike

# The index knows no network, the engine no post: they need less than their floor allows.
NARROWER = {"index": frozenset({"posts", "kernels"}), "engine": frozenset({"models", "kernels"})}

FORBIDDEN_ROOMS = frozenset({"utils", "util", "common", "core", "base", "helpers", "misc"})
MAX_LINES = 400
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|tmp|root|home|Users)/")


def test_rooms_import_only_from_below() -> None:
    assert list(wrong_imports(HOUSE)) == []


def test_every_room_has_a_floor() -> None:
    assert list(wrong_rooms(HOUSE)) == []


def test_files_are_short() -> None:
    assert list(long_files(HOUSE)) == []


@pytest.mark.parametrize("folder", ["src", "tests", "docs"])
def test_no_file_holds_a_path_of_one_machine(folder: str) -> None:
    assert list(machine_paths(ROOT / folder)) == []


@pytest.mark.parametrize(
    ("room", "text", "line"),
    [
        ("posts", "from fairwitness.index import LiveIndex\n", 1),
        ("posts", "import fairwitness.answers.road\n", 1),
        ("posts", "def late() -> None:\n    from fairwitness.server import serve\n", 2),
        (
            "models",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from fairwitness.engine import Engine\n",
            3,
        ),
        ("answers", "from fairwitness import home\n", 1),
        ("engine", "import os\n\nfrom fairwitness.index import Hit\n", 3),
        ("engine", "from fairwitness.posts.post import Post\n", 1),
        ("evals", "from fairwitness.feedback import votes\n", 1),
        ("index", "from .live import LiveIndex\n", 1),
        ("posts", "from fairwitness.attic import box\n", 1),
        ("posts", "import importlib\nimportlib.import_module('fairwitness.cli')\n", 2),
    ],
)
def test_a_wrong_import_is_named_with_file_and_line(
    tmp_path: Path, room: str, text: str, line: int
) -> None:
    build(tmp_path, f"{room}/wrong.py", text)
    (told,) = wrong_imports(tmp_path)
    assert told.startswith(f"{room}/wrong.py:{line}: ")


@pytest.mark.parametrize(
    ("room", "text"),
    [
        ("posts", "from fairwitness.posts.post import Post\n"),
        (
            "server",
            "from fairwitness import __version__, answers\nfrom fairwitness.home import Home",
        ),
        ("index", "from fairwitness.posts.post import Post\nimport xxhash\n"),
        ("cli", "from fairwitness.evals.machine import machine\n"),
    ],
)
def test_a_right_import_passes(tmp_path: Path, room: str, text: str) -> None:
    build(tmp_path, f"{room}/right.py", text)
    assert list(wrong_imports(tmp_path)) == []


@pytest.mark.parametrize("name", ["__init__.py", "shortcut.py"])
def test_files_beside_the_rooms_import_none(tmp_path: Path, name: str) -> None:
    build(tmp_path, name, "from fairwitness.cli.main import main\n")
    build(tmp_path, "__main__.py", "from fairwitness.cli.main import main\n")
    (told,) = wrong_imports(tmp_path)
    assert told.startswith(f"{name}:1: ")


@pytest.mark.parametrize("room", ["utils", "core", "attic"])
def test_a_room_without_a_floor_is_named(tmp_path: Path, room: str) -> None:
    build(tmp_path, f"{room}/anything.py", "")
    (told,) = wrong_rooms(tmp_path)
    assert room in told


def test_a_long_file_is_named(tmp_path: Path) -> None:
    build(tmp_path, "posts/long.py", "x = 1\n" * (MAX_LINES + 1))
    build(tmp_path, "posts/fits.py", "x = 1\n" * MAX_LINES)
    assert list(long_files(tmp_path)) == ["posts/long.py: 401 lines, the most is 400"]


def test_a_path_of_one_machine_is_named(tmp_path: Path) -> None:
    build(tmp_path, "posts/path.py", "A = 1\nB = '/" + "tmp/x'\nC = 'https://example.org/tmp/x'\n")
    (told,) = machine_paths(tmp_path)
    assert told.startswith("posts/path.py:2: ")


def wrong_imports(house: Path) -> Iterator[str]:
    """Yield `file:line: why` of every import that goes up, sideways or nowhere."""
    for path in sorted(house.rglob("*.py")):
        place = path.relative_to(house)
        room = place.parts[0]  # a file beside the rooms stands for itself
        for line, imported in imports(path):
            if why := wrong_import(room, imported):
                yield f"{place.as_posix()}:{line}: {why}"


def wrong_import(room: str, imported: str) -> str:
    """Return why `room` may not import the dotted name `imported`; empty when it may."""
    if imported.startswith("."):
        return f"relative import {imported}"
    root, _, rest = imported.partition(".")
    other = rest.partition(".")[0]
    if root != "fairwitness" or other in (room, "", "__version__"):
        return ""
    if other not in FLOOR_OF:
        return f"{imported} is in no room"
    if room == "__main__.py" and other == "cli":
        return ""  # the door of `python -m fairwitness`
    if room not in FLOOR_OF:
        return f"{room} is no room and imports {other}"
    if room in NARROWER and other not in NARROWER[room]:
        return f"{room} may import {', '.join(sorted(NARROWER[room]))}, not {other}"
    if FLOOR_OF[other] >= FLOOR_OF[room]:
        return f"{room} (floor {FLOOR_OF[room]}) imports {other} (floor {FLOOR_OF[other]})"
    return ""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        match node:
            case ast.Import(names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module, _, level) if level:
                yield node.lineno, "." * level + (module or "")
            case ast.ImportFrom("fairwitness", names):
                yield from ((node.lineno, f"fairwitness.{alias.name}") for alias in names)
            case ast.ImportFrom(str(module)):
                yield node.lineno, module
            case ast.Call(
                ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                [ast.Constant(str(module)), *_],
            ):
                yield node.lineno, module


def wrong_rooms(house: Path) -> Iterator[str]:
    """Yield what is wrong with the names of the rooms."""
    for room in sorted({path.relative_to(house).parts[0] for path in house.glob("*/**/*.py")}):
        if room in FORBIDDEN_ROOMS:
            yield f"{room}: a room is named after what it is about"
        elif room not in FLOOR_OF:
            yield f"{room}: has no floor in tests/test_floors.py"


def long_files(house: Path) -> Iterator[str]:
    """Yield every Python file of more than MAX_LINES lines; there are no exceptions."""
    for path in sorted(house.rglob("*.py")):
        lines = path.read_text("utf-8").count("\n")
        if lines > MAX_LINES:
            yield f"{path.relative_to(house).as_posix()}: {lines} lines, the most is {MAX_LINES}"


def machine_paths(folder: Path) -> Iterator[str]:
    """Yield every line of a text file that names a folder of one machine."""
    for path in sorted(folder.rglob("*.*")):
        if path.suffix not in {".py", ".md", ".js", ".css", ".html", ".json", ".txt", ".toml"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                yield f"{path.relative_to(folder).as_posix()}:{number}: {line.strip()[:100]}"


def build(house: Path, place: str, text: str) -> None:
    """Put a file into a small house."""
    path = house / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
