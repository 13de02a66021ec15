"""What must not be answered: topics that nobody speaks of, and posts that were deleted.

Half of the absent topics have a made-up name, half a real place that no post names beside an event
that many posts name, so that only the place tells that nothing fits.
"""

import random
import re
from collections.abc import Sequence

import msgspec

from fairwitness.answers import Answer, QuestionError
from fairwitness.evals.hearing import Hearing
from fairwitness.posts.post import AccountGone, Deleted, Event, Post

_ASKS = (
    "What happened in {name}?",
    "Who won the election in {name}?",
    "How many people died in the fire in {name}?",
    "Is it true that there was an explosion in {name}?",
    "¿Cuántos muertos hubo en el terremoto de {name}?",
    "Cosa è successo a {name}?",
    "O que aconteceu em {name}?",
    "Que se passe-t-il à {name} ?",
    "Что случилось в {name}?",
    "{name}发生了什么？",
)
_PLACES = (
    "Reykjavik Ulaanbaatar Antananarivo Ouagadougou Tbilisi Paramaribo Vientiane Windhoek Lilongwe"
    " Nuuk Tashkent Bishkek Maseru Gaborone Podgorica Skopje Chisinau Thimphu Bandar Castries"
    " Funchal Tromso Rovaniemi Novosibirsk Omsk Yakutsk Kagoshima Sapporo Davao Cebu Makassar"
    " Surabaya Hobart Dunedin Whanganui Iquitos Cuzco Arequipa Potosi Asuncion Cayenne Bamako"
    " Niamey Djibouti Asmara Maputo Beira Lubumbashi Kisumu Mwanza Zanzibar Toamasina Kashgar"
    " Urumqi Lhasa Golmud Samarkand Bukhara Kutaisi Batumi Gyumri Ganja"
).split()
_SYLLABLES = "kva thri zol mur dae xin bro quel fen gor hul vash tir nax".split()


class Deletion(msgspec.Struct, frozen=True):
    """What came of asking for posts that were deleted."""

    asked: int
    leaked: int
    cited_before: float
    """Share of them that the same question cited before they were deleted: it could have leaked."""


def absent_questions(hearing: Hearing, count: int) -> list[str]:
    """Return `count` questions about what no post of the home names."""
    chance = random.Random(7)
    made_up = ("".join(chance.sample(_SYLLABLES, 3)).title() for _ in range(10 * count))
    names = [*_unknown(hearing, _PLACES)[: count // 2]]
    names += [name for name in made_up if _unknown(hearing, [name])][: count - len(names)]
    return [_ASKS[at % len(_ASKS)].format(name=name) for at, name in enumerate(names)]


def abstention(answers: Sequence[Answer]) -> float:
    """Return the share that says that there is no witness."""
    return round(sum(a.abstained for a in answers) / len(answers), 4) if answers else 0.0


def deletion(hearing: Hearing, posts: Sequence[Post], count: int) -> Deletion:
    """Delete `count` posts, a tenth of them with their account, and ask for each in its own words.

    Every second question is asked of a moment at which the post was still there.
    """
    able = [post for post in posts if _own_words(post)]
    chosen = random.Random(8).sample(able, min(count, len(able)))
    before = [
        _cites(hearing, post, {post.id}, None) for post in chosen[: max(1, len(chosen) // 10)]
    ]
    now_ms = hearing.clock.now_ms() + 1
    events: list[Event] = [
        AccountGone(post.network, post.author_id, now_ms)
        if at % 10 == 0 and post.author_id
        else Deleted(post.id, now_ms)
        for at, post in enumerate(chosen)
    ]
    hearing.take(events)
    gone = {post.id for post in chosen}
    leaked = 0
    for at, post in enumerate(chosen):
        leaked += _cites(hearing, post, gone, now_ms - 1 if at % 2 else None)
    return Deletion(len(chosen), leaked, round(sum(before) / len(before), 4) if before else 0.0)


def own_questions(posts: Sequence[Post], count: int) -> list[str]:
    """Return `count` questions in the words of posts, so that each finds something."""
    able = [post for post in posts if _own_words(post)]
    chosen = random.Random(9).sample(able, min(count, len(able)))
    return [f"What about {_own_words(post)}?" for post in chosen]


def _cites(hearing: Hearing, post: Post, ids: set[str], as_of_ms: int | None) -> bool:
    try:
        answer = hearing.ask(f"What about {_own_words(post)}?", as_of_ms=as_of_ms)
    except QuestionError:
        return False
    return any(source.id in ids for source in answer.sources)


def _own_words(post: Post) -> str:
    """Return the first words of a post without links and handles; empty when it has too few."""
    said = re.sub(r"https?://\S+|RT @\w+:?|[@#]\w+", " ", post.text)
    words = said.split()
    if len(words) >= 6:
        return " ".join(words[:12])
    unspaced = re.search(r"[\u3400-\u9fff]{8,24}", said)
    return unspaced.group() if unspaced else ""


def _unknown(hearing: Hearing, names: Sequence[str]) -> list[str]:
    counts = hearing.index.frequencies([name.lower() for name in names])
    return [name for name, count in zip(names, counts, strict=True) if count == 0]
