"""The networks as configs and pure functions, and the files that they come in.

Everything that is exported here works without JAX; the decoder itself is
`fairwitness.models.decoder`.
"""

from fairwitness.models.chat_template import ChatTemplate, Message
from fairwitness.models.config import DecoderConfig
from fairwitness.models.errors import (
    ChatTemplateError,
    ModelDownloadError,
    ModelError,
    ModelFileError,
    TokenizerError,
)
from fairwitness.models.model import Model, ModelCard, describe, open_model
from fairwitness.models.tokenizer import TextStream, Tokenizer

__all__ = [
    "ChatTemplate",
    "ChatTemplateError",
    "DecoderConfig",
    "Message",
    "Model",
    "ModelCard",
    "ModelDownloadError",
    "ModelError",
    "ModelFileError",
    "TextStream",
    "Tokenizer",
    "TokenizerError",
    "describe",
    "open_model",
]
