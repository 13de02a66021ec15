"""A question in, a verified and cited answer out."""

from fairwitness.answers.answer import (
    Answer,
    Citation,
    CitedSource,
    Dispute,
    Finished,
    Freshness,
    Mode,
    Part,
    QuestionError,
    Reach,
    Said,
    Sentence,
    Spread,
    Standing,
    Told,
    lead,
)
from fairwitness.answers.deep import Budget, Progressed, Report, Reported, deep
from fairwitness.answers.explain import UnknownPost, explain
from fairwitness.answers.explained import Explained, Parsed, Round, Search
from fairwitness.answers.frames import unframed
from fairwitness.answers.kept import Kept, ReadBack, keep, read_back
from fairwitness.answers.length import Length
from fairwitness.answers.living import Change, Changed, Difference, changes, difference
from fairwitness.answers.message import ask
from fairwitness.answers.road import Desk
from fairwitness.answers.split import MAX_QUESTIONS

__all__ = [
    "MAX_QUESTIONS",
    "Answer",
    "Budget",
    "Change",
    "Changed",
    "Citation",
    "CitedSource",
    "Desk",
    "Difference",
    "Dispute",
    "Explained",
    "Finished",
    "Freshness",
    "Kept",
    "Length",
    "Mode",
    "Parsed",
    "Part",
    "Progressed",
    "QuestionError",
    "Reach",
    "ReadBack",
    "Report",
    "Reported",
    "Round",
    "Said",
    "Search",
    "Sentence",
    "Spread",
    "Standing",
    "Told",
    "UnknownPost",
    "ask",
    "changes",
    "deep",
    "difference",
    "explain",
    "keep",
    "lead",
    "read_back",
    "unframed",
]
