"""A conversation to token ids, through the template that the model was trained with.

The template is foreign code, so it runs in a sandbox, in a process of its own with its time and
memory counted. The contents are foreign text, so they never go through it: the template is rendered
with a placeholder for each content, its own text is read with control tokens, and the contents are
spliced in as plain tokens. What somebody wrote can therefore not start or end a turn, whatever it
spells; and since the text depends on the roles alone, each sequence of roles is rendered once.

Template variables: `apply_chat_template` in github.com/huggingface/transformers.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from fairwitness.models import rendering
from fairwitness.models.errors import ChatTemplateError
from fairwitness.models.tokenizer import Tokenizer

RENDER_S = 30.0  # by the clock; by the processor it is `rendering.CPU_S`
KEPT_SEQUENCES = 256
ROLES = ("system", "user", "assistant", "tool")
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")  # what Python may need to start
# Private-use characters: no template spells them, and contents never pass through the template.
_PLACEHOLDER = re.compile("\ue0f0([0-9]+)\ue0f1")


class Message(msgspec.Struct, frozen=True):
    """One message: who speaks (`system`, `user`, `assistant` or `tool`), and what."""

    role: str
    content: str


class ChatTemplate:
    """A template; `variables` are the texts of `bos_token` and the like."""

    def __init__(self, source: str, variables: Mapping[str, str]) -> None:
        self.source, self._variables = source, dict(variables)
        self._rendered = lru_cache(KEPT_SEQUENCES)(self._render)

    def encode(self, messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
        """Token ids of the conversation, up to where the assistant's next answer begins.

        Raises:
            ChatTemplateError: an unknown role; or the template does not parse, refuses or drops a
                message, or takes more time or memory than any honest one.
        """
        for message in messages:
            if message.role not in ROLES:
                raise ChatTemplateError(f"role {message.role!r} is not one of {', '.join(ROLES)}")
        ids: list[int] = []
        seen: set[int] = set()
        # the pattern has one group, so every second piece is the number of a content
        pieces = _PLACEHOLDER.split(self._rendered(tuple(each.role for each in messages)))
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

    def _render(self, roles: tuple[str, ...]) -> str:
        """The template's text for a sequence of roles, a placeholder in place of each content."""
        messages = [
            {"role": role, "content": f"\ue0f0{index}\ue0f1"} for index, role in enumerate(roles)
        ]
        job = {"source": self.source, "messages": messages, "variables": self._variables}
        try:
            run = subprocess.run(
                [sys.executable, "-I", rendering.__file__],
                input=msgspec.json.encode(job),
                capture_output=True,
                timeout=RENDER_S,
                check=False,
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            )
        except OSError as error:
            raise ChatTemplateError(f"the chat template cannot be rendered: {error}") from error
        except subprocess.TimeoutExpired:
            raise ChatTemplateError(f"the chat template takes more than {RENDER_S:g} s") from None
        if run.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            raise ChatTemplateError(f"the chat template takes more than {rendering.CPU_S} s")
        return _text(run)


def _text(run: subprocess.CompletedProcess[bytes]) -> str:
    """What the process tells, if it came to tell."""
    try:
        outcome = msgspec.json.decode(run.stdout, type=dict[str, str])
    except msgspec.DecodeError as error:
        last = run.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        problem = last or f"ended with {run.returncode}"
        raise ChatTemplateError(f"the chat template cannot be rendered: {problem}") from error
    if "text" not in outcome:
        raise ChatTemplateError(f"the chat template {outcome.get('problem')}")
    return outcome["text"]
