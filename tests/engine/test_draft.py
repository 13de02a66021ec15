import time

from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine.draft import WORTH, PromptLookup


def slowly(ids: list[int], most: int) -> tuple[int, ...]:
    """The same by looking at every place."""
    for length, worth in WORTH.items():
        if length > len(ids):
            continue
        for place in range(len(ids) - 1, length - 1, -1):
            if ids[place - length : place] == ids[-length:]:
                return tuple((ids[place:] * most)[: min(most, worth)])
    return ()


@given(
    pieces=st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=12),
    most=st.integers(0, 10),
)
def test_proposes_a_copy_of_what_followed_last_however_the_ids_arrive(pieces, most):
    lookup, ids = PromptLookup(), []
    for piece in pieces:
        ids += piece
        drafted = lookup.propose(ids, most)
        assert drafted == slowly(ids, most)
        assert len(drafted) <= most
        text, copy = "".join(map(chr, [*ids, *drafted])), "".join(map(chr, drafted))
        assert copy in text[:-1] or not copy, "a proposal is a copy"
        assert PromptLookup().propose(tuple(ids), most) == drafted, "it follows from the ids"


def test_goes_on_where_the_longest_end_stood():
    ids = [9, 9, 9, 9, 5, 6, 1, 0, 0, 5, 6, 2, 0, 9, 9, 5, 6]
    assert PromptLookup().propose(ids, 3) == (1, 0, 0), "9 9 5 6 says more than the later 5 6"


def test_what_goes_round_goes_on_round():
    assert PromptLookup().propose([5, 1, 2, 3, 1, 2, 3], 7) == (1, 2, 3, 1, 2, 3, 1)


def test_one_token_that_agrees_is_worth_one_guess():
    assert PromptLookup().propose([1, 2, 3, 4, 1], 7) == (2,)


def test_nothing_stood_before():
    assert PromptLookup().propose([], 4) == ()
    assert PromptLookup().propose([1], 4) == ()
    assert PromptLookup().propose([1, 2, 3], 4) == ()


def test_a_token_costs_the_same_however_long_the_sequence_is():
    ids = [token * 7919 % 997 for token in range(40_000)]
    lookup, growing = PromptLookup(), ids[:20_000]
    lookup.propose(growing, 8)
    started_s = time.process_time()
    for token in ids[20_000:22_000]:
        growing.append(token)
        lookup.propose(growing, 8)
    assert (time.process_time() - started_s) / 2000 < 100e-6
