"""The default model, fetched once a machine through the registry, loaded once a session."""

import pytest

from fairwitness.engine import LocalChat
from fairwitness.models.registry import DEFAULT_MODEL, pull


@pytest.fixture(scope="session")
def smollm2() -> LocalChat:
    return LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL))
