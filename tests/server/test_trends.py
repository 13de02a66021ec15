"""Trends over HTTP: what the chart says, with posts that are still there."""

import pytest

from fairwitness.home import Home
from fairwitness.index.trends import Chart, Shown, Trend, chart_path, write_chart
from fairwitness.posts.post import Deleted
from fairwitness.posts.source import SourceBatch


def trend(name: str, lang: str, numbers: tuple[int, ...], score: float) -> Trend:
    shown = [Shown(f"capture:test/posts:{n}", "somebody", 1_000 + n) for n in numbers]
    return Trend(
        name=name,
        kind="word",
        terms=(name,),
        lang=lang,
        per_minute=30.04,
        before_per_minute=0.5,
        growth=60.1,
        score=score,
        posts=40,
        since_ms=1_700_000_000_000,
        first=shown[0],
        peak_per_minute=33.0,
        peak_ms=1_700_000_060_000,
        examples=tuple(shown[1:]),
    )


def chart(running) -> None:
    trends = (trend("earthquake", "", (0, 1), 9.5), trend("puente", "es", (6,), 7))
    path = chart_path(running.house.home.folder / "index")
    write_chart(path, Chart(1_700_000_065_000, trends))


@pytest.fixture
def charted(served):
    chart(served)
    return served


def test_a_house_without_a_chart_has_no_trends(served) -> None:
    chart_path(served.house.home.folder / "index").unlink(missing_ok=True)
    reply = served.client.get("/v1/trends")
    assert reply.status_code == 200
    assert reply.json() == {"at": "", "trends": []}


def test_trends_come_with_their_posts(charted) -> None:
    found = charted.client.get("/v1/trends").json()
    assert found["at"] == "2023-11-14T22:14:25Z"
    first, second = found["trends"]
    assert (first["name"], first["lang"], first["per_minute"]) == ("earthquake", "", 30.0)
    assert first["first"]["author"] == "ana"
    assert [post["author"] for post in first["examples"]] == ["luis"]
    assert second["name"] == "puente"
    assert first["since"] == "2023-11-14T22:13:20Z"


def test_languages_and_limit_choose(charted) -> None:
    def names(**params: object) -> list[str]:
        found = charted.client.get("/v1/trends", params=params).json()
        return [trend["name"] for trend in found["trends"]]

    assert names(lang="es") == ["puente"]
    assert names(lang=["es", "fr"]) == ["puente"]
    assert names(lang="fr") == []
    assert names(limit=1) == ["earthquake"]


def test_a_deleted_post_is_gone_before_the_next_chart(tmp_path, serving, filled) -> None:
    folder = filled(tmp_path / "home", source="test")
    home = Home(folder, "test")
    gone = tuple(Deleted(f"capture:test/posts:{n}", 2_000_000_000_000) for n in (0, 6))
    home.ingest.write([("test", SourceBatch(gone, "d"))])
    home.close()
    with serving(folder) as running:
        chart(running)
        (left,) = running.client.get("/v1/trends").json()["trends"]
    assert left["first"]["author"] == "luis"
    assert left["examples"] == []


@pytest.mark.parametrize(
    ("params", "param"), [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit")]
)
def test_what_is_wrong_is_said(reading, params: dict, param: str) -> None:
    reply = reading.client.get("/v1/trends", params=params)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == param
