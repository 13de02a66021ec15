"""Token ids in, token ids out; and the text door over it.

Importing this room does not import JAX: that happens when an `Engine` is built.
"""

from fairwitness.engine.chat import (
    ChatBusyError,
    ChatDeadlineError,
    ChatError,
    ChatModel,
    ChatOptions,
    ChatStream,
    Message,
    Usage,
)
from fairwitness.engine.engine import Engine
from fairwitness.engine.local import LocalChat
from fairwitness.engine.loop import DeadlineError, Load
from fairwitness.engine.remote import RemoteChat
from fairwitness.engine.request import (
    EngineError,
    NonFiniteLogitsError,
    Request,
    RequestError,
    Token,
)
from fairwitness.engine.scheduler import QueueFullError, TooLargeError

__all__ = [
    "ChatBusyError",
    "ChatDeadlineError",
    "ChatError",
    "ChatModel",
    "ChatOptions",
    "ChatStream",
    "DeadlineError",
    "Engine",
    "EngineError",
    "Load",
    "LocalChat",
    "Message",
    "NonFiniteLogitsError",
    "QueueFullError",
    "RemoteChat",
    "Request",
    "RequestError",
    "Token",
    "TooLargeError",
    "Usage",
]
