"""Whose own words a question asks for: "what did @nasa say about the launch?".

A handle is a speaker where a word of saying leans on it, or where it is what is gone by ("according
to @nasa"). Then only what that account posted can answer. Any other handle is somebody whom posts
must name ("who attacked @mayor?").
"""

import re

_ONE = r"@[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?(?:@[a-z0-9-]+(?:\.[a-z0-9-]+)+)?"
"""A name on X, a domain on Bluesky, a name with its server on Mastodon."""

_MANY = rf"(?<![a-z0-9_@]){_ONE}(?:\s*(?:,|and|or|y|o|e|et|ou|und|oder|и|или|和|と)\s*{_ONE})*"
_BEHIND = (
    r"(?:say|says|said|saying|tell|told|telling|tweet(?:s|ed|ing)?|post(?:s|ed|ing)?|writ(?:es?|ing)"
    r"|wrote|think|thinks|announc(?:es?|ed|ing)|report(?:s|ed|ing)?|claim(?:s|ed|ing)?"
    r"|publish(?:es|ed)?|comment(?:s|ed)?|means?)"
)
_BEFORE = (
    r"(?:dice|dijo|dicho|escribió|publicó|anunció|tuiteó|opina|ha detto|ha scritto|ha pubblicato"
    r"|scrive|pensa|disse|diz|escreveu|publicou|anunciou|dit|a dit|a écrit|sagte?|schrieb|schreibt"
    r"|сказал[ао]?|говорит|пишет|написал[аи]?|сообщил[ао]?)"
)
_BY = (
    r"(?:according to|(?:posts?|tweets?) (?:by|from|of)|según|segun|secondo|segundo|selon"
    r"|d['’]après|laut|по словам|согласно)"
)
_SPEAKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MANY}\s+(?:\w+\s+)?{_BEHIND}\b",
        rf"{_MANY}(?:['’]s)?\s+(?:posts?|tweets?|words|views?|opinions?)\b",
        rf"\b{_BEFORE}\s+{_MANY}",
        rf"\b{_BY}\s+{_MANY}",
        rf"{_MANY}\s*(?:是?怎么)?(?:说|說|发|發|表示|宣布)",
        rf"{_MANY}\s*(?:さん)?[はが](?=.*[言書話]|.*発表|.*投稿)",
        rf"\bfrom:\s*{_MANY}",
    )
)


def speakers_in(question: str) -> tuple[tuple[str, ...], str]:
    """Return the handles, without @ and in lower case, whose words `question` asks for, and the
    question without them and without what said so."""
    found: dict[str, None] = {}
    for pattern in _SPEAKS:
        while match := pattern.search(question):
            found |= dict.fromkeys(handles_in(match.group()))
            question = f"{question[: match.start()]} {question[match.end() :]}"
    return tuple(found), question


def handles_in(text: str) -> tuple[str, ...]:
    """Return the handles in `text`, without @ and in lower case."""
    found = re.findall(rf"(?<![a-z0-9_]){_ONE}", text, re.IGNORECASE)
    return tuple(dict.fromkeys(handle[1:].lower() for handle in found))
