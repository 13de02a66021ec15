"""A small folder of captures, and the firehose that is made of it."""

import gzip
import json
from pathlib import Path

import pytest

from fairwitness.evals.firehose import Firehose, texts_in, write_tails

SAID = (
    "Fire & smoke near the harbour <now>",
    "@ana did you see the fire in Portville? https://example.org/fire",
    "Землетрясение в Москве, пострадавших нет",
    "今天北京下大雨了",
    "Terremoto en la costa, sin daños #terremoto",
)


@pytest.fixture(scope="session")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    rows = [{"text": text} for text in SAID] + [
        {"title": f"Headline number {i}"} for i in range(95)
    ]
    rows += [{"text": SAID[0]}, {"text": " "}, {"other": "field"}]
    with gzip.open(folder / "some.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


@pytest.fixture(scope="session")
def tails(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tails") / "tails"
    write_tails(path, texts_in(captures)[0])
    return path


@pytest.fixture(scope="session")
def firehose(tails: Path) -> Firehose:
    return Firehose(tails)
