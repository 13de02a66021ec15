import json
import re

import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from fairwitness.engine.choosing import Choosing
from fairwitness.engine.grammars import Grammars
from fairwitness.engine.request import Request, RequestError
from fairwitness.engine.sample import rows_of
from fairwitness.models import Tokenizer

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "likes": {"type": "array", "items": {"enum": ["tea", "rain"]}, "maxItems": 3},
    },
    "required": ["name", "age", "likes"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Every byte, some words that cross what grammars part, two ends and an id that no one has."""
    words = (b'": ', b'", "', b"ame", b'{"', b"tea", b"20", b"\xc3\xa9", b"-1", b'"}')
    spelled = (*(bytes([byte]) for byte in range(256)), *words, b"", b"", b"")
    return made(spelled, {"<|end|>": 265, "<|over|>": 266})


def made(spelled: tuple[bytes, ...], control: dict[str, int]) -> Tokenizer:
    """A tokenizer of these tokens that reads a text byte by byte."""
    letters = {letter_of(byte): spelled.index(bytes([byte])) for byte in b"".join(spelled)}
    encoder = tokenizers.Tokenizer(models.BPE(letters, []))
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return Tokenizer(encoder, spelled, control, frozenset(control.values()), None)


def letter_of(byte: int) -> str:
    """GPT-2's letter for a byte."""
    hidden = [b for b in range(256) if not (33 <= b <= 126 or 161 <= b <= 172 or b >= 174)]
    return chr(256 + hidden.index(byte)) if byte in hidden else chr(byte)


@pytest.fixture(scope="module")
def grammars(tokenizer) -> Grammars:
    return Grammars(tokenizer)


def answers(tokenizer: Tokenizer, rule, count: int, limit: int = 400) -> list[str]:
    """What a model without any sense says under a rule."""
    said = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        request = Request((1,), limit, 1.0, seed=seed, stop_ids=(265, 266), rule=rule)
        choosing, raw = Choosing(request, limit), b""
        while True:
            logits_wv = rng.normal(0, 3, (1, len(tokenizer.token_bytes))).astype(np.float32)
            token = choosing.next(rows_of(logits_wv)[0])
            raw += tokenizer.token_bytes[token.id]
            if token.finish:
                assert token.finish == "stop", raw
                break
        said.append(raw.decode())
    return said


def test_json_keeps_its_schema_whatever_the_model_wants(tokenizer, grammars):
    for text in answers(tokenizer, grammars.json(json.dumps(PERSON)), 12):
        person = json.loads(text)
        assert list(person) == ["name", "age", "likes"]
        assert len(person["name"]) <= 12
        assert 0 <= person["age"] <= 130
        assert set(person["likes"]) <= {"tea", "rain"}


def test_regex_is_matched_from_end_to_end(tokenizer, grammars):
    pattern = r"(19|20)[0-9]{2}-[01][0-9](T[a-z]{2}é?)?"
    texts = answers(tokenizer, grammars.regex(pattern), 30)
    assert [text for text in texts if not re.fullmatch(pattern, text)] == []
    assert len(set(texts)) > 10


def test_grammar_is_derived(tokenizer, grammars):
    rule = grammars.lark('start: "(" start ")" | WORD\nWORD: /[a-z]{1,3}/')
    for text in answers(tokenizer, rule, 30):
        depth = text.count("(")
        assert re.fullmatch("[a-z]{1,3}", text[depth : len(text) - depth])
        assert text == "(" * depth + text[depth : len(text) - depth] + ")" * depth


def test_forced_tokens_are_what_the_masks_leave(grammars):
    walk = grammars.regex("abc(d|e)").begin()
    assert walk.guess() == (ord("a"), ord("b"), ord("c"))
    for token in walk.guess():
        assert set(np.flatnonzero(walk.mask())) == {token}
        walk.take(token)
    assert walk.guess() == ()
    assert walk.mask().sum() == 2


def test_a_grammar_of_nothing_is_said_at_once(tokenizer, grammars):
    assert answers(tokenizer, grammars.lark('start: ""'), 2) == ["", ""]


def test_control_tokens_are_never_text_and_ends_only_come_at_the_end(grammars):
    walk = grammars.regex("(a|<)*").begin()
    allowed = walk.mask()
    assert allowed[ord("a")]
    assert allowed[265], "an empty text matches"
    assert allowed[266]
    assert not allowed[267]
    walk = grammars.regex("a+").begin()
    assert set(np.flatnonzero(walk.mask())) == {ord("a")}
    walk.take(ord("a"))
    assert set(np.flatnonzero(walk.mask())) == {ord("a"), 265, 266}
    assert not walk.is_done


def test_answers_of_one_rule_do_not_disturb_each_other(grammars):
    rule = grammars.regex("ab|cd")
    first, second = rule.begin(), rule.begin()
    first.take(ord("a"))
    assert set(np.flatnonzero(second.mask())) == {ord("a"), ord("c")}
    first.take(ord("b"))
    assert first.is_done
    assert not second.is_done


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        ("json", '{"type": "integer", "minimum": 5, "maximum": 3}', "JSON schema .*minimum"),
        ("json", '{"enum": []}', "JSON schema"),
        ("json", '{"type": "banana"}', "banana"),
        ("json", '{"type": "array", "uniqueItems": true}', "uniqueItems"),
        ("json", '{"$ref": "https://example.org/far"}', "example.org/far"),
        ("json", "nonsense", "JSON schema"),
        ("json", "false", "JSON schema"),
        ("regex", "(", "regular expression"),
        ("regex", "(?=a)b", "regular expression"),
        ("lark", "start: missing", "missing"),
        ("lark", "start: A\nA: /a/ & /b/", "grammar cannot be kept"),
        ("lark", 'start: start "a"', "grammar cannot be kept"),
    ],
)
def test_what_cannot_be_met_is_refused_before_any_token(grammars, kind, text, problem):
    with pytest.raises(RequestError, match=problem) as told:
        getattr(grammars, kind)(text)
    assert told.value.option == "form"
    assert len(str(told.value)) < 400


def test_a_grammar_that_grows_without_bound_is_refused_when_it_does(tokenizer, grammars):
    """Some 3,000 letters that may be left out are more than anybody should wait for."""
    wild = " ".join('("a"|"")' for _ in range(3000))
    with pytest.raises(RequestError, match=r"the grammar cannot be kept: .*items"):
        grammars.lark(f"start: {wild}")
    later = grammars.lark(f'start: "b" wild\nwild: {wild}')
    with pytest.raises(RequestError, match=r"the grammar cannot be kept: .*items"):
        answers(tokenizer, later, 1)


def test_a_vocabulary_that_cannot_say_it_is_told():
    poor = made((b"a", b"b", b""), {"<|end|>": 2})
    with pytest.raises(RequestError, match="cannot be kept"):
        Grammars(poor).regex("c+")
    with pytest.raises(RequestError, match="no end token"):
        Grammars(made((b"a", b"b"), {}))
