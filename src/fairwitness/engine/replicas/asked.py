"""What goes between the door and a replica."""

from dataclasses import dataclass, field

from fairwitness.engine.forms import Form
from fairwitness.engine.request import EngineError, Request, Token

BEAT_S = 1.0
"""A replica says so often that it is there, also while a request waits in its line."""


@dataclass(frozen=True)
class Asked:
    """A request, and how far another replica has answered it. `request` has no rule: `form` says
    what the rule is made of, since a rule cannot leave its process."""

    request: Request
    form: Form | None
    written: tuple[int, ...]
    edition: int
    """Of the weights that gave what is written."""
    timeout_s: float | None
    tried: list[str] = field(default_factory=list)
    """Replicas that have had the request; the router, in the door's own process, adds to it."""


@dataclass(frozen=True)
class Heard:
    """What a replica has to say of one request, and the edition of the weights it is of."""

    told: list[Token | EngineError]
    edition: int
