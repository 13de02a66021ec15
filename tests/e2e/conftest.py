"""The command itself, as a person runs it, in homes of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Command:
    """`fairwitness` in one home, each call a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "FAIRWITNESS_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}

    def run(
        self, *words: str, stdin: str = "", timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "fairwitness", *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env,
            timeout=timeout_s,
            check=False,
        )

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    def ask(self, question: str, *words: str) -> dict[str, Any]:
        answer = self.json("ask", question, "--model", "none", *words)
        check(answer)
        return answer


def check(answer: dict[str, Any]) -> None:
    """Hold what the issue demands of every answer's JSON."""
    sources = {source["n"]: source for source in answer["sources"]}
    for sentence in answer["sentences"]:
        assert sentence["citations"], sentence
        assert 0 <= sentence["support"] <= 1
        for citation in sentence["citations"]:
            text = sources[citation["source"]]["text"]
            assert 0 <= citation["start"] < citation["end"] <= len(text)
            if sentence["kind"] == "quote":
                assert text[citation["start"] : citation["end"]] == sentence["text"]
    assert answer["abstained"] == (not answer["sentences"])


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    return Command(tmp_path / "home")


def replayed(tmp_path_factory: pytest.TempPathFactory, capture: Path) -> Command:
    home = Command(tmp_path_factory.mktemp("home"))
    report = home.json("replay", str(capture), "--speed", "max")
    assert report["dropped"] == 0
    assert report["posts"] > 0
    return home


@pytest.fixture(scope="session")
def fight(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    data = shared / "data/fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz"
    return replayed(tmp_path_factory, data)


@pytest.fixture(scope="session")
def crisis(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return replayed(tmp_path_factory, shared / "data/crisislex/t26_labeled.dev.jsonl.gz")


@pytest.fixture(scope="session")
def weibo(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return replayed(tmp_path_factory, shared / "data/weibo-hot-search/hourly.dev.jsonl.gz")
