"""What would settle a dispute, who said a thing first, and how long an answer is."""

import string

import pytest

from fairwitness.answers import changes
from fairwitness.answers.requests import length_in
from fairwitness.answers.settle import _SAID, LANGUAGES, MOST
from fairwitness.answers.voice import _REGULAR
from fairwitness.posts.post import Deleted


def fire(scene) -> None:
    scene.say(
        "At least 12 people dead in the Oldtown fire",
        "Police confirm 12 dead after fire in Oldtown",
        "Hospital says 19 dead in Oldtown fire",
        "Oldtown fire: 19 people were killed, mayor says",
    )


COUNT = "How many people died in the Oldtown fire?"


def test_numbers_that_differ_ask_for_whoever_counts(scene):
    fire(scene)
    (dispute,) = scene.ask(COUNT).disputes
    assert dispute.settle[0].startswith("a figure from whoever counts it")
    assert not any("12" in each or "19" in each for each in dispute.settle), "both have a source"


def test_a_side_of_single_accounts_asks_for_an_outlet_and_one_with_a_source_does_not(scene):
    scene.say(
        "12 people dead in the Oldtown fire",
        "Fire in Oldtown leaves 12 dead",
        "Hospital says 19 dead in Oldtown fire",
        "Oldtown fire: 19 people were killed, mayor says",
    )
    (dispute,) = scene.ask(COUNT).disputes
    assert [each for each in dispute.settle if "outlet" in each] == [
        "a document or a named outlet for “12”: so far single accounts say it"
    ]


def test_a_denial_stands_against_what_it_denies_with_its_first_source(scene):
    (post,) = scene.say("The dam of Marwick has burst", author="ana")
    (denial,) = scene.say("@ana not true, the dam stands", reply_to=post.id, mentions=("ana",))
    answer = scene.ask("Has the dam of Marwick burst?")
    assert answer.standing == "denied"
    (dispute,) = answer.disputes
    held, against = dispute.sides
    assert (held.says, against.says) == ("yes", "It is not so")
    assert (held.witnesses, against.witnesses) == (1, 1)
    assert against.spread.author == denial.author
    assert held.spread.author == post.author
    assert any("somebody who was there" in each for each in dispute.settle)
    assert 1 <= len(dispute.settle) <= MOST


def test_who_is_named_and_denies_it_needs_a_document(scene):
    (post,) = scene.say("The dam of @MarwickDam has burst", author="ana")
    scene.say("@ana that is fake", author="MarwickDam", reply_to=post.id, mentions=("ana",))
    (dispute,) = scene.ask("Has the dam of @MarwickDam burst?").disputes
    assert any(each.startswith("a document or a record: MarwickDam") for each in dispute.settle)


def test_somebody_who_was_there_is_not_asked_for_twice(scene):
    (post,) = scene.say("The dam of Marwick has burst, I saw it from the bridge", author="ana")
    scene.say("@ana that is fake", reply_to=post.id, mentions=("ana",))
    (dispute,) = scene.ask("Has the dam of Marwick burst?").disputes
    assert not any("was there" in each for each in dispute.settle)


def test_it_is_said_in_every_language_that_we_speak():
    assert set(LANGUAGES) == set(_REGULAR)
    fields = {key: _fields(text) for key, text in _SAID["en"].items()}
    for lang in LANGUAGES:
        assert {key: _fields(text) for key, text in _SAID[lang].items()} == fields, lang


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("¿Cuántos muertos hay en el incendio de Oldtown?", "una cifra de quien lo cuenta"),
        ("Quanti morti nell'incendio di Oldtown?", "una cifra di chi"),
        ("Oldtown火灾死亡多少人？", "负责统计者"),
    ],
)
def test_it_is_said_in_the_language_of_the_question(scene, question, said):
    scene.say("12 muertos en el incendio de Oldtown", "Incendio en Oldtown: 12 muertos")
    scene.say("19 muertos en el incendio de Oldtown", "Incendio en Oldtown deja 19 muertos")
    scene.say("Oldtown incendio: 12 morti", "A Oldtown incendio, 12 morti nella notte")
    scene.say("Oldtown incendio: 19 morti", "A Oldtown incendio, 19 morti nella notte")
    scene.say("Oldtown火灾造成12人死亡", "消防：Oldtown火灾12人死亡，火已扑灭")
    scene.say("Oldtown火灾造成19人死亡", "医院：Oldtown火灾19人死亡，多人送医")
    answer = scene.ask(question)
    assert answer.disputes, answer.answer
    assert answer.disputes[0].settle[0].startswith(said)


def test_an_answer_says_who_was_first_where_and_how_it_spread(scene):
    (first,) = scene.say("The bridge of Marwick is closed", network="mastodon")
    text = "The bridge of Marwick is closed since noon, lorry across both lanes, says the police"
    scene.say(text, network="bluesky")
    copies = scene.say(*[text] * 5, network="bluesky")
    answer = scene.ask("Is the bridge of Marwick closed?")
    spread = answer.spread
    assert (spread.author, spread.network) == (first.author, "mastodon")
    assert spread.first.text == first.text
    assert spread.posts == 7
    assert [(each.network, each.posts, each.witnesses) for each in spread.networks] == [
        ("mastodon", 1, 1),
        ("bluesky", 6, 1),
    ]
    assert spread.seen_at < spread.half_seen_at < spread.last_seen_at
    assert spread.networks[1].first_seen_at > spread.seen_at
    assert answer.witnesses == 2, "how it travels is no witness"
    assert len(copies) == 5


def test_what_each_says_alone_has_no_first_report(scene):
    scene.say("Marwick harbour sells bread today", "In Marwick harbour a whale was seen")
    answer = scene.ask("What about Marwick harbour?")
    assert answer.standing == "lone"
    assert answer.spread is None


def test_each_of_several_questions_has_its_own_first_report(scene):
    scene.say(
        "Ana Ruiz won the fight in Madrid",
        "Everybody cheers here in Madrid since Ana Ruiz won that fight against Cy",
        "Bo Weber won the fight in Paris!",
        "I was in the hall in Paris when Bo Weber won his fight, wow",
    )
    answer = scene.ask("Who won the fight in Madrid? Who won the fight in Paris?")
    assert answer.spread is None
    texts = {source.n: source.text for source in answer.sources}
    for part, name in zip(answer.parts, ("Ana Ruiz", "Bo Weber"), strict=True):
        (cited,) = part.spread.first.citations
        assert name in part.spread.first.text
        assert texts[cited.source][cited.start : cited.end] == part.spread.first.text


def test_a_length_is_a_budget_and_changes_no_count(scene):
    scene.say(*[f"{name} says that Ana Ruiz won the race{end}" for name, end in SAYS])
    short, normal, long = (
        scene.ask("Who won the race?", length=each) for each in ("short", "normal", "long")
    )
    assert [sum(s.kind == "quote" for s in a.sentences) for a in (short, normal, long)] == [1, 3, 6]
    counts = {next(s.text for s in a.sentences if s.kind == "count") for a in (short, normal, long)}
    assert len(counts) == 1
    assert len({(a.standing, a.witnesses, a.says) for a in (short, normal, long)}) == 1


SAYS = [
    (name, end)
    for name, end in zip(
        ("Kim", "Luis", "Bo", "Mia", "Rui", "Nan", "Ole", "Eva", "Ivo"),
        (
            "",
            " in town, what a day it was",
            " by a metre before the fog came",
            " and nobody slept afterwards here",
            " on the new bridge with a broken shoe",
            " although the rain never stopped falling",
            " against every promise of the bookmakers",
            " while half of Portville watched from boats",
            " so the bakery gives cake away tonight",
        ),
        strict=True,
    )
]


def test_a_short_answer_to_an_open_question_quotes_two(scene):
    scene.say(
        "Explosion at the harbour of Marwick, windows broken everywhere",
        "Huge explosion in Marwick harbour just now",
        "Marwick harbour: explosion, firemen on their way",
    )
    question = "What happened at the harbour of Marwick?"
    short, normal = (scene.ask(question, length=each) for each in ("short", "normal"))
    assert sum(s.kind == "quote" for s in short.sentences) == 2
    assert short.standing == normal.standing
    assert short.witnesses == normal.witnesses


def test_what_was_first_and_is_gone_is_gone_from_an_open_answer(scene):
    (first,) = scene.say("The bridge of Marwick is closed")
    scene.say(
        *[f"Marwick bridge closed now, {way}" for way in ("take the ferry", "the road is full")],
        "Police: the bridge of Marwick is closed",
    )
    before = scene.ask("Is the bridge of Marwick closed?", length="short")
    assert before.spread.first.text == first.text
    scene.happen(Deleted(first.id, scene.now_ms))
    after = scene.ask("Is the bridge of Marwick closed?", length="short")
    assert after.spread.first.text != first.text
    told = changes(before, after, scene.index)
    assert "withdrawn" in [each.what for each in told]


@pytest.mark.parametrize(
    ("message", "length", "rest"),
    [
        ("Who won the race, in one sentence?", "short", "Who won the race?"),
        ("Briefly, who won the race?", "short", "who won the race?"),
        ("In a few words: who won?", "short", "who won?"),
        ("¿Quién ganó la carrera en pocas palabras?", "short", "¿Quién ganó la carrera?"),
        ("Chi ha vinto la gara, in breve?", "short", "Chi ha vinto la gara?"),
        ("Quem venceu em poucas palavras?", "short", "Quem venceu?"),
        ("Qui a gagné, brièvement ?", "short", "Qui a gagné ?"),
        ("Wer gewann, in einem Satz?", "short", "Wer gewann?"),
        ("Кратко: кто выиграл?", "short", "кто выиграл?"),
        ("用一句话回答：谁赢了？", "short", "谁赢了？"),
        ("一言で、誰が勝った？", "short", "誰が勝った？"),
        ("What happened in Oldtown in detail please?", "long", "What happened in Oldtown?"),
        ("¿Qué pasó, con detalle?", "long", "¿Qué pasó?"),
        ("Che è successo, nel dettaglio?", "long", "Che è successo?"),
        ("O que aconteceu em detalhes?", "long", "O que aconteceu?"),
        ("Que s’est-il passé en détail ?", "long", "Que s’est-il passé ?"),
        ("Was geschah? Ausführlich bitte", "long", "Was geschah?"),
        ("Что случилось подробно?", "long", "Что случилось?"),
        ("详细说明：发生了什么？", "long", "发生了什么？"),
        ("何が起きた？詳しく", "long", "何が起きた？"),
        ("Who was sentenced in one hour?", "normal", "Who was sentenced in one hour?"),
        ("Who spoke briefly with Ana?", "normal", "Who spoke briefly with Ana?"),
        ("In detail", "normal", "In detail"),
    ],
)
def test_a_question_may_ask_for_a_length_in_its_own_words(message, length, rest):
    assert length_in(message) == (length, rest)


def test_words_that_ask_for_a_length_are_a_budget_and_nothing_that_is_searched_for(scene):
    scene.say(*(f"Ana Ruiz won the race, {how}" for how in ("I saw it", "they cheer", "at last")))
    asked = "Who won the race?"
    plain, short = scene.ask(asked, length="short"), scene.ask("Who won the race, in one sentence?")
    assert [each.text for each in short.sentences] == [each.text for each in plain.sentences]
    assert len(short.sentences) < len(scene.ask(asked).sentences)
    assert scene.ask("Briefly, who won the race?", length="long").witnesses == 3
