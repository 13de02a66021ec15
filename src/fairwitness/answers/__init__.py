"""A question in, a verified and cited answer out."""

from fairwitness.answers.answer import (
    Answer,
    Citation,
    CitedSource,
    Dispute,
    Finished,
    Freshness,
    Mode,
    QuestionError,
    Said,
    Sentence,
    Standing,
    Told,
)
from fairwitness.answers.road import Desk, ask

__all__ = [
    "Answer",
    "Citation",
    "CitedSource",
    "Desk",
    "Dispute",
    "Finished",
    "Freshness",
    "Mode",
    "QuestionError",
    "Said",
    "Sentence",
    "Standing",
    "Told",
    "ask",
]
