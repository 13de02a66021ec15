"""Documentation that is checked against what it describes.

What can be named (a dependency, a variable, a metric, a verb, a file, a test) must be named, and
what is named must be there.
"""

import ast
import asyncio
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import metadata
from pathlib import Path

import click
import httpx2
import pytest
from click.testing import CliRunner

from fairwitness.cli.main import cli
from fairwitness.home import Writer
from fairwitness.server import House, create_app

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "src" / "fairwitness"
DOCS = ROOT / "docs"
ROOMS = sorted({path.relative_to(HOUSE).parts[0] for path in HOUSE.glob("*/**/*.py")})
README_LINES = 40

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|md|js|html|css|svg|json|gz|txt)")
_VARIABLE = re.compile(r"(?:FAIRWITNESS|FW)_[A-Z][A-Z_]*")


def pages() -> list[Path]:
    """Return all documents of the project."""
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *HOUSE.rglob("*.md")])


def each_page() -> pytest.MarkDecorator:
    """Run a test for each document, named after it."""
    return pytest.mark.parametrize("page", pages(), ids=lambda p: p.relative_to(ROOT).as_posix())


@cache
def prose(path: Path) -> str:
    return path.read_text("utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    section = re.split(rf"(?m)^## {re.escape(heading)}$", prose(DOCS / page))[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# ── dependencies ─────────────────────────────────────────────────────────────────────────────────


def required() -> dict[str, dict[str, str]]:
    """Return name and pin (or nothing) of each dependency, by the heading of its table."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    kinds = {
        "At run time": project["dependencies"],
        "For development": project["optional-dependencies"]["dev"],
    }
    return {
        heading: {
            re.split(r"[=<>~!\[; ]", each)[0]: each.partition("==")[2] for each in requirements
        }
        for heading, requirements in kinds.items()
    }


@pytest.mark.parametrize("heading", list(required()))
def test_each_dependency_is_accounted_for(heading: str) -> None:
    told = {row[0]: row for row in rows("dependencies.md", heading)}
    wanted = required()[heading]
    assert set(told) == set(wanted)
    for name, (_, version, licence, size_mb, why, upkeep) in told.items():
        assert wanted[name] in ("", version), f"{name} is pinned to {wanted[name]}"
        assert re.match(r"\d+\.\d", size_mb), f"{name}: no size"
        assert why
        assert upkeep
        assert licence in licences(name), f"{name} says of itself: {licences(name)}"


def licences(name: str) -> str:
    """Return what an installed package says of its licence, in SPDX names where we know them."""
    about = metadata(name)
    said = " ".join(
        [about.get("License-Expression") or "", about.get("License") or ""]
        + [each for each in about.get_all("Classifier") or [] if each.startswith("License")]
    )
    older = {"Apache Software License": "Apache-2.0", "BSD License": "BSD-3-Clause"}
    for classifier, spdx in older.items():
        said = said.replace(classifier, f"{classifier} {spdx}")
    return said


# ── what can be set and measured ─────────────────────────────────────────────────────────────────


def test_environment_variables_are_documented() -> None:
    told = {name.strip("`") for name, *_ in rows("operations.md", "Environment")}
    assert told == variables()


def variables() -> set[str]:
    """Return all names of our variables that stand in the code as a whole string."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(rf"^{_VARIABLE.pattern}$", node.value))
    return found | set(_VARIABLE.findall((ROOT / "Makefile").read_text()))


def test_metrics_are_documented_with_their_kind(tmp_path: Path) -> None:
    served = dict(re.findall(r"(?m)^# TYPE (\w+) (\w+)$", asyncio.run(metrics(tmp_path))))
    told = {name.strip("`"): kind for name, kind, *_ in rows("operations.md", "Metrics")}
    assert told == served


async def metrics(folder: Path) -> str:
    """Return what a server over an empty home says at /metrics."""
    writer = Writer(folder / "home", "test")
    house = House(writer)
    try:
        transport = httpx2.ASGITransport(app=create_app(house))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            reply = await client.get("/metrics")
        assert reply.status_code == 200
        return reply.text
    finally:
        await house.close()
        writer.close()


# ── the command line ─────────────────────────────────────────────────────────────────────────────


def verbs(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of each verb and of each of its sub-verbs."""
    yield path
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from verbs(inner, (*path, name))


def verb_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that `words` call, and its arguments."""
    command: click.Command = cli
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("path", list(verbs(cli)), ids=" ".join)
def test_help_works_and_its_examples_can_be_typed(path: tuple[str, ...]) -> None:
    told = CliRunner().invoke(cli, [*path, "--help"])
    assert told.exit_code == 0, told.output
    example = told.output.partition("Example:\n")[2].partition("\n\n")[0]
    calls = [line for line in example.splitlines() if "fairwitness" in line]
    assert calls, "no example"
    asked = verb_of(list(path))[0]
    for line in calls:
        _, _, typed = line.partition("fairwitness ")
        command, arguments = verb_of(shlex.split(typed, comments=True))
        group = isinstance(asked, click.Group)
        assert command is asked or (group and command.name in commands_in(asked)), line
        known = {name for each in command.params for name in each.opts}
        assert {word for word in arguments if word.startswith("--")} <= known, line


def commands_in(command: click.Command) -> set[str]:
    return set(command.commands) if isinstance(command, click.Group) else set()


# ── rooms and words ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_has_a_readme_that_names_its_files(room: str) -> None:
    readme = HOUSE / room / "README.md"
    text = prose(readme)
    table = {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in _CODE.findall(line.split("|")[1])
    }
    assert table == set(files_of(readme.parent))
    assert len(text.splitlines()) <= README_LINES


def files_of(room: Path) -> Iterator[str]:
    """Yield the files that people wrote; packed dictionaries are told by their NOTICE."""
    for path in room.rglob("*.*"):
        if path.name != "README.md" and path.suffix not in (".pyc", ".so", ".zdict"):
            yield path.relative_to(room).as_posix()


def glossary(heading: str) -> dict[str, str]:
    section = prose(DOCS / "glossary.md").split(f"## {heading}\n")[1].split("\n## ")[0]
    words = dict(re.findall(r"(?m)^- \*\*([^*]+)\*\*: (.+)$", section))
    assert words
    return words


@pytest.mark.parametrize("word", list(glossary("Words in use")))
def test_glossary_words_are_used(word: str) -> None:
    code = "\n".join(path.read_text("utf-8").lower() for path in HOUSE.rglob("*.py"))
    written = re.escape(word).replace(r"\-", "[-_ ]")
    assert re.search(rf"(?<![a-z]){written}s?(?![a-z])", code)


@pytest.mark.parametrize(
    ("word", "meaning"), list(glossary("Words kept for rooms that are not built").items())
)
def test_kept_words_belong_to_rooms_that_are_not_built(word: str, meaning: str) -> None:
    (room,) = _CODE.findall(meaning)
    assert not (HOUSE / room).exists(), f"{room} is built: {word} is in use now"


# ── what documents point to ──────────────────────────────────────────────────────────────────────


@each_page()
def test_links_resolve(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(other), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@each_page()
def test_files_and_tests_that_are_named_exist(page: Path) -> None:
    for code in _CODE.findall(prose(page)):
        name, _, test = code.partition("::")
        if not _FILE.fullmatch(name) or name.startswith(("http", "../")):
            continue
        places = [base / name for base in (ROOT, HOUSE, HOUSE / "posts", page.parent)]
        found = next((place for place in places if place.exists()), None)
        assert found is not None, f"no file {name}"
        assert not test or test in names_in(found), f"{name} has no {test}"


def names_in(path: Path) -> set[str]:
    """Return what a test module defines at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Assign():
                found.update(each.id for each in node.targets if isinstance(each, ast.Name))
    return found


@each_page()
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text()))
    assert set(re.findall(r"(?:`|^    )make (\w+)", prose(page), re.MULTILINE)) <= targets


def test_ten_invariants_each_say_what_keeps_them() -> None:
    parts = re.split(r"(?m)^\*\*(\d+)\. ", prose(DOCS / "invariants.md"))
    numbers, texts = parts[1::2], parts[2::2]
    assert [int(number) for number in numbers] == list(range(1, 11))
    for number, text in zip(numbers, texts, strict=True):
        assert "::" in text or "ot yet tested" in text, f"invariant {number}"
