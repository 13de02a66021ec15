"""The made stream: real texts come through the real reader as they were, with new surroundings."""

import itertools
from collections import Counter
from pathlib import Path

from fairwitness.evals.feeding import decoded
from fairwitness.evals.firehose import SETS, Firehose, id_of, texts_in
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.sources.lines import Lines

from .conftest import SAID

NOW_MS = 1_790_000_000_000


def posts_of(said: bytes) -> list[Post]:
    batch = decoded(Lines(), said, itertools.repeat(NOW_MS), "")
    assert batch.dropped == 0
    return [event.post for event in batch.events if isinstance(event, Posted)]


def test_each_text_is_there_once_and_the_order_is_the_seeds(captures: Path) -> None:
    texts, names = texts_in(captures)
    assert (len(texts), names) == (100, ("some",))
    assert set(SAID) < set(texts)
    assert texts == texts_in(captures)[0]
    assert texts != texts_in(captures, seed=8)[0]


def test_without_a_folder_the_bundled_sample_is_read() -> None:
    texts, names = texts_in(None)
    assert len(texts) > 10_000
    assert names == ("the bundled sample",)


def test_all_sets_of_the_shared_captures_are_read(shared: Path) -> None:
    texts, names = texts_in(shared / "data")
    assert len(names) == len(SETS)
    assert len(texts) > 500_000


def test_texts_come_through_the_reader_as_they_were(firehose: Firehose) -> None:
    posts = posts_of(firehose.say(0, firehose.texts, NOW_MS))
    assert len(posts) == firehose.texts == 100
    assert set(SAID) < {post.text for post in posts}
    assert {post.network for post in posts} == {"x"}
    assert {post.created_ms for post in posts} == {NOW_MS}
    assert [post.id for post in posts] == [id_of(number) for number in range(100)]


def test_links_names_answers_and_languages_are_told(firehose: Firehose) -> None:
    posts = {post.text: post for post in posts_of(firehose.say(0, 100, NOW_MS))}
    asked = posts[SAID[1]]
    assert asked.mentions == ("ana",)
    assert asked.links == ("https://example.org/fire",)
    assert asked.reply_to.startswith("x:1")
    assert posts[SAID[4]].hashtags == ("terremoto",)
    assert (posts[SAID[2]].lang, posts[SAID[3]].lang) == ("ru", "zh")


def test_texts_come_again_from_other_authors_with_other_ids(firehose: Firehose) -> None:
    posts = posts_of(firehose.say(0, 300, NOW_MS))
    assert len({post.id for post in posts}) == 300
    again = [(posts[at].text, posts[at + 100].text) for at in range(100)]
    assert all(first == second for first, second in again)
    assert sum(posts[at].author != posts[at + 100].author for at in range(100)) > 90


def test_few_authors_say_much(firehose: Firehose) -> None:
    authors = Counter(post.author for post in posts_of(firehose.say(0, 3_000, NOW_MS)))
    assert authors.most_common(1)[0][1] > 60
    assert len(authors) > 1_000


def test_posts_are_made_a_step_apart(firehose: Firehose) -> None:
    made_ms = [post.created_ms for post in posts_of(firehose.say(7, 5, NOW_MS, 17.28))]
    assert made_ms == [NOW_MS + int(17.28 * step) for step in range(5)]


def test_a_probe_is_its_word(firehose: Firehose) -> None:
    (post,) = posts_of(firehose.probe(12, "zqprobe12", NOW_MS))
    assert (post.text, post.id) == ("zqprobe12", id_of(12))


def test_the_mix_says_what_the_stream_is_made_of(firehose: Firehose) -> None:
    mix = firehose.mix(("some",))
    assert mix.texts == 100
    assert 15 < mix.text_bytes < 60
    assert mix.line_bytes > 300
    assert mix.languages["ru"] == mix.languages["zh"] == 0.01
