"""How long an answer takes when there is much to read: questions to a home of a million posts.

The posts are those of `firehose.py`, real texts with ids and authors of our making, taken in on the
whole road; the questions go it from a reader's first word to the last sentence, the model included.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from fairwitness.answers import Answer, Desk, Finished, ask
from fairwitness.engine import ChatModel
from fairwitness.evals.firehose import texts_in, write_tails
from fairwitness.evals.scale_run import filled
from fairwitness.home import Home

QUESTIONS = (
    "Who won the fight?",
    "What magnitude was the earthquake in Costa Rica?",
    "How many people died in the Boston marathon bombing?",
    "What happened in the New York train crash?",
    "Did McGregor win?",
    "What is happening in Calgary?",
    "Where did typhoon Yolanda hit?",
    "Is the power out after Sandy?",
    "What did Trump say about Ukraine?",
    "Who attacked the cafe in Sydney?",
    "Why did the Germanwings plane crash?",
    "What did the police say about Mike Brown?",
    "When did the factory in West Texas explode?",
    "Is it true that the flight was cancelled?",
    "What do people say about Rust?",
    "How many were evacuated in Alberta?",
    "Which books are worth reading?",
    "What is new about the space telescope?",
    "Who shot the soldier in Ottawa?",
    "What did the mayor of Portville decree?",
    "¿Qué magnitud tuvo el terremoto de Costa Rica?",
    "¿Cuántos muertos hubo en el accidente de tren en Santiago de Compostela?",
    "¿Qué pasó en Guatemala?",
    "¿Dónde fue el terremoto?",
    "Quante vittime ha causato l'alluvione in Sardegna?",
    "Cosa è successo in Emilia?",
    "Dove è stata la scossa?",
    "O que aconteceu em Santa Maria?",
    "Quantos mortos no incêndio da boate Kiss?",
    "Quem ganhou a luta?",
    "Что произошло в Москве?",
    "Кто подписал закон?",
    "Сколько стоит доллар?",
    "哪里发生了地震？",
    "台风在哪里登陆？",
    "高考成绩什么时候公布？",
    "有多少人遇难？",
    "地震はどこで起きましたか？",
    "誰が勝ちましたか？",
    "What happened and how many were injured in Bohol?",
)
"""In seven languages, of every kind; frequent and rare words, one that nobody answers."""

ROUNDS = 3


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from the question; the first sentence is of those that were answered."""

    first_p50: float
    first_p95: float
    total_p50: float
    total_p95: float
    posts: int
    questions: int
    answered: int


def latency(
    folder: Path | None,
    texts: Path,
    chat: Callable[[], ChatModel | None],
    posts: int,
    tell: Callable[[int, int], None],
) -> tuple[Latency, list[Answer]]:
    """Ask a home of `posts` posts made of the captures in `texts`; return what was answered too.

    The home is made in `folder` and stays there for another run, or is a temporary one.
    """
    if folder is None:
        with TemporaryDirectory(prefix="fairwitness-bench-") as made:
            return latency(Path(made), texts, chat, posts, tell)
    folder.mkdir(parents=True, exist_ok=True)
    tails = folder / "tails"
    if not tails.exists():
        write_tails(tails, texts_in(texts)[0])
    filled(folder / "home", tails, posts, lambda _, done, total: tell(done, total))
    with closing(Home(folder / "home", "bench")) as home:
        answers = _asked(home.desk(chat), tell)
        return _figures(answers, home.index.stats().posts), answers


def _asked(desk: Desk, tell: Callable[[int, int], None]) -> list[Answer]:
    """Return all answers but the first of all, for which model and index are woken."""
    _answer(desk, QUESTIONS[0])
    answers = []
    for _ in range(ROUNDS):
        for question in QUESTIONS:
            answers.append(_answer(desk, question))
            tell(len(answers), ROUNDS * len(QUESTIONS))
    return answers


def _answer(desk: Desk, question: str) -> Answer:
    *_, last = ask(desk, question)
    assert isinstance(last, Finished)
    return last.answer


def _figures(answers: list[Answer], posts: int) -> Latency:
    first = [each.timing_ms.first_sentence for each in answers if not each.abstained]
    total = [each.timing_ms.total for each in answers]
    return Latency(
        *_ranks(first),
        *_ranks(total),
        posts=posts,
        questions=len(total),
        answered=len(first),
    )


def _ranks(values_ms: list[float]) -> tuple[float, float]:
    """Return the middle and the slowest twentieth; of two neighbours the worse."""
    if not values_ms:
        return 0.0, 0.0
    p50, p95 = np.percentile(values_ms, [50, 95], method="higher").tolist()
    return round(p50, 1), round(p95, 1)
