"""All state in one folder: its lock, its log, its index, and who may write."""

from fairwitness.home.followed import Followed
from fairwitness.home.home import Home, Reading, default_folder
from fairwitness.home.lock import Holder, HomeBusy, HomeLock, HomeUnusable, holder
from fairwitness.home.messages import IntakeRefused, IntakeReport, Progress, Sources
from fairwitness.home.writer import Writer, WriterFailed

__all__ = [
    "Followed",
    "Holder",
    "Home",
    "HomeBusy",
    "HomeLock",
    "HomeUnusable",
    "IntakeRefused",
    "IntakeReport",
    "Progress",
    "Reading",
    "Sources",
    "Writer",
    "WriterFailed",
    "default_folder",
    "holder",
]
