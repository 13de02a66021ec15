"""What is declined: help with harm, never a topic.

The rules are `policy.toml`, to be read and edited by whoever runs this. They look at the question
alone, before anything is searched, so that the same question is always treated alike.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
    plain = question.replace("’", "'").replace("\n", " ")
    return next((rule.decline for rule in _rules() if rule.holds(plain)), None)


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
