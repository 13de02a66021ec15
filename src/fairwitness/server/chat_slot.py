"""The place of the chat model: empty, or one that loads while the server already answers.

Until it is ready, and when it fails, answers are made of quotes and counts alone.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from fairwitness.engine import LocalChat
from fairwitness.engine.chat import ChatModel

State = Literal["none", "loading", "ready", "failed"]
Loader = Callable[[], ChatModel | None]
"""Returns the model, which may take a while; None when there is none to be had."""

_log = logging.getLogger(__name__)


class ChatReport(msgspec.Struct, frozen=True):
    """How the model stands, for people."""

    name: str
    state: State
    message: str
    """How long the loading took, or why it failed."""


class ChatSlot:
    """Holds the model that `load` returns, once `begin` has been called and it has returned."""

    def __init__(self, load: Loader | None) -> None:
        self._load = load
        self._state: State = "loading" if load else "none"
        self._message = ""
        self.model: ChatModel | None = None

    @property
    def models(self) -> tuple[ChatModel, ...]:
        """The model as it is, and with each of its adapters."""
        if self.model is None:
            return ()
        adapted = self.model.adapted if isinstance(self.model, LocalChat) else ()
        return (self.model, *adapted)

    def named(self, name: str) -> ChatModel | None:
        """The one of `models` that has this name."""
        return next((each for each in self.models if each.name == name), None)

    def report(self) -> ChatReport:
        """Return how the model stands."""
        return ChatReport(self.model.name if self.model else "", self._state, self._message)

    def begin(self) -> None:
        """Load in the background. The thread is a daemon: a slow download delays no shutdown."""
        if self._load:
            threading.Thread(target=self._run, args=(self._load,), name="load", daemon=True).start()

    def _run(self, load: Loader) -> None:
        started_s = time.perf_counter()
        try:
            model = load()
        except Exception as error:  # whatever a model file can do, answers go on without it
            _log.exception("the chat model could not be loaded")
            self._state, self._message = "failed", str(error) or type(error).__name__
            return
        took_s = time.perf_counter() - started_s
        self.model = model
        self._state, self._message = (
            ("ready", f"loaded in {took_s:.1f} s") if model else ("none", "")
        )
