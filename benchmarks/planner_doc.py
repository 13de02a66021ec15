"""Write the figures and plots of docs/planner.md again: `python benchmarks/planner_doc.py`.

A block of the page begins with a comment that says which plan is run and which results are shown;
all up to its end comment is replaced. Plots that the page links are written beside the plan files.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner

from fairwitness.cli.main import cli
from fairwitness.planner.amounts import shown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "planner.md"
_BLOCK = re.compile(
    r"(?P<head><!-- made by benchmarks/planner_doc\.py: (?P<call>[^|]+)\|(?P<wanted>.*?)-->\n)"
    r".*?(?P<tail><!-- end -->)",
    re.DOTALL,
)


def main() -> None:
    page = PAGE.read_text("utf-8")
    wanted = set(re.findall(r"\(plan/([\w.-]+\.svg)\)", page))
    PAGE.write_text(made(page, wanted), "utf-8")


def made(page: str, plots: set[str] = frozenset()) -> str:
    """Return the page with all blocks made anew; write the plots that are named."""
    return _BLOCK.sub(lambda block: _made(block, plots), page)


def _made(block: re.Match[str], plots: set[str]) -> str:
    call, wanted = block["call"].strip(), block["wanted"].split()
    with tempfile.TemporaryDirectory() as folder:
        result = _run(call, folder)
        for path in Path(folder).iterdir():
            if path.name in plots:
                (ROOT / "docs" / "plan" / path.name).write_bytes(path.read_bytes())
    lines = ["", f"    fairwitness plan {call}", "", f"> {result['verdict']}", ""]
    lines += _tables(result) if wanted == ["tables"] else _quantities(result, wanted)
    return block["head"] + "\n".join(lines) + "\n\n" + block["tail"]


def _run(call: str, folder: str) -> dict:
    words = [str(ROOT / word) if word.startswith("docs/") else word for word in call.split()]
    told = CliRunner().invoke(cli, ["plan", *words, "--plots", folder, "--json"])
    if told.exit_code:
        sys.exit(f"fairwitness plan {call}: {told.output}")
    return json.loads(told.stdout)


def _quantities(result: dict, wanted: list[str]) -> list[str]:
    found = {each["name"]: each for each in result["quantities"]}
    rows = ["| | median | 80 % of draws |", "|---|---|---|"]
    for name in wanted:
        each = found[name]
        # JSON has no infinity: null is "never".
        values = [
            float("inf") if each[key] is None else each[key] for key in ("median", "low", "high")
        ]
        median, low, high = (shown(value, each["unit"]) for value in values)
        interval = "" if low == high else f"{low} .. {high}"
        rows.append(f"| {each['label']} | {median} | {interval} |")
    return rows


def _tables(result: dict) -> list[str]:
    lines = []
    for table in result["tables"]:
        rows = [table["columns"], ["---"] * len(table["columns"]), *table["rows"]]
        lines += [
            "",
            f"**{table['title']}**",
            "",
            *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
        ]
    return lines[1:]


if __name__ == "__main__":
    main()
