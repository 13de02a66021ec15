"""The verbs of `fairwitness plan` that have inputs of their own: one line each.

A verb is imported when it is first asked for: who plans a site does not wait for the formulas of
all the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from fairwitness.planner.fields import Verb

_FOLDERS = {
    "train": "training",
    "serve": "serving",
    "site": "site",
    "runway": "runway",
    "fleet": "fleet",
    "stream": "stream",
}


class _Verbs(Mapping[str, Verb]):
    def __getitem__(self, name: str) -> Verb:
        verb: Verb = import_module(f"fairwitness.planner.{_FOLDERS[name]}.plan").VERB
        return verb

    def __iter__(self) -> Iterator[str]:
        return iter(_FOLDERS)

    def __len__(self) -> int:
        return len(_FOLDERS)


VERBS: Mapping[str, Verb] = _Verbs()
