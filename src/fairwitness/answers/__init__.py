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
from fairwitness.answers.deep import Budget, Progressed, Report, Reported, deep
from fairwitness.answers.explain import UnknownPost, explain
from fairwitness.answers.kept import Kept, ReadBack, keep, read_back
from fairwitness.answers.living import Change, Changed, Difference, changes, difference
from fairwitness.answers.road import Desk, ask

__all__ = [
    "Answer",
    "Budget",
    "Change",
    "Changed",
    "Citation",
    "CitedSource",
    "Desk",
    "Difference",
    "Dispute",
    "Finished",
    "Freshness",
    "Kept",
    "Mode",
    "Progressed",
    "QuestionError",
    "ReadBack",
    "Report",
    "Reported",
    "Said",
    "Sentence",
    "Standing",
    "Told",
    "UnknownPost",
    "ask",
    "changes",
    "deep",
    "difference",
    "explain",
    "keep",
    "read_back",
]
