"""What is declined: help with harm, never a topic.

The rules are `policy.toml`, to be read and edited by whoever runs this. They look at the question
alone, before anything is searched, so that the same question is always treated alike.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

STRETCH_CHARS = 240
"""A request for help is shorter; a longer question is looked at by stretches."""

_LIST = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Decline:
    """A rule that a question fell under."""

    name: str
    about: str
    """What is not helped with, in words."""
    help: bool
    """Whether the asker may need help: then the answer says where there is some."""


@dataclass(frozen=True, slots=True)
class _Rule:
    decline: Decline
    when: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]

    def holds(self, question: str) -> bool:
        return any(each.search(question) for each in self.when) and not any(
            each.search(question) for each in self.unless
        )


def declined(question: str) -> Decline | None:
    """Return why `question` is declined, None when it is answered."""
    stretches = list(_stretches(question.replace("’", "'")))
    return next((r.decline for r in _rules() if any(map(r.holds, stretches))), None)


def _stretches(text: str) -> Iterator[str]:
    """Yield stretches of whole words, each half of the one before and half new.

    What patterns take grows with a power of what they look at: a question of 4,000 characters
    that was made for it would take hours.
    """
    words = text.split()
    begin = end = 0
    while end < len(words):
        end, size = begin, 0
        while end < len(words) and (end == begin or size + len(words[end]) < STRETCH_CHARS):
            size += len(words[end]) + 1
            end += 1
        yield " ".join(words[begin:end])[:STRETCH_CHARS]
        begin = max(begin + 1, (begin + end) // 2)


@cache
def _rules() -> tuple[_Rule, ...]:
    text = files("fairwitness.answers").joinpath("policy.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    lists: dict[str, str] = told["lists"]

    def compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
        return tuple(
            re.compile(_LIST.sub(lambda m: f"(?:{lists[m[1]]})", each), re.IGNORECASE)
            for each in patterns
        )

    return tuple(
        _Rule(
            Decline(rule["name"], rule["about"], rule.get("help", False)),
            compiled(rule["when"]),
            compiled(rule.get("unless", [])),
        )
        for rule in told["declines"]
    )
