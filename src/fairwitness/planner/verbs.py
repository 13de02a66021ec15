"""The verbs of `fairwitness plan` that have inputs of their own: one line each."""

from fairwitness.planner.fields import Verb

_ALL: tuple[Verb, ...] = ()
VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
