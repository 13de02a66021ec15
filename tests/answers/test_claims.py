"""Claims of our engine: what it may write, and what it writes of real quotes with a real model."""

import pytest

from claimed import cited_texts, claim_of
from fairwitness.answers import keep, read_back, unframed, write
from fairwitness.answers.claims import Evidence, offered
from fairwitness.answers.cuts import cuts_of
from fairwitness.answers.quote import spans_of
from fairwitness.answers.understand import understand
from fairwitness.answers.verify import parts_of
from fairwitness.engine import LocalChat
from fairwitness.engine.forms import FormRule, GrammarForm
from fairwitness.models.registry import DEFAULT_MODEL, pull


@pytest.fixture(scope="module")
def ours() -> LocalChat:
    return LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL))


@pytest.mark.parametrize(
    ("quote", "cuts"),
    [
        (
            "UPDATE: Three dead from flooding as 75,000 people are evacuated: -MM",
            ["Three dead from flooding as 75,000 people are evacuated", "Three dead from flooding",
             "75,000 people are evacuated"],
        ),
        ("Cancelled flight at 9:50AM, no. 7.5 is next", ["Cancelled flight at 9:50AM"]),
        ("Death toll (of all towns) is 9 and grows fast", ["Death toll (of all towns) is 9"]),
        ("Between Rome and Milan all trains stop", []),
        ("Трамп — президент США", ["Трамп — президент США"]),
        ("A storm is coming: nobody was hur...", []),
        ("地震が発生しました、震源は富士山です。", ["地震が発生しました"]),
    ],
)  # fmt: skip
def test_a_quote_is_cut_at_the_joints_of_its_clauses(quote, cuts):
    found = cuts_of(quote)
    assert all(cut in quote for cut in found)
    assert [cut for cut in found if cut in cuts] == cuts
    assert not [
        cut for cut in found if cut.endswith(("hur", "Rome", "9:50", "75", "(of all towns"))
    ]


@pytest.mark.parametrize(
    ("question", "posts", "gives", "but"),
    [
        (
            "What magnitude was the earthquake in Costa Rica?",
            (
                "BREAKING: magnitude 7.6 earthquake in Costa Rica, electricity is cut in San José",
                "Earthquake in Costa Rica! Magnitude 7.6 at the coast #quake http://x.example/y",
            ),
            "7.6",
            "BREAKING",
        ),
        (
            "青银高速客车侧翻造成多少人死亡？",
            (
                "青银高速客车侧翻已致5人死亡，中午12点30分左右有很多人在现场看到了它",
                "太可怕了！青银高速客车侧翻已致5人死亡，救援人员还在现场工作，天气很冷",
            ),
            "5人死亡",
            "中午",
        ),
        (
            "富士山の地震の最大震度はいくつですか？",
            (
                "富士山で地震がありました、最大震度は4です。皆さん気をつけてください",
                "富士山の地震は最大震度4でした。とても怖かったのでまだ眠れません",
            ),
            "4",
            "気をつけて",
        ),
        (
            "Сколько человек пострадало при пожаре в Туле?",
            (
                "При пожаре в Туле пострадало 9 человек, на месте работают все службы города",
                "Друзья! 9 человек пострадало при пожаре в Туле, все дороги перекрыты",
            ),
            "9 человек",
            "службы",
        ),
    ],
)
def test_our_engine_says_less_than_its_quotes_byte_for_byte_in_any_script(
    scene, ours, question, posts, gives, but
):
    scene.say(*posts)
    answer = scene.ask(question, ours)
    claim = claim_of(answer)
    assert gives in claim.text
    assert but not in claim.text
    said = unframed(claim.text).encode()
    held = [text.encode() for text in cited_texts(answer, claim)]
    assert any(said[1:] in text for text in held)  # what we say ourselves begins with a capital
    assert all(len(said) < len(text) for text in held)


def test_our_engine_joins_two_quotes_and_names_both(scene, ours):
    scene.say(
        "Wow: a freight train derailed in Oldtown this morning, all roads are closed, stay home",
        "Hospital of Oldtown takes in nine people after the train crash, and more are on their way",
    )
    answer = scene.ask("What happened in Oldtown?", ours)
    claim = claim_of(answer)
    first, second = parts_of(unframed(claim.text))
    texts = cited_texts(answer, claim)
    assert len(texts) == 2
    assert {at for part in (first, second) for at, text in enumerate(texts) if part in text} == {
        0,
        1,
    }
    assert claim.text.startswith("Witnesses say: ")


def evidence_of(scene, question: str, *texts: str) -> Evidence:
    quotes = [span for post in scene.say(*texts) for span in spans_of(post)]
    asked = understand(question, scene.now_ms)
    return Evidence(asked, asked.lang, quotes, "", dict.fromkeys(asked.terms, 1.0))


def test_a_claim_names_a_quote_and_then_only_words_of_that_quote_may_follow(scene, ours):
    evidence = evidence_of(
        scene,
        "What happened in Oldtown?",
        "The old bridge of Oldtown fell into the river, what a day, I could not believe it",
        "Fire in the mill of Oldtown, smoke is seen from the hills and from the coast, they say",
    )
    offer = offered(evidence)
    assert all(offer.alone)
    rule = ours._forms.rule(GrammarForm(write.grammar(offer)))
    for at, cuts in enumerate(offer.alone):
        for cut in cuts:
            other = offer.alone[1 - at][0]
            assert keeps(ours, rule, f"[{at + 1}] {cut}")
            assert not keeps(ours, rule, f"[{2 - at}] {cut}")
            assert not keeps(ours, rule, cut)
            assert not keeps(ours, rule, f"[{at + 1}] {cut}; {other}")
            joined = f"[{at + 1}] {cut}; [{2 - at}] {other}"
            assert keeps(ours, rule, joined) == (other in offer.joined[cut][1 - at])


def keeps(chat: LocalChat, rule: FormRule, text: str) -> bool:
    walk = rule.begin()
    for token in chat.tokenizer.encode(text):
        if walk.is_done or not walk.mask()[token]:
            return False
        walk.take(token)
    return walk.is_done or bool(walk.mask()[sorted(chat.tokenizer.end_ids)].any())


def test_what_has_nothing_to_leave_out_is_not_said_again(scene, ours):
    scene.say("Ana Ruiz wins the race!", "The race was won by Ana Ruiz")
    answer = scene.ask("Who won the race?", ours)
    assert [s.kind for s in answer.sentences] == ["quote", "quote", "count"]
    assert answer.dropped == ()


def test_a_kept_claim_of_witnesses_is_read_back(scene, ours):
    scene.say("Wow: the old bridge of Oldtown fell at noon, all roads are closed, stay at home")
    answer = scene.ask("What happened in Oldtown?", ours)
    claim = claim_of(answer)
    assert claim.text.startswith("One witness says: ")
    assert claim in read_back(keep(answer), scene.index).sentences
