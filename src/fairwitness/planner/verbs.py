"""The verbs of `fairwitness plan` that have inputs of their own: one line each."""

from fairwitness.planner.fields import Verb
from fairwitness.planner.fleet import plan as fleet
from fairwitness.planner.runway import plan as runway
from fairwitness.planner.serving import plan as serve
from fairwitness.planner.site import plan as site
from fairwitness.planner.stream import plan as stream
from fairwitness.planner.training import plan as train

_ALL: tuple[Verb, ...] = (
    train.VERB,
    serve.VERB,
    site.VERB,
    runway.VERB,
    fleet.VERB,
    stream.VERB,
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
