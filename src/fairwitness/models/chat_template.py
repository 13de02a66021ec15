"""A conversation to token ids, through the template that the model was trained with.

The template is foreign code, so it runs in a sandbox. The contents are foreign text, so they never
go through it: the template is rendered with a placeholder for each content, its own text is read
with control tokens, and the contents are spliced in as plain tokens. What somebody wrote can
therefore not start or end a turn, whatever it spells.

Template variables: `apply_chat_template` in github.com/huggingface/transformers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import jinja2
import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fairwitness.models.errors import ChatTemplateError
from fairwitness.models.tokenizer import Tokenizer

ROLES = ("system", "user", "assistant", "tool")
# Private-use characters: no template spells them, and contents never pass through the template.
_PLACEHOLDER = re.compile("\ue0f0([0-9]+)\ue0f1")


class Message(msgspec.Struct, frozen=True):
    """One message: who speaks (`system`, `user`, `assistant` or `tool`), and what."""

    role: str
    content: str


class ChatTemplate:
    """A compiled template; `variables` are the texts of `bos_token` and the like."""

    def __init__(self, source: str, variables: Mapping[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ChatTemplateError(f"the chat template does not parse: {error}") from error
        self._variables = dict(variables)

    def encode(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
        """Token ids of the conversation, up to where the assistant's next answer begins.

        Raises:
            ChatTemplateError: an unknown role, or the template refuses or drops a message.
        """
        ids: list[int] = []
        seen: set[int] = set()
        # the pattern has one group, so every second piece is the number of a content
        pieces = _PLACEHOLDER.split(self._render(messages))
        for place, piece in enumerate(pieces):
            before = ids[-1] if ids else None
            if place % 2 == 0:
                # a space before a content belongs to its first word, as the model was trained
                space = " " if piece.endswith(" ") and place < len(pieces) - 1 else ""
                ids += tokenizer.encode(piece.removesuffix(space), control=True, after=before)
                continue
            if int(piece) >= len(messages):
                raise ChatTemplateError(f"the chat template asks for message {piece}")
            seen.add(int(piece))
            ids += tokenizer.encode(space + messages[int(piece)].content, after=before)
        for index, message in enumerate(messages):
            if index not in seen:
                raise ChatTemplateError(
                    f"the chat template drops message {index} (role {message.role!r})"
                )
        return ids

    def _render(self, messages: Sequence[Message]) -> str:
        for message in messages:
            if message.role not in ROLES:
                raise ChatTemplateError(f"role {message.role!r} is not one of {', '.join(ROLES)}")
        numbered = [
            {"role": message.role, "content": f"\ue0f0{index}\ue0f1"}
            for index, message in enumerate(messages)
        ]
        try:
            return self._template.render(
                messages=numbered, add_generation_prompt=True, **self._variables
            )
        except jinja2.TemplateError as error:
            raise ChatTemplateError(f"the chat template refuses: {error}") from error
        except Exception as error:  # a template can raise anything, from TypeError to OverflowError
            raise ChatTemplateError(f"the chat template fails: {error}") from error


def _refuse(reason: str) -> NoReturn:
    """What templates call to reject a conversation."""
    raise jinja2.TemplateError(reason)
