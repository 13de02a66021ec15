"""Published runs, each beside what our formulas make of it.

`published.toml` holds what was published, by whom, and how near we must come and why; the modules
beside it compute. A run that we do not reproduce stays here, marked as missed, with the reason.
"""

import importlib.resources
import tomllib

from fairwitness.planner.runs.identities import all_identities
from fairwitness.planner.runs.predictions import all_predictions
from fairwitness.planner.runs.priors import all_priors
from fairwitness.planner.runs.run import Run

__all__ = ["Run", "runs"]


def runs() -> tuple[Run, ...]:
    """Predict every published run."""
    text = (importlib.resources.files(__name__) / "published.toml").read_text("utf-8")
    points = {"identity": all_identities(), "prediction": all_predictions()}
    intervals = all_priors()
    found = []
    for name, row in tomllib.loads(text).items():
        if row["kind"] != "prior":
            found.append(Run(id=name, predicted=points[row["kind"]][name], **row))
            continue
        low, middle, high = intervals[name]
        widest = max(high / middle, middle / low) - 1
        found.append(Run(id=name, predicted=middle, low=low, high=high, tolerance=widest, **row))
    return tuple(found)
