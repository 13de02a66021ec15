"""The main job on real posts: replay a capture, ask, and hold the answer to its sources."""

import re

import pytest


def test_the_fight_has_a_winner_and_witnesses(fight):
    answer = fight.ask("Who won the fight?")
    assert not answer["abstained"]
    quotes = [s["text"] for s in answer["sentences"] if s["kind"] == "quote"]
    assert len(quotes) >= 2
    assert all("mayweather" in re.sub(r"\W", "", quote.lower()) for quote in quotes)
    assert all(source["witnesses"] >= 2 for source in answer["sources"])
    assert len({source["author"] for source in answer["sources"]}) >= 2
    assert answer["freshness"]["posts_searched"] == 12_118
    assert answer["timing_ms"]["first_sentence"] > 0


@pytest.mark.parametrize("moment", ["04:06", "04:15", "04:20", "04:25", "04:30", "04:35", "04:40"])
def test_before_the_end_no_result_is_stated(fight, moment):
    answer = fight.ask("Who won the fight?", "--as-of", f"2017-08-27T{moment}:00Z")
    assert answer["abstained"]
    assert answer["answer"].startswith("No witness")
    assert answer["as_of"] == f"2017-08-27T{moment}:00Z"


def test_as_of_a_moment_after_the_end_the_result_is_known(fight):
    answer = fight.ask("Who won the fight?", "--as-of", "2017-08-27T05:00:00Z")
    assert "ayweather" in answer["answer"]
    assert all(source["seen_at"] <= "2017-08-27T05:00:00Z" for source in answer["sources"])


@pytest.mark.parametrize(
    "question",
    [
        "Who won the Tour de France?",
        "Who won the election?",
        "What happened to the volcano in Iceland?",
        "How many people died in the Tokyo earthquake?",
        "When does the next space shuttle launch?",
        "Is it true that the bridge in Oldtown collapsed?",
    ],
)
def test_what_nobody_said_is_not_answered(fight, question):
    assert fight.ask(question)["abstained"]


def test_the_same_replay_gives_the_same_answers(fight, tmp_path, shared):
    again = type(fight)(tmp_path / "again")
    capture = shared / "data/fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz"
    again.json("replay", str(capture), "--speed", "max")
    for question in ("Who won the fight?", "¿Quién ganó la pelea?"):
        one, other = fight.ask(question), again.ask(question)
        for changing in ("timing_ms",):
            one.pop(changing), other.pop(changing)
        assert one == other


def test_replaying_again_adds_nothing(fight, shared):
    capture = shared / "data/fivethirtyeight-tweets/mayweather_mcgregor.jsonl.gz"
    report = fight.json("replay", str(capture), "--speed", "max")
    assert report["events"] == 0
    assert report["posts"] == 12_118


@pytest.mark.parametrize(
    ("question", "lang", "said"),
    [
        ("¿Qué magnitud tuvo el terremoto de Costa Rica?", "es", "7[.,]6"),
        ("¿Cuántos muertos hubo en el accidente de tren en Santiago?", "es", r"\d\d muert"),
        ("¿Qué pasó en Santiago de Compostela?", "es", "tren"),
        ("Quante vittime ha causato l'alluvione in Sardegna?", "it", "1[678] (morti|vittime)"),
        ("Cosa è successo in Sardegna?", "it", "[Aa]lluvione|morti|floods?"),
        ("Quantas pessoas morreram na boate Kiss?", "pt", r"2\d\d"),
        ("O que aconteceu em Santa Maria?", "pt", "boate|Boate|BOATE"),
        ("How many people died in the Brazil nightclub fire?", "en", "2[34]\\d"),
        ("How strong was the Bohol earthquake?", "en", "7.2"),
    ],
)
def test_crises_in_the_language_of_those_who_ask(crisis, question, lang, said):
    answer = crisis.ask(question)
    assert not answer["abstained"]
    assert answer["lang"] == lang
    assert re.search(said, answer["answer"]), answer["answer"]


def test_figures_that_changed_stand_side_by_side(crisis):
    answer = crisis.ask("How many people died in the Brazil nightclub fire?")
    (dispute,) = answer["disputes"]
    assert len(dispute["sides"]) >= 2
    assert all(side["quotes"] for side in dispute["sides"])


@pytest.mark.parametrize("question", ["¿Quién ganó el mundial?", "Chi ha vinto lo scudetto?"])
def test_crises_know_nothing_of_football(crisis, question):
    assert crisis.ask(question)["abstained"]


def test_chinese_questions_get_chinese_quotes(weibo):
    answer = weibo.ask("免费领鸡蛋骗走多少养老钱？")
    assert "免费领鸡蛋骗走244亿养老钱" in answer["answer"]
    answer = weibo.ask("哪里发生了地震？")
    assert all("震" in s["text"] for s in answer["sentences"] if s["kind"] == "quote")
    assert weibo.ask("月球上发现了恐龙吗？")["abstained"]
