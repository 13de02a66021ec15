"""Witnesses: connected components over clusters, links and authors."""

import random

import numpy as np
import pytest

from fairwitness.index.witnesses import link_hash, link_hashes, page_of, witnesses


def told(rows: list[tuple[int, int, int]]) -> list[int]:
    cluster, link, author = zip(*rows, strict=True) if rows else ((), (), ())
    return witnesses(
        np.array(cluster, np.int64), np.array(link, np.uint32), np.array(author, np.uint64)
    ).tolist()


def test_five_hundred_copies_are_one_witness() -> None:
    assert set(told([(7, 0, author) for author in range(1, 501)])) == {0}


def test_nobody_and_nothing_connect_nobody() -> None:
    assert told([(1, 0, 0), (2, 0, 0), (3, 0, 0)]) == [0, 1, 2]
    assert told([]) == []


def test_one_author_and_one_link_are_one_witness() -> None:
    assert told([(1, 0, 5), (2, 9, 6), (3, 0, 5), (4, 9, 8), (5, 0, 7)]) == [0, 1, 0, 1, 2]


def test_a_long_chain_is_one_witness_and_numbers_follow_the_first_posts() -> None:
    chain = [(i // 2, (i + 1) // 2 + 1, 0) for i in range(999)]
    assert set(told(chain)) == {0}
    assert told([(5, 0, 1), *[(4, 0, 2)] * 2, (5, 0, 3)]) == [0, 1, 1, 0]


def test_as_plain_union_find_says() -> None:
    dice = random.Random(4)
    for _ in range(100):
        rows = [
            (dice.randrange(30), dice.randrange(12), dice.randrange(15))
            for _ in range(dice.randrange(1, 40))
        ]
        parent = list(range(len(rows)))

        def root(at: int, parent: list[int] = parent) -> int:
            while parent[at] != at:
                at = parent[at]
            return at

        for column in range(3):
            held: dict[int, int] = {}
            for at, row in enumerate(rows):
                if column == 0 or row[column]:
                    one, other = sorted((root(at), root(held.setdefault(row[column], at))))
                    parent[other] = one
        number: dict[int, int] = {}
        plain = [number.setdefault(root(at), len(number)) for at in range(len(rows))]
        assert told(rows) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.bbc.com/news/1?utm_source=x&at_medium=y", "http://bbc.com/news/1/"),
        ("https://m.example.org/a?b=1&a=2&fbclid=3", "https://example.org/a?a=2&b=1#top"),
        ("https://twitter.com/a/status/1?s=20&t=zz", "https://x.com/a/status/1"),
        ("https://youtu.be/abc?si=1", "https://www.youtube.com/watch?v=abc&feature=share"),
    ],
)
def test_links_to_one_page_are_one(one: str, other: str) -> None:
    assert page_of(one) == page_of(other)
    assert link_hash(one) == link_hash(other) != 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://f.org/showthread?t=1", "https://f.org/showthread?t=2"),
        ("https://a.org/A", "https://a.org/a"),
        ("https://youtube.com/watch?v=1", "https://youtube.com/watch?v=2"),
    ],
)
def test_links_to_other_pages_are_others(one: str, other: str) -> None:
    assert page_of(one) != page_of(other)


def test_front_pages_and_what_is_no_link_are_no_page() -> None:
    links = [["https://bbc.com/"], [], ["http://[", "https://bbc.com/x"], ["nonsense"]]
    hashes = link_hashes(links)
    assert hashes.dtype == np.uint32
    assert hashes.tolist() == [0, 0, link_hash("https://bbc.com/x"), 0]
