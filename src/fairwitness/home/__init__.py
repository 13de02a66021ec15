"""All state in one folder: its lock, its log, its index, and who may write."""

from fairwitness.home.home import Home, Reading, default_folder
from fairwitness.home.lock import Holder, HomeBusy, HomeLock, HomeUnusable, holder

__all__ = [
    "Holder",
    "Home",
    "HomeBusy",
    "HomeLock",
    "HomeUnusable",
    "Reading",
    "default_folder",
    "holder",
]
