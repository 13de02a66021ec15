"""The verbs of `fairwitness plan` that have inputs of their own: one line each."""

from fairwitness.planner.fields import Verb
from fairwitness.planner.serving import plan as serve
from fairwitness.planner.training import plan as train

_ALL: tuple[Verb, ...] = (
    train.VERB,
    serve.VERB,
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
