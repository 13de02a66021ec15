"""Rumours whose truth is known by now: none may be stated as fact once somebody denied it.

RumourEval 2017 (Derczynski et al., SemEval-2017 task 8) has conversations: each begins with a post
that spreads a rumour, and people labelled what each reply thinks of it. CED (Song et al., 2019) has
posts of Weibo, each alone with its story. Authors are pseudonyms in these files while the handles
in texts are not, so whoever most direct replies begin with is given back his handle.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.answers import Answer, QuestionError
from fairwitness.answers.attitude import attitude_of
from fairwitness.evals.cited import share
from fairwitness.evals.hearing import Hearing, posts_in, rows_of
from fairwitness.posts.post import Post

_STANCES = ("support", "deny", "query", "comment")
_ALIKE = 0.3
"""Share of pairs of characters in common from which two Chinese posts tell one story."""

Row = Mapping[str, Any]


class Rumours(msgspec.Struct, frozen=True):
    """Shares of 1."""

    false_as_fact: float
    """Of false rumours that somebody denies in the stream, stated without a hedge."""
    false_denied: int
    """How many these are."""
    false_as_fact_undenied: float
    """The same of those that nobody denies."""
    hedged_single: float
    """Of what only one post tells, said with a hedge or not at all."""
    single: int
    answered_single: float
    """Of these, answered at all: so many could have been stated."""
    stance_f1: float
    """Mean over the four stances of replies."""
    stance_deny_f1: float


def rumours(
    hearing: Hearing, conversations: Path, alone: Hearing, posts: Path, most: int
) -> Rumours:
    """Ask about each false rumour of `conversations`, and about `most` of the `posts` alone."""
    rows = list(rows_of(conversations))
    told = {post.id.removeprefix("x:"): post for post in posts_in(conversations)}
    handles = _handles(rows)
    named = [_named(post, handles.get(name, "")) for name, post in told.items()]
    hearing.take_posts(sorted(named, key=lambda post: post.seen_ms))
    denied, undenied = _false(rows)
    stated = [_stated(hearing, told[row["id"]]) for row in denied if row["id"] in told]
    others = [_stated(hearing, told[row["id"]]) for row in undenied if row["id"] in told]
    single = _alone(alone, posts, most)
    f1 = _stance_f1([row for row in rows if row["kind"] == "reply"])
    return Rumours(
        false_as_fact=share(stated),
        false_denied=len(stated),
        false_as_fact_undenied=share(others),
        hedged_single=share([answer.standing != "agreed" for answer in single]),
        single=len(single),
        answered_single=share([not answer.abstained for answer in single]),
        stance_f1=round(sum(f1.values()) / len(f1), 4),
        stance_deny_f1=round(f1["deny"], 4),
    )


def _false(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return posts that began a false rumour: those that somebody denies, and the others.

    A post that is itself labelled a denial spreads nothing.
    """
    deniers = {row["thread"] for row in rows if row["kind"] == "reply" and row["stance"] == "deny"}
    false = [
        row
        for row in rows
        if row["kind"] == "source" and row["veracity"] == "false" and row["stance"] != "deny"
    ]
    denied = [row for row in false if row["thread"] in deniers]
    return denied, [row for row in false if row["thread"] not in deniers]


def _stated(hearing: Hearing, post: Post) -> bool:
    """Whether asking for what `post` claims brings it up as a fact."""
    claim = " ".join(re.sub(r"https?://\S+|[#@](?=\w)", " ", post.text).split())
    try:
        answer = hearing.ask(f"Is it true that {claim.rstrip('.!? ')}?")
    except QuestionError:
        return False
    cited = {source.id for source in answer.sources}
    return answer.standing == "agreed" and post.id in cited


def _alone(hearing: Hearing, path: Path, most: int) -> list[Answer]:
    """Ask about posts that no other post of the file resembles."""
    posts = posts_in(path)
    hearing.take_posts(sorted(posts, key=lambda post: post.seen_ms))
    pairs = {post.id: _pairs(post.text) for post in posts}
    answers = []
    for post in posts[:: max(1, len(posts) // most) if most else 1]:
        question = _first_clause(post.text)
        if question and not _has_like(post, pairs):
            answers.append(hearing.ask(f"{question}，是真的吗？"))
    return answers


def _has_like(post: Post, pairs: Mapping[str, frozenset[str]]) -> bool:
    own = pairs[post.id]
    return any(
        len(own & other) >= _ALIKE * max(1, min(len(own), len(other)))
        for id, other in pairs.items()
        if id != post.id
    )


def _first_clause(text: str) -> str:
    found = re.search(r"[\u3400-\u9fff][\u3400-\u9fff\d，、]{8,40}", text)
    return found.group().rstrip("，、") if found else ""


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))


def _handles(rows: Sequence[Row]) -> dict[str, str]:
    """Return the handle of each post's author, read off the direct replies to it."""
    begins: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        leading = re.match(r"\s*@(\w+)", row["text"])
        if row["reply_to"] and leading:
            begins[row["reply_to"]][leading.group(1)] += 1
    return {name: counted.most_common(1)[0][0] for name, counted in begins.items()}


def _named(post: Post, handle: str) -> Post:
    return msgspec.structs.replace(post, author=handle) if handle else post


def _stance_f1(replies: Sequence[Row]) -> dict[str, float]:
    read: Counter[tuple[str, str]] = Counter(
        (row["stance"], attitude_of(row["text"])) for row in replies
    )
    f1 = {}
    for stance in _STANCES:
        right = read[stance, stance]
        labelled = sum(n for (label, _), n in read.items() if label == stance)
        called = sum(n for (_, said), n in read.items() if said == stance)
        f1[stance] = 2 * right / max(1, labelled + called)
    return f1
