"""A number that stands once in a long text is found again, as far as the small model can."""

import pytest

from fairwitness.engine import ChatOptions, Engine, LocalChat, Message
from fairwitness.engine.forms import PatternForm
from fairwitness.kernels.pages import Kind
from fairwitness.models import open_model
from fairwitness.models.registry import DEFAULT_MODEL, pull

HAY = (
    "The ferry left the harbour at dawn and the gulls followed it.",
    "A baker on the hill sold warm bread to the early walkers.",
    "Rain fell on the roofs of the old town for most of the day.",
    "Two children painted a boat blue and named it after their dog.",
    "The library closed at six and the lamps were lit in the square.",
)
SAID = "The secret code of the harbour is "


def answer(kind: Kind, sentences: int, place: float, needle: str) -> tuple[str, int]:
    """What is answered, and how many tokens the prompt has."""
    model = open_model(pull(DEFAULT_MODEL))
    engine = Engine(model, kind=kind)
    chat = LocalChat(DEFAULT_MODEL, engine, model.tokenizer(), model.chat_template())
    hay = [HAY[each % len(HAY)] for each in range(sentences)]
    hay.insert(int(place * sentences), needle)
    text = " ".join(hay) + "\n\nWhat is the secret code of the harbour?"
    form = PatternForm(f"{SAID}[0-9]{{5}}\\.")
    stream = chat.stream([Message("user", text)], ChatOptions(24, form=form))
    said = "".join(stream)
    assert stream.usage
    return said, stream.usage.prompt_tokens


@pytest.mark.parametrize(("kind", "sentences", "place"), [("f16", 71, 0.05), ("int8", 143, 0.5)])
def test_what_stands_once_in_a_long_text_is_found(kind, sentences, place):
    said, tokens = answer(kind, sentences, place, f"{SAID}48213.")
    assert said == f"{SAID}48213."
    assert tokens > 14 * sentences


def test_what_does_not_stand_there_is_not_found():
    assert answer("f16", 20, 0.5, "The sea was calm.")[0] != f"{SAID}48213."
