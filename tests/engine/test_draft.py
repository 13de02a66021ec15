import time

from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine.draft import FORM, LIKELY, LONGEST_MATCH, Guess, Odds, PromptLookup


def slowly(ids: list[int], most: int) -> Guess:
    """The same by looking at every place."""
    for length in range(LONGEST_MATCH, 0, -1):
        if length > len(ids):
            continue
        for place in range(len(ids) - 1, length - 1, -1):
            if ids[place - length : place] == ids[-length:]:
                grades = tuple(min(length + i, LONGEST_MATCH) for i in range(most))
                return Guess(tuple((ids[place:] * most)[:most]), grades)
    return Guess()


@given(
    pieces=st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=12),
    most=st.integers(0, 10),
)
def test_proposes_a_copy_of_what_followed_last_however_the_ids_arrive(pieces, most):
    lookup, ids = PromptLookup(), []
    for piece in pieces:
        ids += piece
        guess = lookup.propose(ids, most)
        drafted = guess.ids
        assert guess == slowly(ids, most)
        assert len(drafted) == len(guess.grades) <= most
        text, copy = "".join(map(chr, [*ids, *drafted])), "".join(map(chr, drafted))
        assert copy in text[:-1] or not copy, "a proposal is a copy"
        assert PromptLookup().propose(tuple(ids), most) == guess, "it follows from the ids"


def test_goes_on_where_the_longest_end_stood():
    ids = [9, 9, 9, 9, 5, 6, 1, 0, 0, 5, 6, 2, 0, 9, 9, 5, 6]
    assert PromptLookup().propose(ids, 3).ids == (1, 0, 0), "9 9 5 6 says more than the later 5 6"


def test_what_goes_round_goes_on_round():
    assert PromptLookup().propose([5, 1, 2, 3, 1, 2, 3], 7).ids == (1, 2, 3, 1, 2, 3, 1)


def evenly(row_cost: float) -> list[float]:
    """What steps of 1, 2, … rows take, if each row more takes as much."""
    return [1 + row_cost * more for more in range(24)]


EVEN = evenly(0.26)
IN_STAIRS = [1.0, 1.1, *[1.5] * 2, *[2.4] * 4, *[3.5] * 16]


def test_no_more_are_run_than_a_step_may_have():
    assert Odds().worth((FORM,) * 40, 1, [1.0] * 16) == 15
    assert Odds().worth((FORM,) * 40, 16, [1.0] * 16) == 0


def test_the_more_tokens_agree_the_more_are_run():
    runs = [Odds().worth((grade, *[min(grade + i, 4) for i in range(1, 16)]), 1, EVEN)
            for grade in range(1, LONGEST_MATCH + 1)]  # fmt: skip
    assert runs == sorted(runs)
    assert runs[0] < runs[-1]


def test_a_guess_is_run_while_it_brings_more_for_its_time():
    """Against every length, one by one."""
    grades = (2, 3, 4, 4, 4, 4, 4, 4)
    for writing in (1, 2, 8):
        for costs in (evenly(0.05), EVEN, evenly(0.6), evenly(1.0), IN_STAIRS):
            gains = []
            for count in range(len(grades) + 1):
                reached, brought = 1.0, float(writing)
                for grade in grades[:count]:
                    reached *= LIKELY[grade]
                    brought += reached
                gains.append(brought / costs[writing - 1 + count])
            assert Odds().worth(grades, writing, costs) == gains.index(max(gains))


def test_wrong_guesses_become_few_and_are_tried_again_and_right_ones_many():
    odds, grades = Odds(), (4,) * 16
    first = odds.worth(grades, 1, EVEN)
    for _ in range(12):
        odds.heard(grades[: odds.worth(grades, 1, EVEN)], 0)
    assert odds.worth(grades, 1, EVEN) <= 1
    assert max(odds.worth(grades, 1, EVEN) for _ in range(100)) > 1
    for _ in range(30):
        count = odds.worth(grades, 1, EVEN)
        odds.heard(grades[:count], count)
    assert odds.worth(grades, 1, EVEN) > first


def test_what_follows_a_wrong_guess_says_nothing_of_its_grade():
    odds = Odds()
    odds.heard((1, 4, 4, 4), 0)
    assert odds.worth((4,) * 8, 1, EVEN) == Odds().worth((4,) * 8, 1, EVEN)


def test_nothing_stood_before():
    assert PromptLookup().propose([], 4) == Guess()
    assert PromptLookup().propose([1], 4) == Guess()
    assert PromptLookup().propose([1, 2, 3], 4) == Guess()


def test_a_token_costs_the_same_however_long_the_sequence_is():
    ids = [token * 7919 % 997 for token in range(40_000)]
    lookup, growing = PromptLookup(), ids[:20_000]
    lookup.propose(growing, 8)
    started_s = time.process_time()
    for token in ids[20_000:22_000]:
        growing.append(token)
        lookup.propose(growing, 8)
    assert (time.process_time() - started_s) / 2000 < 100e-6
