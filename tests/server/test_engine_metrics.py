"""What `/metrics` tells of the engine, after a real answer."""

import re

from fairwitness.engine import ChatOptions, LocalChat, Message
from fairwitness.models.registry import DEFAULT_MODEL, pull
from fairwitness.server.metrics import _of_engine, write


def told(chat: LocalChat | None) -> dict[str, float]:
    text = write(_of_engine(chat))
    return {name: float(value) for name, value in re.findall(r"(?m)^(fw_\S+) (\S+)$", text)}


def test_an_answer_is_counted_and_leaves_its_pages_in_the_cache() -> None:
    chat = LocalChat.open(DEFAULT_MODEL, pull(DEFAULT_MODEL))
    before = told(None)
    assert set(before.values()) == {0.0}
    question = [Message("user", "Say where the river runs. " * 12)]
    for _ in range(2):
        "".join(chat.stream(question, ChatOptions(max_tokens=3)))
    after = told(chat)
    assert set(after) == set(before)
    assert after["fw_engine_written_tokens_total"] == 6
    assert after["fw_engine_shared_tokens_total"] >= 64
    assert after["fw_engine_shared_tokens_total"] < after["fw_engine_prompt_tokens_total"]
    assert after['fw_engine_pages{as="held"}'] == 0
    assert after['fw_engine_pages{as="cached"}'] >= 1
    assert after["fw_engine_running_requests"] == after["fw_engine_waiting_requests"] == 0
