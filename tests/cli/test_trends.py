"""`fairwitness trends` in a home that nobody runs; tests/server has it over HTTP."""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairwitness.cli.main import cli
from fairwitness.index.trends import Chart, Shown, Trend, chart_path, read_chart, write_chart

POSTS = [
    {"id": "1", "ts": "2024-05-04T12:00:00Z", "author": "ana", "text": "Quake in Portville"},
    {"id": "2", "ts": "2024-05-04T12:01:00Z", "author": "bo", "text": "Felt the quake\nright now"},
]


def run(home: Path, *words: str) -> Result:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli, [*words, "--home", str(home)])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def home(tmp_path: Path) -> Path:
    capture = tmp_path / "quake.jsonl"
    capture.write_text("".join(json.dumps(post) + "\n" for post in POSTS))
    run(tmp_path / "home", "replay", str(capture), "--speed", "max")
    return tmp_path / "home"


@pytest.fixture
def charted(home: Path) -> Path:
    hits = json.loads(run(home, "search", "quake", "--json").stdout)["hits"]
    posts = sorted((hit["post"] for hit in hits), key=lambda post: post["seen_ms"])
    shown = [Shown(post["id"], post["author"], post["seen_ms"]) for post in posts]
    quake = Trend(
        name="quake",
        kind="word",
        terms=("quake", "portville\x1b[31m"),
        lang="",
        per_minute=12.0,
        before_per_minute=0.1,
        growth=120.0,
        score=8.0,
        posts=14,
        since_ms=shown[0].seen_ms,
        first=shown[0],
        peak_per_minute=12.0,
        peak_ms=shown[1].seen_ms,
        examples=(shown[1],),
    )
    write_chart(chart_path(home / "index"), Chart(shown[1].seen_ms, (quake,)))
    return home


def test_a_quiet_home_says_so(home: Path) -> None:
    assert "0 trends: quiet" in run(home, "trends").stdout
    assert json.loads(run(home, "trends", "--json").stdout)["trends"] == []


def test_a_trend_is_told_with_its_growth_and_first_post(charted: Path) -> None:
    told = run(charted, "trends").stdout
    assert "quake portville[31m" in told
    assert "12.0" in told
    assert "x120" in told
    assert "ana 2024-05-04T12:00:00Z" in told
    assert "Felt the quake" not in told
    assert "\x1b" not in told


def test_posts_are_shown_when_asked_for(charted: Path) -> None:
    told = run(charted, "trends", "--posts").stdout
    assert "ana: Quake in Portville" in told
    assert "bo: Felt the quake right now" in told


def test_a_language_without_trends_is_quiet(charted: Path) -> None:
    assert (
        "0 trends: quiet (as of 2024-05-04T12:01:00Z)"
        in run(charted, "trends", "--lang", "ja").stdout
    )


TICKS, BURST_TICKS, AT_S = 100, 6, 1_714_824_000
OFTEN = list(itertools.accumulate(1 / (rank + 2) for rank in range(3_000)))


def chatter() -> Iterator[dict[str, object]]:
    """Eight minutes of common and rare words by many; in the last half minute, twenty posts of a
    quake each five seconds."""
    dice, words, number = random.Random(1), [f"w{n}" for n in range(3_000)], itertools.count(1)
    for tick in range(TICKS):
        said = [dice.choices(words, cum_weights=OFTEN, k=10) for _ in range(40)]
        if tick >= TICKS - BURST_TICKS:
            said += [["quake", "in", "harbour", *dice.choices(words, k=8)] for _ in range(20)]
        for at, text in enumerate(said):
            id = next(number)
            ts = AT_S + 5 * tick + 5 * at / len(said)
            yield {"id": id, "ts": ts, "author": f"a{id}", "text": " ".join(text), "lang": "en"}


def test_a_burst_is_told_from_posts_alone(tmp_path: Path) -> None:
    rows = list(chatter())
    capture = tmp_path / "harbour.jsonl"
    capture.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(tmp_path / "home", "replay", str(capture), "--speed", "max")
    (trend, *others) = json.loads(run(tmp_path / "home", "trends", "--json").stdout)["trends"]
    assert set(trend["terms"]) == {"quake", "in", "harbour"}
    assert not others
    first = next(row for row in rows if "quake" in str(row["text"]))
    assert trend["first"]["author"] == first["author"]
    assert trend["growth"] > 100
    assert len(trend["examples"]) == 5


def test_a_chart_that_is_damaged_is_an_empty_one(charted: Path) -> None:
    path = chart_path(charted / "index")
    data = path.read_bytes()
    for at in (data.index(b"quake"), data.index(b"portville"), 0):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
        assert read_chart(path) == Chart(0)
    assert "0 trends" in run(charted, "trends").stdout
