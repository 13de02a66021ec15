"""A search for what is meant finds posts in other words and other languages."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairwitness.index import LiveIndex, Query
from fairwitness.posts.post import Deleted, Edited, Post, Posted

Make = Callable[..., Post]

NEWS = {
    "ja": "東京で大きな地震が発生、津波警報が出ています",
    "en": "A strong earthquake has hit Tokyo and a tsunami warning is out",
    "es": "Un fuerte terremoto sacude Tokio, alerta de tsunami",
    "de": "Der Bundestag hat den neuen Haushalt beschlossen",
    "cat": "my cat sleeps on the keyboard all day long",
    "soup": "tonight I am cooking a pumpkin soup with ginger",
}
QUESTION = "big earthquake in Japan"


@pytest.fixture(params=[4, 1_000], ids=["sealed slices", "one hot slice"])
def told(request: pytest.FixtureRequest, tmp_path: Path, post: Make) -> LiveIndex:
    index = LiveIndex.open(tmp_path, slice_rows=request.param)
    said = [Posted(post(id, text, 100 * at)) for at, (id, text) in enumerate(NEWS.items())]
    fill = [Posted(post(f"f{n}", f"ordinary day number {n} at the office")) for n in range(9)]
    index.apply([*said, *fill], 1)
    index.refresh()
    return index


def asked(index: LiveIndex, as_of_ms: int | None = None, **more: object) -> list[str]:
    query = Query(words=QUESTION, meaning=QUESTION, **more)  # type: ignore[arg-type]
    return [hit.post.id for hit in index.search(query, as_of_ms=as_of_ms).hits]


def test_a_japanese_post_answers_an_english_question(told: LiveIndex) -> None:
    assert set(asked(told)[:3]) == {"ja", "en", "es"}
    assert "soup" not in asked(told)
    by_words = told.search(Query(words=QUESTION)).hits
    assert "ja" not in [hit.post.id for hit in by_words]
    told.close()


def test_the_score_says_what_meaning_adds(told: LiveIndex) -> None:
    for hit in told.search(Query(words=QUESTION, meaning=QUESTION)).hits:
        assert hit.score == pytest.approx(sum(hit.parts))
    first = told.search(Query(words=QUESTION, meaning=QUESTION)).hits[0]
    assert first.parts.meaning > 0.3
    told.close()


def test_filters_moments_and_deletions_hold_for_what_codes_find(
    told: LiveIndex, post: Make
) -> None:
    assert asked(told, authors=("nobody",)) == []
    assert asked(told, as_of_ms=0)[0] == "ja"
    assert not {"en", "es"} & set(asked(told, as_of_ms=50))
    told.apply([Deleted("ja", 9_000), Edited(post("es", "sopa de calabaza", 9_000))], 2)
    told.refresh()
    for as_of_ms in (None, 150, 250):
        assert "ja" not in asked(told, as_of_ms)
    assert "es" not in asked(told)
    assert "es" in asked(told, 8_000)
    told.checkpoint()
    assert "ja" not in asked(told)
    told.close()


def test_what_is_demanded_is_not_softened_by_meaning(told: LiveIndex) -> None:
    found = told.search(Query(words=QUESTION, meaning=QUESTION, phrases=("strong earthquake",)))
    assert [hit.post.id for hit in found.hits] == ["en"]
    told.close()


def test_codes_outlive_closing_sealing_and_killing(tmp_path: Path, post: Make) -> None:
    index = LiveIndex.open(tmp_path, slice_rows=3)
    index.apply([Posted(post(id, text)) for id, text in NEWS.items()], 1)
    index.checkpoint()
    index.apply([Posted(post("late", NEWS["ja"] + "！"))], 2)
    index.close()
    for read_only in (True, False):
        index = LiveIndex.open(tmp_path, read_only=read_only)
        assert set(asked(index)[:3]) == {"ja", "en", "es"}
        index.close()
    assert (tmp_path / "slices" / "000000000000" / "meanings").exists()
    assert not (tmp_path / "slices" / "000000000000" / "codes").exists()


def test_copies_share_a_cluster_also_after_a_restart(tmp_path: Path, post: Make) -> None:
    said = "the bridge over the river has collapsed after the flood, two people are missing"
    index = LiveIndex.open(tmp_path, slice_rows=3)
    index.apply([Posted(post(f"c{n}", said, author_id=f"a{n}")) for n in range(5)], 1)
    index.apply([Posted(post("other", "nothing of the kind was seen at the station"))], 2)
    index.apply([Posted(post("rt", "", repost_of="c3", author_id="z"))], 3)
    index.checkpoint()
    index.close()
    index = LiveIndex.open(tmp_path)
    index.apply([Posted(post("after", said.upper() + " https://t.co/x", author_id="b"))], 4)
    index.refresh()
    clusters = {hit.post.id: hit.cluster for hit in index.search(Query()).hits}
    assert {clusters[f"c{n}"] for n in range(5)} == {clusters["after"]} == {clusters["rt"]}
    assert clusters["other"] != clusters["after"]
    index.close()


def test_a_process_that_forks_after_a_search_can_search_again(
    told: LiveIndex, tmp_path: Path
) -> None:
    told.checkpoint()
    told.close()
    program = Path(__file__).with_name("forking.py")
    command = [sys.executable, str(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, done.stdout.split())
    assert before == after > 0
