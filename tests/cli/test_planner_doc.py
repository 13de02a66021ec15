"""docs/planner.md says what its commands say, and its plots are there."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "planner.md"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    path = ROOT / "benchmarks" / "planner_doc.py"
    spec = importlib.util.spec_from_file_location("planner_doc", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_worked_example_is_what_the_commands_say(writer: ModuleType) -> None:
    page = PAGE.read_text("utf-8")
    assert page.count("<!-- end -->") == page.count("<!-- made by ") >= 6
    assert writer.made(page) == page, "run python benchmarks/planner_doc.py"


def test_the_plots_are_there_and_whole() -> None:
    plots = re.findall(r"\((plan/[\w.-]+\.svg)\)", PAGE.read_text("utf-8"))
    assert len(plots) >= 6
    for plot in plots:
        ElementTree.parse(PAGE.parent / plot)


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.rstrip().endswith("MW")
