"""What can go wrong with a model: its file, its download, its template."""

from __future__ import annotations

from pathlib import Path


class ModelError(Exception):
    """Any failure of this room."""


class ModelFileError(ModelError):
    """A model file that is cut short, damaged, hostile, or of a kind that we do not read."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class ModelDownloadError(ModelError):
    """A model that could not be fetched, or that arrived different from what was asked for."""


class ChatTemplateError(ModelError):
    """A chat template that does not parse, refuses the messages, or loses one of them."""


class TokenizerError(ModelError):
    """A tokenizer that gives up on a text: its own rules take too long, or break."""
