import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.engine.borders import ends, starts
from fairwitness.engine.quoting import Quotes, TokenTrie
from fairwitness.engine.request import RequestError
from fairwitness.models import Tokenizer

END = 0
# two letters, tokens across words, pieces of characters, and a token that stands there twice
SPELLED = (
    b"", b"a", b"b", b"ab", b"aba", b"bab", b" ", b" a", b"b a", b"\xc3", b"\xa9", b"\xc3\xa9",
    b"\xa9a", b"abab", b"\xf0\x9f", b"\xa6\x9c", b"ab",
)  # fmt: skip
TEXTS = st.text("ab é🦜", max_size=14)


def tokenizer(spelled: tuple[bytes, ...] = SPELLED) -> Tokenizer:
    return Tokenizer(None, spelled, {"<|end|>": END}, frozenset({END}), None)


TRIE = TokenTrie(SPELLED)


@pytest.fixture(scope="module")
def byte_tokenizer(chat) -> Tokenizer:
    return chat.tokenizer


def rests(sources: list[str], quote: bytes) -> list[tuple[bytes, bool]]:
    """What may follow `quote`, read off every source, and whether it may end here."""
    found = []
    for source in sources:
        finals = {len(source[:end].encode()) for end in ends(source)}
        for start in starts(source):
            before = len(source[:start].encode())
            tail = source.encode()[before:]
            if tail.startswith(quote):
                found.append((tail[len(quote) :], before + len(quote) in finals))
    return found


@settings(deadline=None)
@given(
    sources=st.lists(TEXTS, min_size=1, max_size=4).filter(lambda each: "".join(each).strip()),
    data=st.data(),
)
def test_every_token_goes_on_with_a_span_and_every_span_can_be_gone_on_with(sources, data):
    quoting, quote = Quotes(tokenizer(), TRIE, sources).begin(), b""
    while True:
        following = rests(sources, quote)
        expected = {
            token
            for token, spelled in enumerate(SPELLED)
            if spelled and any(rest.startswith(spelled) for rest, _ in following)
        }
        if quote and any(is_end for _, is_end in following):
            expected.add(END)
        assert quoting.is_done == (not any(rest for rest, _ in following))
        if not expected:
            with pytest.raises(RequestError, match="no token for the rest"):
                quoting.mask()
            return
        allowed = set(np.flatnonzero(quoting.mask()).tolist())
        assert allowed == expected
        token = data.draw(st.sampled_from(sorted(allowed)))
        if token == END:
            assert any(quote.decode() in source for source in sources)
            return
        quoting.take(token)
        quote += SPELLED[token]
        assert any(quote in source.encode() for source in sources)


def test_answers_of_one_rule_do_not_disturb_each_other():
    rule = Quotes(tokenizer(), TRIE, ["ab", "ba"])
    first, second = rule.begin(), rule.begin()
    first.take(1)
    assert not first.mask()[1]
    assert not first.mask()[END], "a word stays whole"
    assert second.mask()[1]
    first.take(2)
    assert first.is_done
    assert not second.is_done


def test_where_one_place_is_left_the_rest_of_its_source_is_guessed(byte_tokenizer):
    spelled = byte_tokenizer.token_bytes
    sources = ["one two, she said", "one six"]
    quoting = Quotes(byte_tokenizer, TokenTrie(spelled), sources).begin()

    def say(text: str) -> None:
        for token in byte_tokenizer.encode(text):
            quoting.take(token)

    assert quoting.guess() == ()
    say("one ")
    assert quoting.guess() == (), "it may go on in two ways"
    say("tw")
    assert byte_tokenizer.decode(quoting.guess()) == "o, she said"
    say("o")
    assert byte_tokenizer.decode(quoting.guess()) == ", she said"
    say(", she said")
    assert quoting.is_done
    assert quoting.guess() == ()


def test_a_quote_does_not_run_from_one_source_into_the_next():
    quoting = Quotes(tokenizer(), TRIE, ["a", "b"]).begin()
    assert set(np.flatnonzero(quoting.mask())) == {1, 2}, "no 'ab'"
    quoting.take(1)
    assert quoting.is_done
    assert set(np.flatnonzero(quoting.mask())) == {END}


@pytest.mark.parametrize("sources", [[], [""], [" ", "\n"]])
def test_nothing_to_quote_is_told(sources):
    with pytest.raises(RequestError, match="nothing to quote") as told:
        Quotes(tokenizer(), TRIE, sources)
    assert told.value.option == "form"


def test_more_than_any_prompt_holds_is_refused():
    with pytest.raises(RequestError, match=r"200,001 bytes to quote from, at most 200,000"):
        Quotes(tokenizer(), TRIE, ["a" * 200_000, "b"])
