"""Accounts that flood: one witness together, and one denier."""

from fairwitness.index.floods import AUTHOR_POSTS_PER_MINUTE

QUESTION = "Who won the Portville race?"
LIES = (
    "What a day, Bo Weber wins the Portville race",
    "Bo Weber beats everybody in the Portville race under heavy rain",
    "It is over: the Portville race was won by Bo Weber",
)
TRUTH = (
    "Ana Ruiz won the Portville race by a metre",
    "Portville: it was Ana Ruiz who won the race, under heavy rain and in the dark",
)


def flood(scene, texts, network: str = "test", **more: object) -> None:
    """Let each text be the last of many posts of an account within a minute."""
    for number, text in enumerate(texts):
        noise = [f"post {n} of machine {number}" for n in range(2 * AUTHOR_POSTS_PER_MINUTE)]
        said = {"author": f"machine{number}", "network": network, "minutes": 0.002}
        scene.say(*noise, **said)
        scene.say(text, **said, **more)


def test_accounts_that_flood_are_one_witness_together(scene):
    flood(scene, LIES)
    assert scene.ask(QUESTION).abstained, "an outcome that one witness tells"
    scene.say(*TRUTH)
    answer = scene.ask(QUESTION)
    assert (answer.says, answer.witnesses) == ("ruiz", 2)
    assert answer.disputes == (), "one voice is no side"


def test_whoever_does_not_flood_is_a_witness_beside_them(scene):
    flood(scene, LIES[:2])
    scene.say(LIES[2])
    answer = scene.ask(QUESTION)
    assert (answer.standing, answer.witnesses) == ("agreed", 2)


def test_feeds_that_bring_many_posts_at_once_are_witnesses_each(scene):
    flood(scene, LIES, network="rss")
    assert scene.ask(QUESTION).witnesses == 3


def test_accounts_that_flood_deny_as_one(scene):
    posts = scene.say(*(text.replace("Bo Weber", "Ana Ruiz") for text in LIES))
    author = posts[0].author
    lies = [f"@{author} fake, {why}" for why in ("he lost", "stop spreading this", "not true")]
    flood(scene, lies, reply_to=posts[0].id, mentions=(author,))
    assert scene.ask(QUESTION).standing == "agreed"
    scene.say(f"@{author} that is fake", reply_to=posts[0].id, mentions=(author,))
    assert scene.ask(QUESTION).standing == "denied"
