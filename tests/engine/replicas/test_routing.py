"""Which replica a prompt goes to, for any history of prompts and any loads."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwitness.engine.replicas.routing import FAR, MOST_PAGES, Seen, choose, page_keys
from fairwitness.kernels.pages import PAGE

NAMES = ("a", "b", "c", "d")
loads_of = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 40), min_size=1)
keys_of = st.lists(st.integers(0, 5), max_size=6, unique=True)
seen_of = st.dictionaries(st.sampled_from(NAMES), st.lists(keys_of, max_size=4))
ids_of = st.lists(st.integers(0, 2), max_size=3 * PAGE + 5)


def seen(told: dict[str, list[list[int]]]) -> dict[str, Seen]:
    found = {name: Seen() for name in told}
    for name, prompts in told.items():
        for keys in prompts:
            found[name].add(keys)
    return found


@given(ids_of, ids_of)
def test_keys_are_equal_as_far_as_whole_pages_are(one, other):
    alike = 0
    while one[:alike] == other[:alike] and alike < min(len(one), len(other)):
        alike += 1
    pages = alike // PAGE if one[:alike] == other[:alike] else (alike - 1) // PAGE
    mine, theirs = page_keys(one), page_keys(other)
    assert len(mine) == len(one) // PAGE
    assert mine[:pages] == theirs[:pages]
    assert not set(mine[pages:]) & set(theirs[pages:]), "a page stands for all before it too"


def test_pages_of_different_adapters_are_different():
    ids = [1] * 2 * PAGE
    assert not set(page_keys(ids, "poet")) & {*page_keys(ids), *page_keys(ids, "clerk")}


def test_a_long_prompt_is_known_by_its_beginning():
    assert len(page_keys(range(100 * PAGE))) == MOST_PAGES


@given(keys_of, seen_of, loads_of, st.integers())
def test_the_longest_known_beginning_wins_unless_its_replica_is_far_busier(keys, told, loads, seed):
    known = seen(told)
    chosen = choose(keys, known, loads, Random(seed))
    depths = {each: known[each].depth(keys) if each in known else 0 for each in loads}
    deepest = max(depths.values())
    nearest = min(loads[each] for each in loads if depths[each] == deepest)
    assert chosen in loads
    if deepest and nearest - min(loads.values()) < FAR:
        assert depths[chosen] == deepest
        assert loads[chosen] == nearest
    elif len(set(loads.values())) == len(loads) > 1:
        assert loads[chosen] < max(loads.values()), "of two the less busy one"


@given(st.integers(2, 4), st.integers(1, 200), st.booleans(), st.integers())
def test_a_flood_of_requests_is_spread(replicas, requests, alike, seed):
    """All with the same beginning, or none known: nobody is FAR busier than the rest."""
    random, loads = Random(seed), dict.fromkeys(NAMES[:replicas], 0)
    known = {each: Seen() for each in loads}
    for number in range(requests):
        keys = (1, 2) if alike else (number,)
        chosen = choose(keys, known, loads, random)
        known[chosen].add(keys)
        loads[chosen] += 1
    assert max(loads.values()) - min(loads.values()) <= 2 * FAR


@given(st.lists(keys_of), st.integers(1, 6))
def test_what_is_forgotten_is_the_end_of_the_oldest_prompt(prompts, most):
    memory = Seen(most)
    for keys in prompts:
        memory.add(keys)
        assert memory.depth(keys) == min(len(keys), most)
        assert len(memory._keys) <= most


@pytest.mark.parametrize("loads", [{}, {"a": 3}])
def test_one_replica_is_the_choice_and_none_is_not_asked_for(loads):
    if loads:
        assert choose((1,), {}, loads, Random(0)) == "a"
    else:
        with pytest.raises(ValueError, match="empty"):
            choose((1,), {}, loads, Random(0))
